/** The uwsgi listener judged by a real nginx with uwsgi_pass in front of it, on TCP and on a unix socket. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Address, connectTo, readAnswer } from './client.ts';
import { buildApp, countingText, type Family, listen, listenWith } from './listener.ts';

const installed = spawnSync('nginx', ['-v']).status === 0;
/** Then nginx would give its worker to "nobody", who may not enter the directory of our socket. */
const runsAsRoot = process.getuid?.() === 0;
const families: Family[] = ['tcp', 'unix'];

type Answer = { status: number; headers: IncomingMessage['headers']; body: Buffer };

/** What nginx sends for every request; the stock uwsgi_params, without those nobody reads. */
const params = {
  QUERY_STRING: '$query_string',
  REQUEST_METHOD: '$request_method',
  CONTENT_TYPE: '$content_type',
  CONTENT_LENGTH: '$content_length',
  REQUEST_URI: '$request_uri',
  PATH_INFO: '$document_uri',
  SERVER_PROTOCOL: '$server_protocol',
  REQUEST_SCHEME: '$scheme',
  REMOTE_ADDR: '$remote_addr',
  REMOTE_PORT: '$remote_port',
  SERVER_PORT: '$server_port',
  SERVER_NAME: '$server_name',
};

const configuration = (port: number, upstream: Address, buffering: boolean): string => `
daemon off;
${runsAsRoot ? 'user root;' : ''}
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body; uwsgi_temp_path uwsgi; proxy_temp_path proxy; fastcgi_temp_path fastcgi; scgi_temp_path scgi;
  client_max_body_size 64m;
  server {
    listen 127.0.0.1:${port};
    location / {
${Object.entries(params)
  .map(([name, value]) => `      uwsgi_param ${name} ${value};`)
  .join('\n')}
      uwsgi_pass ${typeof upstream === 'number' ? `127.0.0.1:${upstream}` : `unix:${upstream}`};
      uwsgi_request_buffering ${buffering ? 'on' : 'off'};
      uwsgi_buffering ${buffering ? 'on' : 'off'};
      uwsgi_read_timeout 20s;
    }
  }
}
`;

/** A port nobody listens on now; nginx cannot be told to choose one. */
const freePort = async (): Promise<number> => {
  const server: Server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

/** Starts nginx in a directory of its own in front of `upstream`, until the test is over; gives its port. */
const startNginx = async (upstream: Address, buffering = true): Promise<number> => {
  const prefix = mkdtempSync(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  writeFileSync(join(prefix, 'nginx.conf'), configuration(port, upstream, buffering));
  const nginx = spawn('nginx', ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  nginx.stderr.on('data', (text: Buffer) => {
    complaints += text;
  });
  onTestFinished(async () => {
    await stop(nginx);
    rmSync(prefix, { recursive: true, force: true });
  });
  await expect.poll(() => accepts(port), { timeout: 10_000, message: complaints }).toBe(true);
  return port;
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

const ask = async (port: number, path: string, options: RequestOptions = {}, body?: Buffer[]): Promise<Answer> => {
  const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options });
  const answered = once(outgoing, 'response');
  for (const chunk of body ?? []) outgoing.write(chunk);
  outgoing.end();
  const [answer]: IncomingMessage[] = await answered;
  if (answer === undefined) throw new Error('no answer');
  const chunks: Buffer[] = await answer.toArray();
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
};

describe.skipIf(!installed)('behind nginx (skipped when nginx is not installed)', () => {
  describe.each(families)('with uwsgi_pass on %s', (family) => {
    const start = async (buffering = true): Promise<number> => {
      const listener = await listen(family);
      await buildApp(listener);
      return startNginx(listener.address, buffering);
    };

    test('GET, HEAD, 204, 304, 404 and who the client is', async () => {
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

    test('repeated cookies', async () => {
      const port = await start();
      const headers = ['Host', 'a', 'Cookie', 'a=1', 'Cookie', 'b=2'];
      const { body } = await ask(port, '/cookies', { headers });
      expect(JSON.parse(body.toString())).toEqual({ cookie: 'a=1; b=2' });
    });

    test.each([true, false])('a chunked upload and one of 1 MB, buffering: %s', async (buffering) => {
      const port = await start(buffering);
      const post = { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' } };
      const parts = [Buffer.from('one '), Buffer.from('two '), Buffer.from('three')];
      expect((await ask(port, '/echo', post, parts)).body.toString()).toBe('one two three');
      const large = Buffer.alloc(1024 * 1024, 'genkan');
      const known = { ...post, headers: { ...post.headers, 'Content-Length': large.length } };
      expect((await ask(port, '/echo', known, [large])).body.equals(large)).toBe(true);
    });

    test.each([true, false])('a streamed answer, buffering: %s', async (buffering) => {
      const port = await start(buffering);
      const { status, body } = await ask(port, '/stream');
      expect([status, body.toString()]).toEqual([200, countingText]);
    });

    test.each([true, false])('an upload that is too large is told so, buffering: %s', async (buffering) => {
      const { address } = await listen(family, { limitPost: 1000 });
      const port = await startNginx(address, buffering);
      const body = Buffer.alloc(5 * 1024 * 1024);
      const socket = connectTo(port);
      const chunks: Buffer[] = [];
      socket.on('error', () => {}); // nginx may answer and close before it has read everything.
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
      await once(socket, 'close');
      const { status, body: answer } = readAnswer(Buffer.concat(chunks));
      expect([status, JSON.parse(answer.toString()).code]).toEqual([413, 'body-too-large']);
    });

    test('a client that goes away is gone for the handler too', async () => {
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
      const port = await startNginx(address);
      const socket = connectTo(port);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await begun.promise;
      socket.destroy();
      await aborted.promise;
    });

    test('a WebSocket: 1000 messages both ways', async () => {
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

    test('a WebSocket to a path that has none is refused', async () => {
      const port = await start();
      const socket = new WebSocket(`ws://127.0.0.1:${port}/nowhere`);
      const [error]: Error[] = await once(socket, 'error');
      expect(error?.message).toContain('404');
    });
  });
});
