/** How connections of the uwsgi listener end: peers that disconnect or are not allowed, and the server's own end. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { connectTo, encodePacket, readAll, readAnswer, requestVariables, uwsgiRequest } from './client.ts';
import { eventually, keepUntilFileEnds } from './finish.ts';
import { buildApp, connections, type Family, gone, listen, listenWith, watch } from './listener.ts';

keepUntilFileEnds();

const families: Family[] = ['tcp', 'unix'];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const post = (length: number): Buffer =>
  encodePacket(requestVariables({ method: 'POST', vars: { CONTENT_LENGTH: String(length) } }));

describe.concurrent.each(families)('a peer that disconnects on %s', (family) => {
  test('before the end of the body gets 400, and the handler is notified', async () => {
    const seen: string[][] = [];
    const handler = (request: IncomingMessage, response: ServerResponse) =>
      void seen.push(watch(request.resume(), response));
    const { address, lines } = await listenWith(handler, {}, family);
    const socket = connectTo(address);
    socket.end(Buffer.concat([post(10), Buffer.from('12345')]));
    const answer = readAnswer(await readAll(socket));
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([400, 'bad-request']);
    await eventually(() => expect(seen[0]?.toSorted()).toEqual(gone));
    expect(lines).toMatchObject([{ fields: { code: 'bad-request' }, message: /before the whole body/ }]);
  });

  test('before the end of the body, after the response headers, is closed, and the handler is notified', async () => {
    const seen: string[][] = [];
    const { address, lines } = await listenWith(
      (request, response) => {
        seen.push(watch(request.resume(), response));
        response.writeHead(200).write('part');
      },
      {},
      family,
    );
    const socket = connectTo(address);
    socket.end(Buffer.concat([post(10), Buffer.from('12345')]));
    expect(readAnswer(await readAll(socket)).body.toString()).toBe('part');
    await eventually(() => expect(seen[0]?.toSorted()).toEqual(gone));
    expect(lines).toHaveLength(1);
  });

  test('while Fastify reads the body gets 400', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const headers = { 'Content-Type': 'application/json' };
    const vars = { CONTENT_LENGTH: '10' };
    const socket = connectTo(listener.address);
    socket.end(encodePacket(requestVariables({ method: 'POST', url: '/echo', headers, vars })));
    expect(readAnswer(await readAll(socket)).status).toBe(400);
  });

  test('within the packet gets 400', async () => {
    const { address, lines } = await listen(family);
    const socket = connectTo(address);
    socket.end(encodePacket(requestVariables()).subarray(0, 50));
    expect(readAnswer(await readAll(socket)).status).toBe(400);
    expect(lines).toHaveLength(1);
  });

  test('having sent nothing gets nothing', async () => {
    const { address, lines } = await listen(family);
    const socket = connectTo(address);
    socket.end();
    expect(await readAll(socket)).toHaveLength(0);
    expect(lines).toEqual([]);
  });

  test('while the handler works makes request and response emit it, and nothing is logged', async () => {
    const seen = Promise.withResolvers<string[]>();
    const { address, lines } = await listenWith(
      (request, response) => seen.resolve(watch(request, response)),
      {},
      family,
    );
    const socket = connectTo(address);
    socket.write(encodePacket(requestVariables()));
    const events = await seen.promise;
    socket.destroy();
    await eventually(() => expect(events.toSorted()).toEqual(gone));
    expect(lines).toEqual([]);
  });

  test('while a response is streamed to it is noticed', async () => {
    const seen = Promise.withResolvers<string[]>();
    const { address } = await listenWith(
      (request, response) => {
        seen.resolve(watch(request, response));
        const writing = setInterval(() => response.write(Buffer.alloc(100_000)), 1);
        response.on('close', () => clearInterval(writing));
      },
      {},
      family,
    );
    const socket = connectTo(address);
    socket.write(encodePacket(requestVariables()));
    await once(socket, 'data');
    socket.destroy();
    const events = await seen.promise;
    await eventually(() => expect(events.toSorted()).toEqual(gone));
  });
});

test.concurrent('a reset at any moment does not crash the server', async () => {
  const { address, server } = await listenWith((request, response) => {
    request.resume();
    response.write('part');
    setTimeout(() => response.end(Buffer.alloc(200_000)), 2);
  });
  const bytes = Buffer.concat([post(10), Buffer.from('1234567890')]);
  for (let end = 0; end < bytes.length; end += 3) {
    const socket = connectTo(address);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(bytes.subarray(0, end));
    await pause(end % 4);
    socket.resetAndDestroy();
  }
  await eventually(async () => expect(await connections(server)).toBe(0));
  expect((await uwsgiRequest(address)).status).toBe(200);
});

test.concurrent('a peer that stalls after the response to half its body is not waited for', async () => {
  const { address, server, lines } = await listenWith((_request, response) => response.end('enough'));
  const socket = connectTo(address);
  socket.allowHalfOpen = true;
  socket.resume().write(Buffer.concat([post(10), Buffer.from('12345')]));
  await once(socket, 'end');
  expect(await connections(server)).toBe(1);
  await eventually(async () => expect(await connections(server)).toBe(0));
  expect(lines).toEqual([]);
  socket.destroy();
});

test.concurrent('a handler that continues reading after its response gets the whole body', async () => {
  const size = 8 * 1024 * 1024;
  const read = Promise.withResolvers<number>();
  const { address } = await listenWith(async (request, response) => {
    response.end('thanks');
    let length = 0;
    for await (const chunk of request) {
      length += chunk.length;
      if (length % 1_000_000 < 65_536) await pause(5);
    }
    read.resolve(length);
  });
  const answer = await uwsgiRequest(address, { method: 'POST', body: Buffer.alloc(size) });
  expect(answer.body.toString()).toBe('thanks');
  expect(await read.promise).toBe(size);
});

describe.concurrent('a peer outside allow-from', () => {
  test('is closed without reading', async () => {
    const asked: string[] = [];
    const allowFrom = (address: string) => asked.push(address) < 0;
    const { address, lines, server } = await listen('tcp', { allowFrom });
    server.on('request', () => expect.unreachable());
    const socket = connectTo(address);
    socket.on('error', () => {});
    socket.write(encodePacket(requestVariables()));
    await once(socket, 'close');
    expect(asked).toEqual(['127.0.0.1']);
    expect(lines).toMatchObject([{ fields: { peer: '127.0.0.1' }, message: /not in --allow-from/ }]);
  });

  test('is not checked on a unix socket', async () => {
    const { address } = await listenWith(
      (_request, response) => response.end('ok'),
      { allowFrom: () => false },
      'unix',
    );
    expect((await uwsgiRequest(address)).body.toString()).toBe('ok');
  });
});

describe.concurrent('closing the server', () => {
  test('waits for requests and ends idle connections', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    const { address, server } = await listenWith((_request, response) => held.resolve(response));
    const idle = connectTo(address);
    const half = connectTo(address);
    half.write(encodePacket(requestVariables()).subarray(0, 20));
    const ended = Promise.all([readAll(idle), readAll(half)]);
    const answer = uwsgiRequest(address);
    const response = await held.promise;
    await eventually(async () => expect(await connections(server)).toBe(3));
    let closed = false;
    server.close(() => {
      closed = true;
    });
    expect((await ended).map((bytes) => bytes.length)).toEqual([0, 0]);
    expect(closed).toBe(false);
    response.end('last');
    expect((await answer).body.toString()).toBe('last');
    await eventually(() => expect(closed).toBe(true));
  });

  test('with closeAllConnections ends requests and upgraded connections too', async () => {
    const upgraded = Promise.withResolvers<Socket>();
    const begun = Promise.withResolvers<void>();
    const { address, server } = await listenWith(() => begun.resolve());
    server.on('upgrade', (_request, socket: Socket) => upgraded.resolve(socket));
    const running = connectTo(address);
    running.write(encodePacket(requestVariables()));
    const tunnel = connectTo(address);
    tunnel.write(encodePacket(requestVariables({ headers: { Connection: 'upgrade', Upgrade: 'websocket' } })));
    const socket = await upgraded.promise;
    await begun.promise;
    const cut = once(tunnel.resume(), 'close');
    server.closeAllConnections();
    expect(await readAll(running)).toHaveLength(0);
    expect(socket.destroyed).toBe(true);
    await cut;
  });

  test('leaves nothing that keeps the process alive', async () => {
    const script = `
      import { connect } from 'node:net';
      import { TurnShares } from './app/budgets/turn-shares.ts';
      import { UnsentBytes } from './app/budgets/unsent-bytes.ts';
      import { createUwsgiServer } from './app/listener/uwsgi/server.ts';
      const log = { warn: () => {} };
      const times = { headerTimeout: 60000, bodyTimeout: 60000, idleTimeout: 60000, harakiri: 0 };
      const yes = () => true;
      const ask = { allowFrom: yes, admit: yes, answersFor: yes, isBarred: () => false, refusedTo: () => {} };
      const budgets = { turns: new TurnShares(setImmediate), unsent: new UnsentBytes(1e9) };
      const server = createUwsgiServer({ bufferSize: 65535, limitPost: 1000, ...times, ...ask, ...budgets, log });
      server.on('request', (request, response) => response.end('ok'));
      server.listen(0, '127.0.0.1', () => {
        const socket = connect(server.address().port, '127.0.0.1');
        socket.write(Buffer.from('${encodePacket(requestVariables()).toString('hex')}', 'hex'));
        socket.on('data', (data) => process.stdout.write(data));
        socket.on('end', () => server.close());
      });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 10_000,
    });
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK/);
  });
});
