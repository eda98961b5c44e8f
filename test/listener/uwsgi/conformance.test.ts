/** The rest of the protocol: modifiers, sizes at their limits, and responses written by other code. */
import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createPacketParser } from '../../../app/listener/uwsgi/packet.ts';
import { connectTo, encodePacket, handshake, readAll, readAnswer, requestVariables, uwsgiRequest } from './client.ts';
import { buildApp, countingText, type Family, listen, listenWith } from './listener.ts';

const families: Family[] = ['tcp', 'unix'];
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const send = (address: string | number, bytes: Buffer): Promise<Buffer> => {
  const socket = connectTo(address);
  socket.write(bytes);
  return readAll(socket);
};

describe.each(families)('modifiers on %s', (family) => {
  test('a ping is answered as by uWSGI, without calling the app', async () => {
    const { address, lines, server } = await listen(family);
    server.on('request', () => expect.unreachable());
    // uwsgi --ping sends 64 0000 00 and waits for a head with modifier1 100 and an empty block.
    expect(await send(address, hex('64 0000 00'))).toEqual(hex('64 0000 01'));
    expect(await send(address, encodePacket({ A: 'B' }, 100))).toEqual(hex('64 0000 01'));
    expect(lines).toEqual([]);
  });

  test.each([
    [1, 'unknown'],
    [5, 'Perl, PSGI'],
    [14, 'PHP'],
    [17, 'spooler'],
    [22, 'TLS'],
    [30, 'modifier 0 does that here'],
    [71, 'HTTP, which belongs on --http-socket'],
    [80, 'HTTP, which belongs on --http-socket'],
    [97, 'brutal reload'],
    [111, 'the cache'],
    [173, 'a remote procedure call'],
    [224, 'a subscription'],
    [255, 'a response'],
  ])('%i is refused by name', async (modifier1, name) => {
    const { address, lines } = await listen(family);
    const answer = readAnswer(await send(address, encodePacket(requestVariables(), modifier1)));
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([400, 'bad-request']);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.message).toContain(`modifier1 ${modifier1} (`);
    expect(lines[0]?.message).toContain(name);
  });

  test('modifier2 of a request is ignored', async () => {
    const { address } = await listenWith((_request, response) => response.end('ok'), {}, family);
    const packet = encodePacket(requestVariables());
    packet.writeUInt8(9, 3);
    expect(readAnswer(await send(address, packet)).status).toBe(200);
  });
});

describe('sizes', () => {
  const padded = (size: number): Buffer => {
    const packet = encodePacket([...requestVariables(), ['X_PAD', '']]);
    return encodePacket([...requestVariables(), ['X_PAD', 'x'.repeat(size - (packet.length - 4))]]);
  };

  test('65535 bytes of variables are read, and one more overflows the format', async () => {
    const { address } = await listenWith((_request, response) => response.end('ok'));
    const packet = padded(65_535);
    expect(packet.length).toBe(65_539);
    expect(readAnswer(await send(address, packet)).status).toBe(200);
    // For 65536 the format keeps only the lower half, 0: a packet without variables and an unannounced body.
    const over = Buffer.concat([hex('00 0000 00'), packet.subarray(4), Buffer.from('x')]);
    expect(readAnswer(await send(address, over)).status).toBe(400);
  });

  test('buffer-size is the largest size that is read', async () => {
    const { address } = await listenWith((_request, response) => response.end('ok'), { bufferSize: 4096 });
    expect(readAnswer(await send(address, padded(4096))).status).toBe(200);
    expect(readAnswer(await send(address, padded(4097))).status).toBe(431);
  });

  test.each([-3, -1, 1, 2])('a size that is wrong by %i gets 400, or 408 if bytes are missing', async (off) => {
    const { address, server } = await listen('tcp', { headerTimeout: 100 });
    server.on('request', () => expect.unreachable());
    const packet = encodePacket(requestVariables());
    packet.writeUInt16LE(packet.length - 4 + off, 1);
    expect(readAnswer(await send(address, packet)).status).toBe(off > 0 ? 408 : 400);
  });

  test('every length of a value up to 600 is parsed, whole and cut', () => {
    for (let length = 0; length <= 600; length++) {
      const packet = encodePacket([['N', 'v'.repeat(length)]]);
      const vars = [['N', 'v'.repeat(length)]];
      expect(createPacketParser(65_535)(packet)).toMatchObject({ kind: 'packet', vars });
      const parse = createPacketParser(65_535);
      parse(packet.subarray(0, length % packet.length));
      expect(parse(packet.subarray(length % packet.length))).toMatchObject({ kind: 'packet', vars });
    }
  });
});

describe('a response to a WebSocket handshake other than 101', () => {
  test('is never chunked, even with a ServerResponse created elsewhere', async () => {
    const { address, server } = await listen();
    server.on('upgrade', (request, socket: Socket) => {
      const response = new ServerResponse(request);
      response.assignSocket(socket);
      response.on('finish', () => socket.end());
      response.writeHead(403);
      response.write('one ');
      setTimeout(() => response.end('two'), 20);
    });
    const { status, headers, body } = readAnswer(await send(address, handshake('/')));
    expect([status, headers['transfer-encoding'], body.toString()]).toEqual([403, undefined, 'one two']);
  });

  test('is never chunked, even from a Fastify hook that streams', async () => {
    const listener = await listen();
    await buildApp(listener);
    const { status, headers, body } = readAnswer(await send(listener.address, handshake('/refused')));
    expect([status, headers['transfer-encoding']]).toEqual([403, undefined]);
    expect(body.toString()).toBe(countingText);
  });

  test('101 is passed on unchanged', async () => {
    const listener = await listen();
    await buildApp(listener);
    const socket = connectTo(listener.address);
    socket.write(handshake('/ws'));
    const [head]: Buffer[] = await once(socket, 'data');
    expect(head?.toString()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    socket.destroy();
  });
});

describe('the end of a response', () => {
  test.each([204, 304])('%i has neither body nor length', async (status) => {
    const { address } = await listenWith((_request, response) => response.writeHead(status).end('no body'));
    const { headers, body } = await uwsgiRequest(address);
    expect([headers['content-length'], headers['transfer-encoding'], body.length]).toEqual([undefined, undefined, 0]);
  });

  test('keep-alive is never offered, whatever the client requested', async () => {
    const { address } = await listenWith((_request, response) => Readable.from(['a', 'b']).pipe(response));
    for (const connection of ['keep-alive', 'close', '']) {
      const { headers, body } = await uwsgiRequest(address, { headers: { Connection: connection, 'Keep-Alive': '9' } });
      expect([headers.connection, headers['keep-alive'], body.toString()]).toEqual(['close', undefined, 'ab']);
    }
  });

  test('a handler that writes less than its Content-Length ends the connection', async () => {
    const { address } = await listenWith((_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('short');
      response.destroy();
    });
    expect((await uwsgiRequest(address).catch((error: Error) => error.message)).toString()).not.toBe('');
  });
});

test('the last one of a repeated variable counts', async () => {
  const { address } = await listenWith((request, response) => response.end(`${request.method} ${request.url}`));
  const vars: [string, string][] = [
    ...requestVariables(),
    ['REQUEST_METHOD', 'PUT'],
    ['REQUEST_URI', '/last'],
    ['PATH_INFO', '/last'],
  ];
  expect(readAnswer(await send(address, encodePacket(vars))).body.toString()).toBe('PUT /last');
});
