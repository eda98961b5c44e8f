/** WebSocket through a real nginx by uwsgi_pass: many messages, every kind of frame, every way to end. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import websocket from '@fastify/websocket';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { without } from '../../setup/without.ts';
import { type Address, addressOf } from './client.ts';
import { atEnd, eventually, keepUntilFileEnds } from './finish.ts';
import { connections, type Family, listen } from './listener.ts';
import { startNginx, uwsgiPass } from './nginx.ts';

const families: Family[] = ['tcp', 'unix'];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The server's ends of the connections, in order, and how they ended. */
type Hall = { sockets: WebSocket[]; ends: { code: number; reason: string }[] };

/** Echoes frames unchanged; /count sends as many numbers as requested; /silent only listens. */
const buildHall = async (family: Family): Promise<Hall & { address: Address; open: () => Promise<number> }> => {
  const hall: Hall = { sockets: [], ends: [] };
  const { server, address } = await listen(family);
  const app = fastify();
  await app.register(websocket, { options: { maxPayload: 1024 * 1024 } });
  const enter = (socket: WebSocket) => {
    hall.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('close', (code, reason) => void hall.ends.push({ code, reason: reason.toString() }));
  };
  app.get('/echo', { websocket: true }, (socket) => {
    enter(socket);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  app.get<{ Params: { count: string } }>('/count/:count', { websocket: true }, (socket, { params }) => {
    enter(socket);
    for (let at = 0; at < Number(params.count); at++) socket.send(String(at));
    let received = 0;
    socket.on('message', (data) => {
      if (data.toString() !== String(received++)) socket.close(4000, `${data} in place of ${received - 1}`);
      if (received === Number(params.count)) socket.send('all received');
    });
  });
  app.get('/silent', { websocket: true }, enter);
  await app.ready();
  server.on('request', (request, response) => app.server.emit('request', request, response));
  server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  atEnd(async () => {
    for (const socket of hall.sockets) socket.terminate();
    await app.close();
  });
  return { ...hall, address, open: () => connections(server) };
};

const enter = async (family: Family, path: string, options = {}) => {
  const hall = await buildHall(family);
  const port = await startNginx(`location / {${uwsgiPass(hall.address)}}`);
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
  // From the start: the server may send first.
  const received: string[] = [];
  client.on('message', (data) => received.push(data.toString()));
  client.on('error', () => {});
  await once(client, 'open');
  await eventually(() => expect(hall.sockets.length).toBe(1));
  const [server] = hall.sockets;
  if (!server) throw new Error('no connection arrived');
  return { ...hall, client, server, port, received };
};

keepUntilFileEnds();

describe.skipIf(without('nginx')).concurrent.each(families)('through nginx to %s', (family) => {
  test('5000 messages each way at the same time arrive in order', async () => {
    const { client, received } = await enter(family, '/count/5000');
    for (let at = 0; at < 5000; at++) client.send(String(at));
    await eventually(() => expect(received.length).toBe(5001));
    expect(received.filter((text) => text !== 'all received')).toEqual(
      Array.from({ length: 5000 }, (_, at) => String(at)),
    );
    client.close();
  });

  test('binary, empty, 64 KiB and larger messages, and text in every script, arrive', async () => {
    const { client } = await enter(family, '/echo');
    const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, at) => (at * 7) % 256));
    const messages = [
      ...[0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 300_000].map(bytes),
      ...Array.from({ length: 100 }, () => bytes(65_536)),
      ...['', '玄関', 'a\0b', '🚪'.repeat(10_000)],
    ];
    const received: (Buffer | string)[] = [];
    const done = Promise.withResolvers<void>();
    client.on('message', (data: Buffer, binary: boolean) => {
      received.push(binary ? data : data.toString());
      if (received.length === messages.length) done.resolve();
    });
    for (const message of messages) client.send(message);
    await done.promise;
    const wrong = messages.findIndex(
      (message, at) => !Buffer.from(message).equals(Buffer.from(received[at] ?? 'none')),
    );
    expect([wrong, received.map((one) => typeof one)]).toEqual([-1, messages.map((one) => typeof one)]);
    client.close();
  });

  test('fragments with pings between them arrive, both ways', async () => {
    const { client, server } = await enter(family, '/silent');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const pinged: string[] = [];
      to.on('ping', (data) => pinged.push(data.toString()));
      const message = once(to, 'message');
      const pongs = once(from, 'pong');
      from.send('one ', { fin: false });
      from.ping('between');
      from.send('two ', { fin: false });
      from.send(Buffer.alloc(70_000, 'x').toString(), { fin: false });
      from.send('', { fin: true });
      const [data]: Buffer[] = await message;
      expect(data?.toString()).toBe(`one two ${'x'.repeat(70_000)}`);
      expect(pinged).toEqual(['between']);
      const [pong]: Buffer[] = await pongs;
      expect(pong?.toString()).toBe('between');
    }
    client.close();
  });

  test.each([1000, 1001, 1011, 3000, 4000, 4503, 4999])('close code %i arrives on either side', async (code) => {
    const { client, ends, port, sockets } = await enter(family, '/silent');
    client.close(code, `because of ${code}`);
    const [own]: number[] = await once(client, 'close');
    await eventually(() => expect(ends).toEqual([{ code, reason: `because of ${code}` }]));
    expect(own).toBe(code);
    const other = new WebSocket(`ws://127.0.0.1:${port}/silent`);
    await once(other, 'open');
    await eventually(() => expect(sockets.length).toBe(2));
    sockets[1]?.close(code, 'of the server');
    const [receivedCode, reason] = await once(other, 'close');
    expect([receivedCode, String(reason)]).toEqual([code, 'of the server']);
  });

  test('a close without a code arrives without a code', async () => {
    const { client, ends } = await enter(family, '/silent');
    client.close();
    await eventually(() => expect(ends).toEqual([{ code: 1005, reason: '' }]));
  });

  test('a client that vanishes is detected, and its connection freed', async () => {
    const { client, ends, open } = await enter(family, '/echo');
    client.terminate();
    await eventually(() => expect(ends).toEqual([{ code: 1006, reason: '' }]));
    await eventually(async () => expect(await open()).toBe(0));
  });

  test('a connection reset by the server is detected by the client', async () => {
    const { client, server } = await enter(family, '/echo');
    server.terminate();
    const [code]: number[] = await once(client, 'close');
    expect(code).toBe(1006);
  });

  test('a client that does not answer pings is detected', async () => {
    const { server, ends } = await enter(family, '/echo', { autoPong: false });
    expect(await staysSilent(server)).toBe(true);
    server.terminate();
    await eventually(() => expect(ends).toEqual([{ code: 1006, reason: '' }]));
  });

  test('a half-open connection over a dead line is detected', async () => {
    const { address, sockets, ends, open } = await buildHall(family);
    const relay = await startRelay(address);
    const port = await startNginx(`location / {${uwsgiPass(relay.port)}}`);
    const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    await once(client, 'open');
    await eventually(() => expect(sockets.length).toBe(1));
    const [server] = sockets;
    if (!server) throw new Error('no connection arrived');
    await answersPing(server);
    relay.goDead();
    expect(await staysSilent(server)).toBe(true);
    server.terminate();
    await eventually(() => expect(ends).toEqual([{ code: 1006, reason: '' }]));
    await eventually(async () => expect(await open()).toBe(0));
    client.terminate();
  });

  test('a client that does not read holds back the sender, not the memory of the listener', async () => {
    const { client, server } = await enter(family, '/silent');
    client.pause();
    const message = Buffer.alloc(65_536);
    let sent = 0;
    while (server.bufferedAmount < 1024 * 1024 && sent < 2000) {
      server.send(message);
      sent++;
      if (sent % 20 === 0) await pause(1);
    }
    // What the kernel and nginx buffer; beyond that the sender sees backpressure, and can stop.
    expect(sent).toBeLessThan(1000);
    let received = 0;
    client.on('message', () => received++);
    client.resume();
    await eventually(() => expect(received).toBe(sent));
    expect(server.bufferedAmount).toBe(0);
    client.close();
  });
});

/** One ping, as the app sends them, that is answered. */
const answersPing = async (socket: WebSocket): Promise<void> => {
  socket.ping();
  await once(socket, 'pong');
};

/** One ping, and whether no pong arrives within 300 ms. */
const staysSilent = (socket: WebSocket): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('pong', () => resolve(false));
  socket.ping();
  setTimeout(() => resolve(true), 300);
  return promise;
};

/** A line to `address` that can go dead: it then carries nothing and closes nothing. */
const startRelay = async (address: Address) => {
  const pairs: [Socket, Socket][] = [];
  const server = createServer((near) => {
    const far = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address);
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far);
    far.pipe(near);
    pairs.push([near, far]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => {
    for (const socket of pairs.flat()) socket.destroy();
    server.close();
  });
  const goDead = () => {
    for (const [near, far] of pairs) {
      near.unpipe();
      far.unpipe();
      near.pause();
      far.pause();
    }
  };
  return { port: Number(addressOf(server)), goDead };
};
