/** Limits and timeouts of a request, the same on every kind of listener. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connectionLimit } from '../../../app/listener/connection-limit.ts';
import { connectTo, readAll, readAnswer, type UwsgiRequestOptions } from '../uwsgi/client.ts';
import { eventually, keepUntilFileEnds } from '../uwsgi/finish.ts';
import { connections, gone, watch } from '../uwsgi/listener.ts';
import { codeOf, collect, exchange, headOf, listenAs, type Options, pause, post, serveAs } from './listener.ts';

const short: Options = { headerTimeout: 400, bodyTimeout: 400, idleTimeout: 600 };

const heads: Record<string, UwsgiRequestOptions> = {
  'one long header': {},
  'many short headers': { headers: Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`x-${at}`, 'y'])) },
  'many empty headers': { headers: Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`x-${at}`, ''])) },
  'one header many times': { headers: { 'X-Many': Array.from({ length: 150 }, () => 'y') } },
  'a long URL': { url: `/${'u'.repeat(1200)}` },
};

keepUntilFileEnds();

// --http-socket differs from --http only in the headers it trusts.
describe.concurrent.each(['http', 'socket'] as const)('--%s', (kind) => {
  test('a head longer than buffer-size gets 431', async () => {
    const { address, lines } = await listenAs(kind, { bufferSize: 4096 });
    const raw = await exchange(kind, address, { headers: { 'X-Long': 'x'.repeat(5000) } });
    expect(codeOf(raw)).toEqual([431, 'header-too-large']);
    expect(lines).toMatchObject([{ fields: { status: 431, peer: '127.0.0.1' } }]);
  });

  test.each(Object.entries(heads))(
    'a head of buffer-size bytes is served, one byte more gets 431 (%s)',
    async (_, filling) => {
      const size = 4096;
      const { address } = await serveAs(kind, (_request, response) => void response.end('ok'), { bufferSize: size });
      // The length of a packet is that of its variables; its first four bytes do not count.
      const sizeOf = (options: UwsgiRequestOptions) => headOf(kind, options).length - (kind === 'socket' ? 4 : 0);
      const withPad = (pad: number) => ({ ...filling, headers: { ...filling.headers, 'X-Pad': 'x'.repeat(pad) } });
      const statusAt = async (wanted: number) => {
        const options = withPad(wanted - sizeOf(withPad(0)));
        expect(sizeOf(options)).toBe(wanted);
        return readAnswer(await exchange(kind, address, options)).status;
      };
      expect([await statusAt(size), await statusAt(size + 1)]).toEqual([200, 431]);
    },
  );

  test('a head of endless spaces gets 431', async () => {
    if (kind === 'socket') return; // It has no spaces.
    const { address } = await listenAs(kind);
    const socket = connectTo(address);
    const text = collect(socket);
    socket.write('GET / HTTP/1.1\r\nX:');
    const sending = setInterval(() => socket.write(Buffer.alloc(65_536, ' ')), 5);
    await once(socket, 'close');
    clearInterval(sending);
    expect(text()).toMatch(/^HTTP\/1.1 431 .*"header-too-large"/s);
  });

  test.each(['/a#b', '/#', '/?a#b', 'http://example.org/#b'])('a URL with a fragment, %s, gets 400', async (url) => {
    const { address, server } = await listenAs(kind);
    server.on('request', () => expect.unreachable());
    const raw = await exchange(kind, address, { url, vars: kind === 'socket' ? { PATH_INFO: '' } : {} });
    expect(codeOf(raw)).toEqual([400, 'bad-request']);
  });

  test('no head, or a head byte by byte, gets 408', async () => {
    const { address } = await listenAs(kind, short);
    expect(codeOf(await readAll(connectTo(address)))).toEqual([408, 'request-timeout']);
    const socket = connectTo(address);
    const head = headOf(kind);
    let at = 0;
    const dribble = setInterval(() => socket.write(head.subarray(at, ++at)), 10);
    const answered = await readAll(socket);
    clearInterval(dribble);
    expect(codeOf(answered)).toEqual([408, 'request-timeout']);
  });

  test('a body that stalls gets 408, and the handler is notified', async () => {
    const seen: string[][] = [];
    const { address, lines } = await serveAs(
      kind,
      (request, response) => {
        seen.push(watch(request.resume(), response));
      },
      short,
    );
    const socket = connectTo(address);
    socket.write(Buffer.concat([post(kind, 10), Buffer.from('12345')]));
    expect(codeOf(await readAll(socket))).toEqual([408, 'request-timeout']);
    await eventually(() => expect(gone.every((event) => seen[0]?.includes(event))).toBe(true));
    expect(lines).toHaveLength(1);
  });

  test('a body that stalls after the response started is cut', async () => {
    const { address } = await serveAs(
      kind,
      (request, response) => {
        request.resume();
        response.writeHead(200, { 'content-length': '10' }).write('part');
      },
      short,
    );
    const socket = connectTo(address);
    socket.write(post(kind, 10));
    const text = collect(socket);
    await once(socket, 'close');
    expect(text()).toMatch(/^HTTP\/1.1 200 .*part$/s);
  });

  test('a body that makes progress, however slowly, and a slow handler get a response', async () => {
    const { address } = await serveAs(
      kind,
      async (request, response) => {
        let length = 0;
        for await (const chunk of request) length += chunk.length;
        await pause(400);
        response.end(String(length));
      },
      short,
    );
    const socket = connectTo(address);
    socket.write(post(kind, 8));
    const answered = readAll(socket);
    for (let at = 0; at < 8; at++) {
      await pause(60);
      socket.write('x');
    }
    expect(readAnswer(await answered).body.toString()).toBe('8');
  });

  test('a handler that reads late does not time out the peer', async () => {
    const size = 16 * 1024 * 1024;
    const { address } = await serveAs(
      kind,
      async (request, response) => {
        await pause(500);
        let length = 0;
        for await (const chunk of request) length += chunk.length;
        response.end(String(length));
      },
      short,
    );
    const raw = await exchange(kind, address, { method: 'POST', body: Buffer.alloc(size) });
    expect(readAnswer(raw).body.toString()).toBe(String(size));
  });

  test('a body longer than limit-post gets 413 by its Content-Length alone, without calling the handler', async () => {
    const { address, server } = await listenAs(kind, { limitPost: 1000 });
    server.on('request', () => expect.unreachable());
    const socket = connectTo(address);
    socket.write(post(kind, 1001));
    expect(codeOf(await readAll(socket))).toEqual([413, 'body-too-large']);
  });

  test('an endless chunked body that nobody reads gets 413', async () => {
    if (kind === 'socket') return; // It has no chunks.
    const { address } = await serveAs(kind, (request) => void request.resume(), { ...short, limitPost: 100_000 });
    const socket = connectTo(address);
    const text = collect(socket);
    socket.write(headOf(kind, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } }));
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')]);
    const sending = setInterval(() => socket.write(chunk), 5);
    await once(socket, 'close');
    clearInterval(sending);
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
  });

  test('the 413 reaches a peer that first sends everything', async () => {
    const { address } = await listenAs(kind, { limitPost: 1000 });
    const body = Buffer.alloc(2 * 1024 * 1024);
    for (let round = 0; round < 5; round++) {
      const socket = connectTo(address);
      socket.pause();
      socket.write(post(kind, body.length));
      await new Promise((resolve) => socket.write(body, resolve));
      expect(codeOf(await readAll(socket.resume()))).toEqual([413, 'body-too-large']);
    }
  });

  test('the 413 reaches a peer that continues sending and reads late', async () => {
    const { address } = await listenAs(kind, { limitPost: 1000 });
    const socket = connectTo(address);
    const text = collect(socket);
    socket.pause();
    const body = Buffer.alloc(32 * 1024 * 1024);
    socket.write(post(kind, body.length));
    socket.write(body);
    await pause(300); // A reset by now would have discarded the response.
    socket.resume();
    await once(socket, 'end');
    expect(text()).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
  });

  test('a response before the end of the body reaches a peer that continues sending', async () => {
    const { address } = await serveAs(kind, (_request, response) => void response.writeHead(403).end('no'));
    for (let round = 0; round < 5; round++) {
      const raw = await exchange(kind, address, { method: 'POST', body: Buffer.alloc(2 * 1024 * 1024) });
      expect(readAnswer(raw).status).toBe(403);
    }
  });

  test('a peer that stalls after such a response is not waited for', async () => {
    const { address, server } = await serveAs(kind, (_request, response) => void response.end('enough'), short);
    const socket = connectTo(address);
    socket.allowHalfOpen = true;
    socket.on('error', () => {});
    socket.resume().write(Buffer.concat([post(kind, 10), Buffer.from('12345')]));
    await eventually(async () => expect(await connections(server)).toBe(1));
    await eventually(async () => expect(await connections(server)).toBe(0));
    socket.destroy();
  });

  test('a peer that does not read its response is cut after idle-timeout, one that reads slowly is not', async () => {
    const size = 24 * 1024 * 1024;
    const { address, server, lines } = await serveAs(
      kind,
      (_request, response) => void response.end(Buffer.alloc(size)),
      short,
    );
    const deaf = connectTo(address);
    deaf.on('error', () => {});
    deaf.pause().write(headOf(kind));
    await eventually(async () => expect(await connections(server)).toBe(1));
    await eventually(async () => expect(await connections(server)).toBe(0));
    expect(lines).toMatchObject([{ message: expect.stringContaining('does not read') }]);
    deaf.destroy();
    const slow = connectTo(address);
    slow.write(headOf(kind));
    const raw = await readSlowly(slow, 900);
    expect(readAnswer(raw).body.length).toBe(size);
  });

  test('a response that pauses for long does not time out the peer', async () => {
    const { address } = await serveAs(
      kind,
      (_request, response) => {
        response.writeHead(200, { 'content-length': '6' }).write('one');
        setTimeout(() => response.end('two'), 900);
      },
      short,
    );
    expect(readAnswer(await exchange(kind, address)).body.toString()).toBe('onetwo');
  });

  test('max-connections closes one connection more, and admits another when one ends', async () => {
    const lines: string[] = [];
    const admit = connectionLimit(2, { warn: (_fields, message) => void lines.push(message) });
    const { address } = await serveAs(kind, (_request, response) => void response.end('ok'), { admit });
    const first = connectTo(address);
    const second = connectTo(address);
    await Promise.all([once(first, 'connect'), once(second, 'connect')]);
    for (let round = 0; round < 5; round++) {
      const third = connectTo(address);
      third.on('error', () => {});
      third.resume();
      await once(third, 'close');
    }
    expect(lines).toHaveLength(1);
    first.destroy();
    second.destroy();
    await eventually(async () =>
      expect(await (await exchange(kind, address).catch(() => '')).toString()).toContain('200 OK'),
    );
  });

  test('slow-loris attacks delay no other client', async () => {
    // More than the kernel's buffers hold.
    const large = Buffer.alloc(16 * 1024 * 1024);
    const { address, server } = await serveAs(kind, (request, response) => {
      if (request.url === '/large') response.end(large);
      else request.resume().on('end', () => response.end('ok'));
    });
    const half = headOf(kind).subarray(0, 30);
    const forms = [Buffer.alloc(0), half, post(kind, 10), headOf(kind, { url: '/large' })];
    const idle = Array.from({ length: 400 }, (_, at) => {
      const socket = connectTo(address)
        .on('error', () => {})
        .pause();
      socket.write(forms[at % forms.length] ?? half);
      return socket;
    });
    await eventually(async () => expect(await connections(server)).toBe(400));
    const times = [];
    for (let round = 0; round < 20; round++) {
      const started = performance.now();
      expect(readAnswer(await exchange(kind, address)).status).toBe(200);
      times.push(performance.now() - started);
    }
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(200);
    for (const socket of idle) socket.destroy();
  });
});

/** Reads everything, with a pause after every megabyte, `ms` in total. */
const readSlowly = async (socket: Socket, ms: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let rested = 0;
  for await (const chunk of socket) {
    chunks.push(chunk);
    const length = chunks.reduce((sum, { length }) => sum + length, 0);
    if (length / (4 * 1024 * 1024) > rested + 1) {
      rested++;
      await pause(ms / 6);
    }
  }
  return Buffer.concat(chunks);
};
