/** The uwsgi listener as a server: requests, bodies, responses and WebSockets, over TCP and unix sockets. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  connectTo,
  encodePacket,
  frame,
  frameReader,
  handshake,
  readAll,
  readAnswer,
  readHandshake,
  requestVariables,
  uwsgiRequest,
} from './client.ts';
import { atEnd } from './finish.ts';
import { buildApp, countingText, type Family, listen, listenWith } from './listener.ts';

const families: Family[] = ['tcp', 'unix'];

describe.each(families)('Fastify behind it on %s', (family) => {
  test('sees the client that the variables name', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const answer = await uwsgiRequest(listener.address, {
      url: '/who',
      headers: { 'X-Forwarded-For': '198.51.100.1', Host: 'rooms.example' },
      vars: { REQUEST_SCHEME: 'https', HTTPS: 'on' },
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toEqual({ ip: '203.0.113.7', protocol: 'https', host: 'rooms.example' });
  });

  test('answers GET, POST, HEAD, 204, 304 and 404', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const ask = (url: string, method = 'GET') => uwsgiRequest(listener.address, { url, method });
    const json = { method: 'POST', url: '/echo', headers: { 'Content-Type': 'application/json' }, body: '{"a":[1]}' };
    expect((await uwsgiRequest(listener.address, json)).body.toString()).toBe('{"a":[1]}');
    const head = await ask('/who', 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0);
    const none = await ask('/none');
    expect([none.status, none.body.length, none.headers['content-length']]).toEqual([204, 0, undefined]);
    const unchanged = await ask('/unchanged');
    expect([unchanged.status, unchanged.body.length, unchanged.headers.etag]).toEqual([304, 0, '"1"']);
    expect((await ask('/nowhere')).status).toBe(404);
  });

  test('streams without chunks', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const { headers, body } = await uwsgiRequest(listener.address, { url: '/stream' });
    expect(headers['transfer-encoding']).toBeUndefined();
    expect(body.toString()).toBe(countingText);
  });

  test('joins repeated cookies', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const { body } = await uwsgiRequest(listener.address, { url: '/cookies', headers: { Cookie: ['a=1', 'b=2'] } });
    expect(JSON.parse(body.toString())).toEqual({ cookie: 'a=1; b=2' });
  });

  test('accepts an upload of 8 MB', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const body = Buffer.alloc(8 * 1024 * 1024, 'genkan');
    const headers = { 'Content-Type': 'application/octet-stream' };
    const answer = await uwsgiRequest(listener.address, { method: 'POST', url: '/echo', headers, body });
    expect(answer.status).toBe(200);
    expect(answer.body.equals(body)).toBe(true);
  });

  test('opens a WebSocket, the first frame in the same segment as the handshake', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const socket = connectTo(listener.address);
    socket.write(Buffer.concat([handshake('/ws'), frame('one')]));
    const { head, rest } = await readHandshake(socket);
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    const echoes = frameReader(socket, rest);
    expect(await echoes()).toBe('one');
    for (let at = 0; at < 100; at++) {
      socket.write(frame(`message ${at}`));
      expect(await echoes()).toBe(`message ${at}`);
    }
    socket.destroy();
  });

  test('refuses a WebSocket to another path with a plain response', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const socket = connectTo(listener.address);
    socket.write(handshake('/nowhere'));
    expect(readAnswer(await readAll(socket)).status).toBe(404);
  });
});

describe('a request', () => {
  test('may be cut anywhere', async () => {
    const { address } = await listenWith(echo);
    const bytes = Buffer.concat([
      encodePacket(requestVariables({ method: 'POST', body: 'hello' })),
      Buffer.from('hello'),
    ]);
    for (let at = 1; at < bytes.length; at += 7) {
      const socket = connectTo(address);
      socket.setNoDelay(true);
      socket.write(bytes.subarray(0, at));
      setImmediate(() => socket.write(bytes.subarray(at)));
      expect(readAnswer(await readAll(socket)).body.toString()).toBe('hello');
    }
  });

  test('has the version of SERVER_PROTOCOL, and its response a Content-Length anyway', async () => {
    const { address } = await listenWith((request, response) => response.end(request.httpVersion));
    for (const version of ['1.0', '1.1', '2.0', '3.0']) {
      const { body, headers, raw } = await uwsgiRequest(address, { vars: { SERVER_PROTOCOL: `HTTP/${version}` } });
      expect([body.toString(), headers['content-length']]).toEqual([version, '3']);
      expect(raw.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
  });

  test('has exactly CONTENT_LENGTH bytes of body; more is not read', async () => {
    const { address } = await listenWith(echo);
    const body = 'hello, this is too much';
    expect((await uwsgiRequest(address, { method: 'POST', body, vars: { CONTENT_LENGTH: '5' } })).body.toString()).toBe(
      'hello',
    );
    const none = await uwsgiRequest(address, { method: 'POST', body, vars: { CONTENT_LENGTH: '' } });
    expect([none.status, none.body.length]).toEqual([200, 0]);
  });

  test('is the only one of its connection', async () => {
    let requests = 0;
    const { address } = await listenWith((_request, response) => response.end(String(++requests)));
    const packet = encodePacket(requestVariables());
    const socket = connectTo(address);
    socket.write(Buffer.concat([packet, packet]));
    expect(readAnswer(await readAll(socket)).body.toString()).toBe('1');
    expect(requests).toBe(1);
  });

  test('emits end and close, and its response finish and close', async () => {
    const events: string[] = [];
    const { address } = await listenWith((request, response) => {
      for (const event of ['end', 'close', 'aborted']) request.on(event, () => events.push(`request ${event}`));
      for (const event of ['finish', 'close']) response.on(event, () => events.push(`response ${event}`));
      response.end('hello');
    });
    await uwsgiRequest(address);
    await expect.poll(() => events.length).toBe(4);
    expect(events.sort()).toEqual(['request close', 'request end', 'response close', 'response finish']);
  });

  test('to upgrade is a plain request if there is no upgrade listener', async () => {
    const { address } = await listenWith((request, response) => response.end(request.headers.upgrade));
    const socket = connectTo(address);
    socket.write(handshake('/'));
    expect(readAnswer(await readAll(socket)).body.toString()).toBe('websocket');
  });

  test('that is upgraded leaves every byte to the new owner, however late it reads', async () => {
    const { address, server } = await listen();
    const read = Promise.withResolvers<string>();
    server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
      atEnd(() => void socket.destroy());
      setTimeout(() => socket.on('data', (chunk: Buffer) => read.resolve(`${head} ${chunk}`)), 50);
    });
    const socket = connectTo(address);
    socket.write(Buffer.concat([handshake('/'), Buffer.from('head')]));
    setTimeout(() => socket.write('tail'), 20);
    expect(await read.promise).toBe('head tail');
    socket.destroy();
  });

  test('is read no faster than the handler reads', async () => {
    const size = 32 * 1024 * 1024;
    const started = Promise.withResolvers<Socket>();
    const go = Promise.withResolvers<void>();
    const { address } = await listenWith(async (request, response) => {
      started.resolve(request.socket);
      await go.promise;
      let length = 0;
      for await (const chunk of request) length += chunk.length;
      response.end(String(length));
    });
    const answer = uwsgiRequest(address, { method: 'POST', body: Buffer.alloc(size) });
    const socket = await started.promise;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(socket.bytesRead).toBeLessThan(1024 * 1024);
    go.resolve();
    expect((await answer).body.toString()).toBe(String(size));
  });
});

describe('a response', () => {
  test('has Content-Length if its end is known at once, otherwise it ends with the connection', async () => {
    const { address } = await listenWith((request, response) => {
      if (request.url === '/streamed') response.write('hel');
      response.end(request.url === '/streamed' ? 'lo' : 'hello');
    });
    const known = await uwsgiRequest(address, { url: '/known' });
    const streamed = await uwsgiRequest(address, { url: '/streamed' });
    expect(known.headers).toMatchObject({ 'content-length': '5', connection: 'close' });
    expect(streamed.headers).not.toHaveProperty('content-length');
    for (const { body, headers } of [known, streamed]) {
      expect(body.toString()).toBe('hello');
      expect(headers).not.toHaveProperty('transfer-encoding');
    }
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['set one by one', (response) => response.setHeader('Transfer-Encoding', 'chunked').setHeader('Trailer', 'X-Sum')],
    [
      'in an object',
      (response) => response.writeHead(200, { 'transfer-encoding': 'chunked', Trailer: 'X-Sum', 'X-A': '1' }),
    ],
    ['in an array', (response) => response.writeHead(200, ['Transfer-Encoding', 'chunked', 'X-A', '1'])],
    ['after a reason', (response) => response.writeHead(200, 'Fine', { 'Transfer-Encoding': 'chunked' })],
  ])('is never chunked, even if the application requests it: %s', async (_, set) => {
    const { address } = await listenWith((_request, response) => {
      set(response);
      response.write('hel');
      response.addTrailers({ 'X-Sum': '1' });
      response.end('lo');
    });
    const { headers, body } = await uwsgiRequest(address);
    expect(headers).not.toHaveProperty('transfer-encoding');
    expect(headers).not.toHaveProperty('trailer');
    expect(body.toString()).toBe('hello');
  });

  test('sends nothing before its final status', async () => {
    let called = 0;
    const { address } = await listenWith((_request, response) => {
      response.writeContinue(() => called++);
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => called++);
      setTimeout(() => response.end('hello'), 5);
    });
    const { raw } = await uwsgiRequest(address, { headers: { Expect: '100-continue' } });
    expect(raw.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(raw.toString()).not.toContain('HTTP/1.1 1');
    expect(called).toBe(2);
  });

  test('has an HTTP status line', async () => {
    const { address } = await listenWith((_request, response) => response.writeHead(418, 'Short and Stout').end());
    expect((await uwsgiRequest(address)).raw.toString()).toMatch(/^HTTP\/1\.1 418 Short and Stout\r\n/);
  });

  test('to HEAD has no body, whatever the handler writes', async () => {
    const { address } = await listenWith((_request, response) => {
      response.setHeader('content-length', '5');
      response.write('hel');
      response.end('lo');
    });
    const { headers, body } = await uwsgiRequest(address, { method: 'HEAD' });
    expect([headers['content-length'], body.length]).toEqual(['5', 0]);
  });

  test('of 50 MB waits for a slow reader without growing memory', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const count = 800;
    let written = 0;
    let unsent = 0;
    const { address } = await listenWith(async (_request, response) => {
      for (; written < count; written++) {
        const ready = response.write(chunk);
        unsent = Math.max(unsent, response.writableLength);
        expect(response.writableNeedDrain).toBe(!ready);
        if (!ready) await once(response, 'drain');
        expect(response.writableNeedDrain).toBe(false);
      }
      response.end();
    });
    const socket = connectTo(address);
    socket.write(encodePacket(requestVariables()));
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const ahead = written;
    expect(ahead).toBeLessThan(count / 2); // What the kernel's buffers hold.
    const { body } = readAnswer(await readAll(socket.resume()));
    expect(body.length).toBe(count * chunk.length);
    expect(unsent).toBeLessThan(4 * chunk.length);
  });

  test('that is piped resumes after a drain', async () => {
    const { address } = await listenWith(async (_request, response) => {
      response.writeHead(200);
      if (!response.write(Buffer.alloc(4 * 1024 * 1024))) await once(response, 'drain');
      Readable.from([Buffer.from('the'), Buffer.from(' end')]).pipe(response);
    });
    expect((await uwsgiRequest(address)).body.subarray(-7).toString()).toBe('the end');
  });
});

const echo = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => response.end(Buffer.concat(chunks)));
};
