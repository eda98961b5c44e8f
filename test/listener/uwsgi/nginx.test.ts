/** The uwsgi listener behind a real nginx with uwsgi_pass, on TCP and on a unix socket. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { without } from '../../setup/without.ts';
import { connectTo, readAnswer } from './client.ts';
import { buildApp, countingText, type Family, listen, listenWith } from './listener.ts';
import { ask, startNginx, uwsgiPass } from './nginx.ts';

const families: Family[] = ['tcp', 'unix'];

describe.skipIf(without('nginx'))('behind nginx (skipped when nginx is not installed)', () => {
  describe.each(families)('with uwsgi_pass on %s', (family) => {
    const start = async (buffering = true): Promise<number> => {
      const listener = await listen(family);
      await buildApp(listener);
      return startNginx(`location / {${uwsgiPass(listener.address, buffering)}}`);
    };

    test('GET, HEAD, 204, 304, 404 and the client address are passed on', async () => {
      const port = await start();
      const headers = { Host: 'rooms.example', 'X-Forwarded-For': '198.51.100.1', Forwarded: 'for=198.51.100.1' };
      const who = await ask(port, '/who', { headers });
      expect(JSON.parse(who.body.toString())).toEqual({ ip: '127.0.0.1', protocol: 'http', host: 'rooms.example' });
      const head = await ask(port, '/who', { method: 'HEAD', headers });
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
        200,
        String(who.body.length),
        0,
      ]);
      const none = await ask(port, '/none');
      expect([none.status, none.body.length]).toEqual([204, 0]);
      const unchanged = await ask(port, '/unchanged');
      expect([unchanged.status, unchanged.headers.etag, unchanged.body.length]).toEqual([304, '"1"', 0]);
      expect((await ask(port, '/nowhere')).status).toBe(404);
    });

    test('repeated cookies are joined', async () => {
      const port = await start();
      const headers = ['Host', 'a', 'Cookie', 'a=1', 'Cookie', 'b=2'];
      const { body } = await ask(port, '/cookies', { headers });
      expect(JSON.parse(body.toString())).toEqual({ cookie: 'a=1; b=2' });
    });

    test.each([true, false])('a chunked upload and one of 1 MB arrive, buffering: %s', async (buffering) => {
      const port = await start(buffering);
      const post = { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' } };
      const parts = [Buffer.from('one '), Buffer.from('two '), Buffer.from('three')];
      expect((await ask(port, '/echo', post, parts)).body.toString()).toBe('one two three');
      const large = Buffer.alloc(1024 * 1024, 'genkan');
      const known = { ...post, headers: { ...post.headers, 'Content-Length': large.length } };
      expect((await ask(port, '/echo', known, [large])).body.equals(large)).toBe(true);
    });

    test.each([true, false])('a streamed response arrives, buffering: %s', async (buffering) => {
      const port = await start(buffering);
      const { status, body } = await ask(port, '/stream');
      expect([status, body.toString()]).toEqual([200, countingText]);
    });

    test.each([true, false])('an upload that is too large gets 413, buffering: %s', async (buffering) => {
      const { address } = await listen(family, { limitPost: 1000 });
      const port = await startNginx(`location / {${uwsgiPass(address, buffering)}}`);
      const body = Buffer.alloc(5 * 1024 * 1024);
      const socket = connectTo(port);
      const chunks: Buffer[] = [];
      socket.on('error', () => {}); // nginx may respond and close before it has read everything.
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
      await once(socket, 'close');
      const { status, body: answer } = readAnswer(Buffer.concat(chunks));
      expect([status, JSON.parse(answer.toString()).code]).toEqual([413, 'body-too-large']);
    });

    test('a client that disconnects aborts the request', async () => {
      const begun = Promise.withResolvers<void>();
      const aborted = Promise.withResolvers<void>();
      const { address } = await listenWith(
        (incoming) => {
          incoming.on('aborted', aborted.resolve);
          begun.resolve();
        },
        {},
        family,
      );
      const port = await startNginx(`location / {${uwsgiPass(address)}}`);
      const socket = connectTo(port);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await begun.promise;
      socket.destroy();
      await aborted.promise;
    });

    test('a WebSocket carries 1000 messages both ways', async () => {
      const port = await start();
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
      await once(socket, 'open');
      const received: string[] = [];
      const all = Promise.withResolvers<void>();
      socket.on('message', (data) => {
        if (received.push(data.toString()) === 1000) all.resolve();
      });
      const sent = Array.from({ length: 1000 }, (_, at) => `${at} ${'x'.repeat(at)}`);
      for (const text of sent) socket.send(text);
      await all.promise;
      expect(received).toEqual(sent);
      socket.close(1000);
      const [code] = await once(socket, 'close');
      expect(code).toBe(1000);
    });

    test('a WebSocket to another path is refused', async () => {
      const port = await start();
      const socket = new WebSocket(`ws://127.0.0.1:${port}/nowhere`);
      const [error]: Error[] = await once(socket, 'error');
      expect(error?.message).toContain('404');
    });
  });
});
