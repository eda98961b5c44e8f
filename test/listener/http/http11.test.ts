/** HTTP/1.1: standalone, and end to end through the shipped nginx configuration. */
import { describe, expect, test } from 'vitest';
import { allowedHosts } from '../../../app/listener/allowed-hosts.ts';
import { startNginx } from '../../nginx/nginx.ts';
import { without } from '../../setup/without.ts';
import { connectTo } from '../uwsgi/client.ts';
import { atEnd, eventually } from '../uwsgi/finish.ts';
import { connections } from '../uwsgi/listener.ts';
import { listenAs, type Options } from './listener.ts';
import { odd } from './odd-requests.ts';
import { buildSite, publicDirectory, script, scriptDate } from './site.ts';
import { header, WireReader } from './wire.ts';

/** How a browser reaches the app. */
const ways = ['standalone', 'nginx by uwsgi', 'nginx by HTTP'] as const;
type Way = (typeof ways)[number];

const start = async (way: Way, options: Options = {}) => {
  const publicDir = publicDirectory();
  const site = await buildSite(publicDir);
  const kind = way === 'standalone' ? 'http' : way === 'nginx by uwsgi' ? 'socket' : 'http-socket';
  const { address, server, lines } = await listenAs(kind, options);
  site.attach(server);
  if (way === 'standalone') return { port: Number(address), server, site, lines };
  const protocol = kind === 'socket' ? 'uwsgi' : 'http';
  const nginx = await startNginx({ app: { kind: protocol, address: `127.0.0.1:${address}` }, publicDir });
  atEnd(() => nginx.stop());
  return { port: nginx.port, server, site, lines };
};

/** One connection; a request is written at once, the responses are read in order. */
const talk = (port: number) => {
  const socket = connectTo(port);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  const reader = new WireReader(socket);
  const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const lines = Object.entries({ Host: 'meet.example', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return reader.next(method);
  };
  return { socket, reader, ask };
};

// Not concurrently: between finding a free port and nginx binding it another test might get it.
describe.each(ways)('%s', (way) => {
  describe.skipIf(way !== 'standalone' && without('nginx'))('', () => {
    test('one connection serves many requests', async () => {
      const { port, server } = await start(way);
      const { ask, socket } = talk(port);
      for (const path of ['/who', '/', '/js/app.js', '/nothing', '/empty', '/stream', '/status/204', '/cookies']) {
        const answer = await ask(path);
        expect([path, answer.version]).toEqual([path, 'HTTP/1.1']);
        expect(header(answer, 'connection')).not.toBe('close');
      }
      if (way === 'standalone') expect(await connections(server)).toBe(1);
      expect((await ask('/who', { Connection: 'close' })).status).toBe(200);
      await eventually(() => expect(socket.readyState).not.toBe('open'));
    });

    test('HTTP/1.0 gets one response without chunks', async () => {
      const { port } = await start(way);
      const { socket, reader } = talk(port);
      socket.write('GET /stream HTTP/1.0\r\nHost: meet.example\r\n\r\n');
      const answer = await reader.next();
      expect(header(answer, 'transfer-encoding')).toBeUndefined();
      expect(answer.body.toString()).toMatch(/^line 0\n.*line 49\n$/s);
      expect(await reader.rest()).toBe('');
    });

    test('pipelined requests are answered in order, a slow one first', async () => {
      const { port, site } = await start(way);
      const { socket, reader } = talk(port);
      const waits = [120, 5, 60, 0, 30, 1, 90, 2];
      const request = (ms: number) => `GET /late/${ms} HTTP/1.1\r\nHost: meet.example\r\n\r\n`;
      socket.write(`${waits.map(request).join('')}POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlast`);
      const bodies: string[] = [];
      for (let at = 0; at <= waits.length; at++) bodies.push((await reader.next()).body.toString());
      expect(bodies).toEqual([...waits.map(String), 'last']);
      expect(site.seen).toHaveLength(waits.length + 1);
      socket.destroy();
    });

    test('a range returns the exact bytes', async () => {
      const { port } = await start(way);
      const { ask, socket } = talk(port);
      const last = script.length - 1;
      for (const [range, from, to] of [
        ['bytes=0-0', 0, 0],
        ['bytes=5-9', 5, 9],
        ['bytes=100-', 100, last],
        ['bytes=-7', last - 6, last],
        [`bytes=${last}-${last + 1000}`, last, last],
      ] as const) {
        const answer = await ask('/js/app.js', { Range: range });
        const expected = [range, 206, `bytes ${from}-${to}/${script.length}`, script.slice(from, to + 1)];
        expect([range, answer.status, header(answer, 'content-range'), answer.body.toString()]).toEqual(expected);
      }
      socket.destroy();
    });

    test('several ranges return their exact bytes, or the whole file', async () => {
      const { port } = await start(way);
      const { ask, socket } = talk(port);
      const answer = await ask('/js/app.js', { Range: 'bytes=0-4,10-14,-3' });
      if (answer.status === 200) expect(answer.body.toString()).toBe(script);
      else {
        expect(answer.status).toBe(206);
        const boundary = /multipart\/byteranges; ?boundary=(.+)$/.exec(header(answer, 'content-type') ?? '')?.[1];
        const parts = answer.body.toString().split(`--${boundary}`).slice(1, -1);
        const bodies = parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2));
        expect(bodies).toEqual([script.slice(0, 5), script.slice(10, 15), script.slice(-3)]);
      }
      socket.destroy();
    });

    test('an unsatisfiable range returns 416, an invalid one the whole file', async () => {
      const { port } = await start(way);
      const { ask, socket } = talk(port);
      const beyond = await ask('/js/app.js', { Range: `bytes=${script.length}-` });
      expect([beyond.status, header(beyond, 'content-range')]).toEqual([416, `bytes */${script.length}`]);
      const unknown = await ask('/js/app.js', { Range: 'lines=1-2' });
      expect([unknown.status, unknown.body.toString()]).toEqual([200, script]);
      for (const range of ['bytes=b-a', 'bytes=5-1']) {
        const broken = await ask('/js/app.js', { Range: range });
        if (broken.status === 200) expect(broken.body.toString()).toBe(script);
        else expect([range, broken.status]).toEqual([range, 416]);
      }
      socket.destroy();
    });

    test('conditional requests: ETag, Last-Modified, If-Range', async () => {
      const { port } = await start(way);
      const { ask, socket } = talk(port);
      const whole = await ask('/js/app.js');
      const etag = header(whole, 'etag') ?? '';
      expect(etag).toMatch(/^(W\/)?".+"$/);
      expect(header(whole, 'last-modified')).toBe(scriptDate);
      for (const headers of [
        { 'If-None-Match': etag },
        { 'If-None-Match': `"other", ${etag}` },
        { 'If-None-Match': '*' },
        { 'If-Modified-Since': scriptDate },
      ]) {
        const answer = await ask('/js/app.js', headers);
        expect([headers, answer.status, answer.body.length]).toEqual([headers, 304, 0]);
      }
      for (const headers of [
        { 'If-None-Match': '"other"' },
        { 'If-Modified-Since': 'Tue, 31 Dec 2024 23:59:59 GMT' },
        { Range: 'bytes=0-4', 'If-Range': '"other"' },
      ]) {
        const answer = await ask('/js/app.js', headers);
        expect([headers, answer.status, answer.body.length]).toEqual([headers, 200, script.length]);
      }
      const since = await ask('/js/app.js', { Range: 'bytes=0-4', 'If-Range': scriptDate });
      expect([since.status, since.body.toString()]).toEqual([206, script.slice(0, 5)]);
      socket.destroy();
    });

    test('HEAD returns the headers of GET without a body, and compressed responses are marked', async () => {
      const { port } = await start(way);
      const { ask, socket } = talk(port);
      const head = await ask('/js/app.js', {}, 'HEAD');
      expect([head.status, header(head, 'content-length')]).toEqual([200, String(script.length)]);
      const packed = await ask('/js/app.js', { 'Accept-Encoding': 'gzip' });
      expect(header(packed, 'content-encoding')).toBe('gzip');
      expect(header(packed, 'vary')?.toLowerCase()).toBe('accept-encoding');
      socket.destroy();
    });

    test('allowed hosts are served, others get 421', async () => {
      const { port } = await start(way, { answersFor: allowedHosts(['meet.example', '*.rooms.example']) });
      const { ask, socket } = talk(port);
      const status = async (host: string) => (await ask('/who', { Host: host, Connection: 'keep-alive' })).status;
      expect(await status('meet.example')).toBe(200);
      expect(await status(`a.rooms.example:${port}`)).toBe(200);
      expect(await status('evil.example')).toBe(421);
      socket.destroy();
    });

    test('Expect: 100-continue is answered', async () => {
      const { port } = await start(way);
      const { socket, reader } = talk(port);
      socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
      await eventually(() => expect(socket.bytesRead).toBeGreaterThan(0));
      socket.write('hello');
      expect((await reader.next('POST')).body.toString()).toBe('hello');
      socket.destroy();
    });

    test.each(odd)('is refused, or parsed unambiguously: %s', async (name, bytes) => {
      const { port, site } = await start(way);
      const { socket, reader } = talk(port);
      socket.end(bytes);
      const answer = await reader.next().catch((error: Error) => error);
      // nginx repairs some of these (LF, folded headers, lengths with chunks); what the app receives counts.
      const strict = way === 'standalone';
      const status = answer instanceof Error ? 'closed' : answer.status;
      if (strict) expect([name, status]).toEqual([name, 400]);
      else expect(['closed', 200, 400, 405, 411, 501, 505]).toContain(status);
      expect(site.seen.filter((line) => line.includes('smuggled'))).toEqual([]);
      expect(site.seen.length).toBeLessThanOrEqual(1);
    });
  });
});

describe('standalone, by itself', () => {
  test('a malformed request after valid ones gets 400 after their responses, and ends the connection', async () => {
    const { port, site } = await start('standalone');
    const { socket, reader } = talk(port);
    const good = 'GET /late/80 HTTP/1.1\r\nHost: a\r\n\r\nGET /late/1 HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.write(`${good}BROKEN\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([(await reader.next()).body.toString(), (await reader.next()).body.toString()]).toEqual(['80', '1']);
    const refused = await reader.next();
    expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([400, 'bad-request']);
    expect(await reader.rest()).toBe('');
    expect(site.seen).toHaveLength(2);
  });

  test('a request after a refusal is not served', async () => {
    const { port, site } = await start('standalone', { limitPost: 10 });
    const { socket, reader } = talk(port);
    const body = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.write(`POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${body}`);
    expect((await reader.next()).status).toBe(413);
    expect(await reader.rest()).toBe('');
    expect(site.seen).toEqual([]);
  });

  test('a request to upgrade to h2c is served as a plain request, with its body', async () => {
    const { port, server } = await start('standalone');
    server.on('upgrade', () => expect.unreachable());
    const { socket, reader } = talk(port);
    const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    socket.write(`POST /echo HTTP/1.1\r\nHost: a\r\n${offer}Content-Length: 5\r\n\r\nhello`);
    expect((await reader.next()).body.toString()).toBe('hello');
    socket.destroy();
  });

  test('an absolute URL is reduced to its path', async () => {
    const { port, site } = await start('standalone');
    const { socket, reader } = talk(port);
    socket.write('GET http://meet.example/who?a HTTP/1.1\r\nHost: meet.example\r\n\r\n');
    expect((await reader.next()).status).toBe(200);
    expect(site.seen).toEqual(['GET /who?a']);
    socket.destroy();
  });

  test('HTTP/1.0 needs no Host, and may have more headers than node:http counts', async () => {
    const { port, site } = await start('standalone');
    const { socket, reader } = talk(port);
    const many = Array.from({ length: 2500 }, (_, at) => `x-${at}: 1\r\n`).join('');
    socket.write(`GET /headers HTTP/1.0\r\n${many}X-Test: last\r\n\r\n`);
    expect((await reader.next()).body.toString()).toBe('[["x-test","last"]]');
    expect(site.seen).toHaveLength(1);
  });

  test('a connection that waits too long for its next request is closed', async () => {
    const { port } = await start('standalone', { keepAliveTimeout: 100 });
    const { ask, reader } = talk(port);
    await ask('/who');
    const started = performance.now();
    expect(await reader.rest()).toBe('');
    // node:http adds a second, so that a request in flight is not cut.
    expect(performance.now() - started).toBeLessThan(4000);
  });
});
