/** What the uwsgi listener refuses, by itself or after a timeout, and how the response reaches the peer. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { connectTo, encodePacket, readAll, readAnswer, requestVariables, uwsgiRequest } from './client.ts';
import { eventually, keepUntilFileEnds } from './finish.ts';
import { buildApp, connections, type Family, gone, listen, listenWith, watch } from './listener.ts';

keepUntilFileEnds();

const families: Family[] = ['tcp', 'unix'];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const post = (length: number): Buffer =>
  encodePacket(requestVariables({ method: 'POST', vars: { CONTENT_LENGTH: String(length) } }));

describe.concurrent.each(families)('refused on %s', (family) => {
  const long = encodePacket({ A: 'x'.repeat(5000) });
  test.each<[string, Buffer, number, string, object]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 400, 'bad-request', { fault: 'modifier-not-served' }],
    ['a broken pair', Buffer.from('0003000002004100', 'hex'), 400, 'bad-request', { fault: 'length-beyond-block' }],
    ['no variables', encodePacket({}), 400, 'bad-request', { variable: 'REQUEST_METHOD' }],
    ['a header with CR', encodePacket({ HTTP_A: 'secret\r' }), 400, 'bad-request', { variable: 'HTTP_A' }],
    ['too many variables', long, 431, 'header-too-large', { fault: 'block-too-large' }],
    ['a long body', post(2_000_000), 413, 'body-too-large', { variable: 'CONTENT_LENGTH' }],
  ])('%s', async (_, bytes, status, code, fields) => {
    const { address, lines, server } = await listen(family, { bufferSize: 4096, limitPost: 1_000_000 });
    server.on('request', () => expect.unreachable());
    const socket = connectTo(address);
    socket.write(bytes);
    const answer = readAnswer(await readAll(socket));
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
      status,
      { type: 'error', code, message: expect.any(String) },
    ]);
    expect(lines).toEqual([
      {
        fields: { code, status, peer: family === 'tcp' ? '127.0.0.1' : 'unix', ...fields },
        message: expect.any(String),
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  test('the response is delivered to a peer that first sends everything', async () => {
    const { address } = await listen(family, { limitPost: 1000 });
    const body = Buffer.alloc(3 * 1024 * 1024);
    for (let round = 0; round < 10; round++) {
      const socket = connectTo(address);
      socket.pause();
      socket.write(post(body.length));
      await new Promise((resolve) => socket.write(body, resolve));
      expect(readAnswer(await readAll(socket.resume())).status).toBe(413);
    }
  });

  test('the response is delivered to a peer that sends more than is read', async () => {
    const { address } = await listen(family, { limitPost: 1000 });
    const body = Buffer.alloc(32 * 1024 * 1024);
    const socket = connectTo(address);
    socket.write(post(body.length));
    socket.write(body);
    const chunks: Buffer[] = [];
    socket.on('error', () => {}); // Its last writes go to a closed connection.
    await pause(300); // By now the listener has stopped reading; a reset would discard the response.
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    expect(readAnswer(Buffer.concat(chunks)).status).toBe(413);
    socket.destroy();
  });

  test('a handler may respond before the end of the body', async () => {
    const { address, lines } = await listenWith((_request, response) => response.writeHead(403).end('no'), {}, family);
    const body = Buffer.alloc(3 * 1024 * 1024);
    for (let round = 0; round < 10; round++) {
      const answer = await uwsgiRequest(address, { method: 'POST', body });
      expect([answer.status, answer.body.toString()]).toEqual([403, 'no']);
    }
    expect(lines).toEqual([]);
  });

  test('Fastify may respond by its own limit before the end of the body', async () => {
    const listener = await listen(family);
    await buildApp(listener);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const body = Buffer.alloc(20 * 1024 * 1024);
    expect((await uwsgiRequest(listener.address, { method: 'POST', url: '/echo', headers, body })).status).toBe(413);
  });
});

describe.concurrent('a timeout', () => {
  const short = { headerTimeout: 400, bodyTimeout: 400 };

  test('ends a connection that sends nothing', async () => {
    const { address, lines } = await listen('tcp', short);
    expect(readAnswer(await readAll(connectTo(address))).status).toBe(408);
    expect(lines).toMatchObject([{ fields: { code: 'request-timeout', peer: '127.0.0.1' } }]);
  });

  test('ends a packet that arrives byte by byte', async () => {
    const { address } = await listen('tcp', short);
    const started = performance.now();
    const socket = connectTo(address);
    const packet = encodePacket(requestVariables());
    let at = 0;
    const dribble = setInterval(() => socket.write(packet.subarray(at, ++at)), 10);
    const answer = readAnswer(await readAll(socket));
    clearInterval(dribble);
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([408, 'request-timeout']);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('ends a body that stalls, and its handler', async () => {
    const seen: string[][] = [];
    const { address, lines } = await listenWith(
      (request, response) => void seen.push(watch(request.resume(), response)),
      short,
    );
    const socket = connectTo(address);
    socket.write(Buffer.concat([post(10), Buffer.from('12345')]));
    const answer = readAnswer(await readAll(socket));
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([408, 'request-timeout']);
    await eventually(() => expect(seen[0]?.toSorted()).toEqual(gone));
    expect(lines).toHaveLength(1);
  });

  test('is extended by every part of a body', async () => {
    const { address } = await listenWith(
      (request, response) => request.resume().on('end', () => response.end('ok')),
      short,
    );
    const socket = connectTo(address);
    socket.write(post(8));
    const answer = readAll(socket);
    for (let at = 0; at < 8; at++) {
      await pause(60);
      socket.write('x');
    }
    expect(readAnswer(await answer).status).toBe(200);
  });

  test('stops while the handler does not read, and starts again when it does', async () => {
    const size = 16 * 1024 * 1024;
    const { address } = await listenWith(async (request, response) => {
      await pause(900);
      let length = 0;
      for await (const chunk of request) length += chunk.length;
      response.end(String(length));
    }, short);
    const { body } = await uwsgiRequest(address, { method: 'POST', body: Buffer.alloc(size) });
    expect(body.toString()).toBe(String(size));
  });

  test('does not limit the time of the handler', async () => {
    const { address } = await listenWith((_request, response) => void setTimeout(() => response.end('ok'), 900), short);
    expect((await uwsgiRequest(address)).body.toString()).toBe('ok');
  });

  test('ends a peer that keeps its side open after a refusal', async () => {
    const { address, server } = await listen('tcp', short);
    const socket = connectTo(address);
    socket.allowHalfOpen = true;
    socket.on('error', () => {});
    socket.resume().write(encodePacket({}));
    await once(socket, 'end');
    expect(await connections(server)).toBe(1);
    await eventually(async () => expect(await connections(server)).toBe(0));
    socket.destroy();
  });
});
