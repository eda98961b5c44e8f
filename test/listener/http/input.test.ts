/** The input of a listener: one request at a time, in turns of the event loop, and no more memory than its client may keep. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { TurnShares } from '../../../app/budgets/turn-shares.ts';
import { UnsentBytes } from '../../../app/budgets/unsent-bytes.ts';
import { countsItself } from '../../../app/listener/limits.ts';
import { connectTo, readAll } from '../uwsgi/client.ts';
import { eventually } from '../uwsgi/finish.ts';
import { connections } from '../uwsgi/listener.ts';
import { codeOf, exchange, headOf, kinds, serveAs } from './listener.ts';
import { WireReader } from './wire.ts';

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const last = get.replace('Host', 'Connection: close\r\nHost');
const echo = async (request: IncomingMessage, response: ServerResponse) => void response.end(await text(request));

describe('over HTTP', () => {
  test('a pipelined request is not emitted before the one before it is answered, whatever it expects', async () => {
    const waiting: ServerResponse[] = [];
    let requests = 0;
    const { address } = await serveAs('http', (_request, response) => {
      requests += 1;
      waiting.push(response);
    });
    const socket = connectTo(address);
    const answers = readAll(socket);
    socket.write(get + get.replace('Host', 'Expect: x\r\nHost').repeat(40) + last);
    for (let nth = 1; nth <= 42; nth += 1) {
      await eventually(() => expect(waiting).toHaveLength(1));
      expect(requests).toBe(nth);
      waiting.pop()?.end('done');
    }
    expect((await answers).toString().match(/HTTP\/1.1 200/g)).toHaveLength(42);
  });

  const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bodies = ['', 'a\r\n\r\nb', '', 'one\r\n\r\n0\r\n\r\ntwo!', 'trailed', 'plain\r\n\r\n'];
  const stream = [
    get,
    `${chunked}6\r\na\r\n\r\nb\r\n0\r\n\r\n`,
    `\r\n${get}`,
    `${chunked}7;x=1\r\none\r\n\r\n\r\n9\r\n0\r\n\r\ntwo!\r\n0\r\n\r\n`,
    `${chunked}7\r\ntrailed\r\n0\r\nX-Trailer: 1\r\n\r\n`,
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nplain\r\n\r\n',
  ].join('');
  test.each([1, 2, 3, 4, 5, 7, 11, 4096])('requests cut into pieces of %s bytes are separated', async (size) => {
    const { address, lines } = await serveAs('http', echo);
    const socket = connectTo(address);
    socket.setNoDelay(true);
    const reader = new WireReader(socket);
    const sending = (async () => {
      for (let at = 0; at < stream.length; at += size) {
        socket.write(stream.slice(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const received: string[] = [];
    for (const _ of bodies) received.push((await reader.next('POST')).body.toString());
    await sending;
    expect(received).toEqual(bodies);
    expect(lines).toEqual([]);
    socket.destroy();
  });

  test('the chunks of a body are joined, so that a reader gets few', async () => {
    let parts = 0;
    const { address } = await serveAs('http', (request, response) => {
      request.on('data', () => {
        parts += 1;
      });
      request.on('end', () => response.end('done'));
    });
    const socket = connectTo(address);
    const answer = readAll(socket);
    socket.write(`${chunked.replace('Host', 'Connection: close\r\nHost')}${'1\r\n \r\n'.repeat(50_000)}0\r\n\r\n`);
    expect((await answer).toString()).toContain('done');
    expect(parts).toBeLessThan(500);
  });

  test('what follows a handshake at once belongs to the WebSocket', async () => {
    const { address, server } = await serveAs('http', () => expect.unreachable());
    const upgraded = once(server, 'upgrade');
    const socket = connectTo(address);
    socket.write(get.replace('Host', 'Connection: upgrade\r\nUpgrade: websocket\r\nHost') + 'frames'.repeat(3));
    const [, accepted, head] = await upgraded;
    expect(head.toString()).toBe('frames'.repeat(3));
    accepted.destroy();
    socket.destroy();
  });

  test('after a refusal, nothing more is parsed', async () => {
    const { address, lines } = await serveAs('http', () => expect.unreachable());
    const socket = connectTo(address);
    const answer = readAll(socket);
    socket.write(`BROKEN\r\n\r\n${get.repeat(1000)}`);
    expect(codeOf(await answer)).toEqual([400, 'bad-request']);
    expect(lines).toHaveLength(1);
  });
});

describe.each(kinds)('--%s', (kind) => {
  const ask = (address: Parameters<typeof exchange>[1], client: string) =>
    exchange(kind, address, { headers: { 'X-Forwarded-For': client }, vars: { REMOTE_ADDR: client } });

  test('the requests of a network wait for its turn, and those of others do not', async () => {
    const turns: (() => void)[] = [];
    let requests = 0;
    const { address } = await serveAs(
      kind,
      (_request, response) => {
        requests += 1;
        response.end('done');
      },
      { turns: new TurnShares((turn) => turns.push(turn)) },
    );
    const clients = Array.from({ length: 6 }, () => ask(address, '203.0.113.7'));
    await eventually(() => expect(turns).toHaveLength(1));
    expect(requests).toBeLessThanOrEqual(2);
    // Over --http, all clients of this test have one address.
    if (kind !== 'http') expect((await ask(address, '203.0.113.8')).toString()).toContain('done');
    const turning = setInterval(() => turns.shift()?.(), 1);
    for (const answer of await Promise.all(clients)) expect(answer.toString()).toContain('done');
    clearInterval(turning);
  });

  test('a request that waits for its turn while its client closes is handled like one that does not', async () => {
    const turns: (() => void)[] = [];
    const { address } = await serveAs(kind, () => {}, { turns: new TurnShares((turn) => turns.push(turn)) });
    const post = headOf(kind, {
      method: 'POST',
      headers: { 'X-Forwarded-For': '203.0.113.7' },
      vars: { CONTENT_LENGTH: '9' },
    });
    const clients = Array.from({ length: 4 }, () => {
      const socket = connectTo(address);
      socket.allowHalfOpen = true;
      socket.end(Buffer.concat([post, Buffer.from('{')]));
      return readAll(socket);
    });
    const turning = setInterval(() => turns.shift()?.(), 1);
    for (const answer of await Promise.all(clients)) expect(codeOf(answer)).toEqual([400, 'bad-request']);
    clearInterval(turning);
  });

  test('a head with more than 3000 lines gets 431', async () => {
    const headers = Object.fromEntries(Array.from({ length: 3001 }, (_, at) => [`X-${at}`, '']));
    const { address } = await serveAs(kind, () => expect.unreachable());
    expect(codeOf(await exchange(kind, address, { headers }))).toEqual([431, 'header-too-large']);
  });

  test('the memory of requests that wait is counted for the address of their client', async () => {
    const unsent = new UnsentBytes(300_000);
    let requests = 0;
    const count = () => {
      requests += 1;
    };
    const { address, server, lines } = await serveAs(kind, count, { unsent });
    const client = (ip: string) => {
      const socket = connectTo(address).on('error', () => {});
      const headers = { 'X-Forwarded-For': ip, 'X-Long': 'x'.repeat(50_000) };
      socket.write(headOf(kind, { headers, vars: { REMOTE_ADDR: ip } }));
      return socket;
    };
    const sockets = Array.from({ length: 9 }, (_, at) => client(at < 8 ? '203.0.113.7' : '203.0.113.8'));
    // Over --http, the limit is enforced early, by the bytes received.
    await eventually(() => expect(requests).toBeGreaterThanOrEqual(8));
    unsent.enforce();
    // There, all clients of this test have one address.
    await eventually(async () => expect(await connections(server)).toBe(kind === 'http' ? 5 : 6));
    expect(lines[0]).toMatchObject({ message: expect.stringContaining('too much') });
    for (const socket of sockets) socket.destroy();
  });

  test('responses that are not read are counted for the address of their client', async () => {
    const unsent = new UnsentBytes(20e6);
    // More than the kernel takes.
    const body = Buffer.alloc(16e6);
    const open = new Set<ServerResponse>();
    const { address, server } = await serveAs(kind, (_request, response) => void open.add(response.writeHead(200)), {
      unsent,
    });
    const sockets = Array.from({ length: 4 }, (_, at) => {
      const socket = connectTo(address).pause();
      const ip = at < 3 ? '203.0.113.7' : '203.0.113.8';
      socket.write(headOf(kind, { headers: { 'X-Forwarded-For': ip }, vars: { REMOTE_ADDR: ip } }));
      return socket.on('error', () => {});
    });
    await eventually(() => expect(open.size).toBe(4));
    for (const response of open) response.end(body);
    unsent.enforce();
    await eventually(async () => expect(await connections(server)).toBe(kind === 'http' ? 1 : 2));
    for (const socket of sockets) socket.destroy();
  });

  test('a response whose writer counts it is not counted again', async () => {
    const unsent = new UnsentBytes(1e6);
    const { address, server } = await serveAs(
      kind,
      (_request, response) => {
        countsItself(response);
        response.end(Buffer.alloc(16e6));
        unsent.enforce();
      },
      { unsent },
    );
    const socket = connectTo(address);
    socket.write(headOf(kind));
    await once(socket, 'readable');
    expect(await connections(server)).toBe(1);
    socket.destroy();
  });
});

describe('over uwsgi, a long response that the kernel has taken', () => {
  const length = 200_000;
  const serve = async () => {
    const unsent = new UnsentBytes(500_000);
    let finished = 0;
    const onRequest = (_request: IncomingMessage, response: ServerResponse) => {
      response.on('finish', () => {
        finished += 1;
      });
      response.end(Buffer.alloc(length));
    };
    const { address, server } = await serveAs('socket', onRequest, { unsent });
    const sockets = Array.from({ length: 5 }, () => {
      const socket = connectTo(address).pause();
      socket.write(headOf('socket', { vars: { REMOTE_ADDR: '203.0.113.7' } }));
      return socket.on('error', () => {});
    });
    await eventually(() => expect(finished).toBe(5));
    return { server, sockets, unsent };
  };

  test('is counted, and discarded if the client has too many', async () => {
    const { server, sockets, unsent } = await serve();
    unsent.enforce();
    await eventually(async () => expect(await connections(server)).toBe(2));
    for (const socket of sockets) socket.destroy();
    await eventually(async () => expect(await connections(server)).toBe(0));
  });

  test('is counted no longer once it was read', async () => {
    const { server, sockets } = await serve();
    const answers = await Promise.all(sockets.map((socket) => readAll(socket.resume())));
    for (const answer of answers) expect(answer.length).toBeGreaterThan(length);
    await eventually(async () => expect(await connections(server)).toBe(0));
  });
});

test('heads that never end are closed as soon as they may be too many, without a timer', async () => {
  const { address, server } = await serveAs('http', () => expect.unreachable(), { unsent: new UnsentBytes(400_000) });
  const sockets = Array.from({ length: 30 }, () => {
    const socket = connectTo(address).on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(40_000)}`);
    return socket;
  });
  await eventually(async () => expect(await connections(server)).toBeLessThan(22));
  for (const socket of sockets) socket.destroy();
});
