/** The same request gets the same response, byte for byte, by HTTP and by uwsgi, direct and through nginx, on TCP and on unix sockets. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { allowedHosts } from '../../../app/listener/allowed-hosts.ts';
import { without } from '../../setup/without.ts';
import { type Address, connectTo, type UwsgiRequestOptions } from '../uwsgi/client.ts';
import type { Family } from '../uwsgi/listener.ts';
import { proxyPass, startNginx, uwsgiPass } from '../uwsgi/nginx.ts';
import { headOf, type Kind, listenAs } from './listener.ts';
import { buildSite, publicDirectory, script, scriptDate } from './site.ts';
import { WireReader } from './wire.ts';

/** `chunked`: the body is sent in chunks over HTTP; nginx decodes them, so over uwsgi it always has a length. */
type Asked = UwsgiRequestOptions & { chunked?: boolean };
const binary = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
const json = { 'Content-Type': 'application/json' };
const table: Record<string, Asked> = {
  'a page': { url: '/' },
  'a page by its room': { url: '/rooms/%E7%8E%84%E9%96%A2' },
  HEAD: { method: 'HEAD', url: '/' },
  'HEAD of a stream': { method: 'HEAD', url: '/stream' },
  OPTIONS: { method: 'OPTIONS', url: '/echo' },
  DELETE: { method: 'DELETE', url: '/echo' },
  'POST of JSON': { method: 'POST', url: '/echo', headers: json, body: '{"a":[1,"ü"]}' },
  'POST of bytes': { method: 'POST', url: '/echo?x=%20', headers: { 'Content-Type': 'x/y' }, body: binary },
  'POST of 3 MB': {
    method: 'POST',
    url: '/echo',
    headers: { 'Content-Type': 'x/y' },
    body: Buffer.alloc(3_000_000, 'g'),
  },
  'POST of nothing': { method: 'POST', url: '/echo', headers: { 'Content-Type': 'x/y' }, body: '' },
  'POST without a type': { method: 'POST', url: '/echo', body: 'x' },
  PUT: { method: 'PUT', url: '/echo', headers: { 'Content-Type': 'text/plain' }, body: 'put' },
  PATCH: { method: 'PATCH', url: '/echo', headers: { 'Content-Type': 'text/plain' }, body: 'patch' },
  'a file': { url: '/js/app.js' },
  'a file, compressed': { url: '/js/app.js', headers: { 'Accept-Encoding': 'gzip' } },
  'a range': { url: '/js/app.js', headers: { Range: 'bytes=5-9' } },
  'a range from the end': { url: '/js/app.js', headers: { Range: 'bytes=-5' } },
  'several ranges': { url: '/js/app.js', headers: { Range: 'bytes=0-1,4-5' } },
  'a range that cannot be': { url: '/js/app.js', headers: { Range: `bytes=${script.length}-` } },
  'a range that is none': { url: '/js/app.js', headers: { Range: 'bytes=x' } },
  'not modified': { url: '/js/app.js', headers: { 'If-Modified-Since': scriptDate } },
  'a missing file': { url: '/js/none.js' },
  cookies: { url: '/headers', headers: { Cookie: 'a=1; b="2"', 'X-Test': 'tab\there' } },
  'cookies that are set': { url: '/cookies' },
  'headers of the client': {
    url: '/headers',
    headers: {
      Accept: 'text/html, */*;q=0.8',
      'User-Agent': 'Ünïcode',
      Referer: 'http://a/b?c#d',
      Authorization: 'Bearer x.y-z',
    },
  },
  'who asks': { url: '/who', headers: { Host: 'meet.example:8080' } },
  'who asks, forged': { url: '/who', headers: { Forwarded: 'for=1.2.3.4;host=evil', 'X-Real-IP': '1.2.3.4' } },
  'a URL with everything': { url: "/echo?a=b&c[]=%C3%A9&d=+&e='(x)'&f=;~!$*,:@/?" },
  'a URL with dots': { url: '/rooms/../echo/./' },
  'a URL with escapes': { url: '/%65cho' },
  'two slashes': { url: '//echo' },
  204: { url: '/status/204' },
  304: { url: '/status/304' },
  201: { url: '/status/201' },
  418: { url: '/status/418' },
  503: { url: '/status/503' },
  'a redirect': { url: '/redirect' },
  'an error': { url: '/fail' },
  'no such route': { url: '/nothing?token=1' },
  'no such method': { method: 'PURGE', url: '/who' },
  'broken JSON': { method: 'POST', url: '/echo', headers: json, body: '{' },
  'no JSON': { method: 'POST', url: '/echo', headers: json, body: '' },
  'more than the app takes': { method: 'POST', url: '/echo', headers: json, body: Buffer.alloc(5_000_000, ' ') },
  'more than the listener takes': { method: 'POST', url: '/echo', headers: json, body: Buffer.alloc(7_000_000, ' ') },
  'an unknown host': { url: '/who', headers: { Host: 'evil.example' } },
  'an answer of 3 MB': { url: '/large' },
  'an empty answer': { url: '/empty' },
  'a stream': { url: '/stream' },
  events: { url: '/events' },
  'a body in chunks': {
    method: 'POST',
    url: '/echo',
    headers: { 'Content-Type': 'x/y' },
    body: 'in three pieces',
    chunked: true,
  },
};

/**
 * What may differ, and why: Date is the time; Connection, Keep-Alive and Transfer-Encoding (with Trailer) are about one connection, and
 * uwsgi's differ. Server is nginx's own. Nothing else may: not the order of headers, not their case.
 */
const perConnection = /^(date|connection|keep-alive|transfer-encoding|server):/i;

/** Status line, headers as received, and the body without chunk encoding. */
type Bytes = { head: string; body: Buffer };

const asHttp = (asked: Asked): Buffer[] => {
  const { body, chunked, ...rest } = asked;
  if (!chunked) return [headOf('http', asked), Buffer.from(body ?? '')];
  const headers = { ...rest.headers, 'Transfer-Encoding': 'chunked' };
  const text = String(body);
  const pieces = [text.slice(0, 5), text.slice(5, 6), text.slice(6)];
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return [headOf('http', { ...rest, headers }), Buffer.from(`${chunks.join('')}0\r\n\r\n`)];
};

const ask = async (kind: Kind, address: Address, asked: Asked): Promise<Bytes> => {
  const socket = connectTo(address);
  socket.on('error', () => {});
  const raw: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => raw.push(chunk));
  const reader = new WireReader(socket);
  const bytes = kind === 'socket' ? [headOf(kind, asked), Buffer.from(asked.body ?? '')] : asHttp(asked);
  for (const part of bytes) socket.write(part);
  const { body } = await reader.next(asked.method);
  const all = Buffer.concat(raw);
  const lines = all.toString('latin1', 0, all.indexOf('\r\n\r\n')).split('\r\n');
  socket.destroy();
  return { head: lines.filter((line) => !perConnection.test(line)).join('\n'), body };
};

type Way = { name: string; kind: Kind; address: Address };

/** Direct requests name the client address as nginx would: it is the same for all. */
const client = {
  http: { 'X-Forwarded-For': '127.0.0.1', 'X-Forwarded-Proto': 'http' },
  vars: { REMOTE_ADDR: '127.0.0.1', REQUEST_SCHEME: 'http' },
};
/** Where nginx finds these; without dots the path is unchanged. */
const pathInfo: Record<string, string> = { '/rooms/../echo/./': '/echo/', '//echo': '/echo' };
const direct = (kind: Kind, asked: Asked): Asked => {
  if (kind !== 'socket') return { ...asked, headers: { ...client.http, ...asked.headers } };
  const path = pathInfo[asked.url ?? ''];
  return { ...asked, vars: path === undefined ? client.vars : { ...client.vars, PATH_INFO: path } };
};

const listeners = async (): Promise<Way[]> => {
  const site = await buildSite(publicDirectory());
  const ways: Way[] = [];
  const limits = { limitPost: 6_000_000, answersFor: allowedHosts(['example.org', 'meet.example']) };
  for (const kind of ['http-socket', 'socket'] as const)
    for (const family of ['tcp', 'unix'] satisfies Family[]) {
      const { server, address } = await listenAs(kind, limits, family);
      site.attach(server);
      ways.push({ name: `--${kind} on ${family}`, kind, address });
    }
  return ways;
};

/** Bodies are compared as bytes, but printed only when they are short. */
const shown = ({ head, body }: Bytes): object =>
  body.length < 2000 ? { head, body: body.toString('latin1') } : { head, length: body.length };

const expectAlike = (asked: string, first: Bytes, other: Bytes, way: string) => {
  expect({ asked, way, ...shown(other) }).toEqual({ asked, way, ...shown(first) });
  expect(other.body.equals(first.body)).toBe(true);
};

describe('a response is the same byte for byte', () => {
  test('direct, over TCP and unix sockets', async () => {
    const ways = await listeners();
    for (const [name, asked] of Object.entries(table)) {
      const answers = await Promise.all(ways.map(({ kind, address }) => ask(kind, address, direct(kind, asked))));
      const [first] = answers;
      if (!first) throw new Error('no way');
      for (const [at, answer] of answers.entries()) expectAlike(name, first, answer, ways[at]?.name ?? '');
    }
  });

  test.skipIf(without('nginx')).each([true, false])(
    'through nginx by uwsgi_pass and proxy_pass, buffering: %s',
    async (buffering) => {
      const ways = await listeners();
      const ports: number[] = [];
      for (const { kind, address } of ways) {
        const pass = kind === 'socket' ? uwsgiPass(address, buffering) : proxyPass(address, buffering);
        ports.push(await startNginx(`location / {${pass}}`));
      }
      for (const [name, asked] of Object.entries(table)) {
        const answers = [];
        for (const port of ports) answers.push(await ask('http', port, asked));
        const [first] = answers;
        if (!first) throw new Error('no way');
        for (const [at, answer] of answers.entries()) expectAlike(name, first, answer, ways[at]?.name ?? '');
      }
    },
  );
});

test('a stream is forwarded piece by piece, over every listener', async () => {
  const site = await buildSite(publicDirectory());
  for (const kind of ['http-socket', 'socket'] as const) {
    const { server, address } = await listenAs(kind);
    const go = Promise.withResolvers<void>();
    server.on('request', async (_request, response) => {
      response.write('first');
      await go.promise;
      response.end('last');
    });
    const socket = connectTo(address);
    socket.write(headOf(kind));
    const [piece]: Buffer[] = await once(socket, 'data');
    expect(piece?.toString()).toContain('first');
    go.resolve();
    await once(socket.resume(), 'close');
  }
  expect(site.seen).toEqual([]);
});
