/** A Fastify app with the real page and routes of every kind, for tests that the same request gets the same response on every listener. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { pages } from '../../../app/web/pages.ts';
import { securityHeaders } from '../../../app/web/security-headers.ts';
import { atEnd } from '../uwsgi/finish.ts';

/** A file below /js whose bytes show their position. */
export const script = `// ${Array.from({ length: 2000 }, (_, at) => at).join(' ')}\n`;
export const scriptDate = 'Wed, 01 Jan 2025 00:00:00 GMT';

/** index.html, js/app.js and its .gz, until the test is over. */
export const publicDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-public-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'js'));
  const files: [string, string | Buffer][] = [
    ['index.html', '<!doctype html><title>玄関</title>'],
    ['js/app.js', script],
    ['js/app.js.gz', gzipSync(script)],
  ];
  for (const [name, content] of files) {
    writeFileSync(join(directory, name), content);
    utimesSync(join(directory, name), new Date(scriptDate), new Date(scriptDate));
  }
  return directory;
};

/** `seen`: method and URL of every request that reached a route, in order. */
export type Site = { app: FastifyInstance; seen: string[]; attach(server: Server): void };

export const buildSite = async (publicDir: string): Promise<Site> => {
  const seen: string[] = [];
  const app = fastify({ trustProxy: (_address, hop) => hop === 0, bodyLimit: 4 * 1024 * 1024 });
  app.addHook('onRequest', async ({ method, url }, reply) => {
    seen.push(`${method} ${url}`);
    reply.headers(securityHeaders);
  });
  await app.register(pages, { publicDir, staticMaps: [] });
  routes(app);
  await app.ready();
  atEnd(() => app.close());
  const attach = (server: Server) =>
    void server.on('request', (request, response) => app.server.emit('request', request, response));
  return { app, seen, attach };
};

const routes = (app: FastifyInstance): void => {
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.all('/echo', ({ method, url, body, headers }, reply) => {
    reply.header('x-seen', `${method} ${url} ${headers['content-type'] ?? '-'}`);
    const content = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body ?? null);
    return reply.type('application/octet-stream').send(content);
  });
  app.get('/who', ({ ip, protocol, host, hostname }) => ({ ip, protocol, host, hostname }));
  app.get('/headers', ({ headers }) =>
    Object.entries(headers).filter(([name]) => /^(cookie|accept|x-test|user-agent|referer|authorization)/.test(name)),
  );
  app.get('/cookies', (_request, reply) =>
    reply.header('set-cookie', ['a=1; Path=/', 'b=2; HttpOnly']).header('vary', ['accept', 'origin']).send('set'),
  );
  app.get<{ Params: { code: string } }>('/status/:code', ({ params }, reply) => reply.code(Number(params.code)).send());
  app.get('/redirect', (_request, reply) => reply.redirect('/elsewhere?a=1', 302));
  app.get('/fail', () => {
    throw new Error('on purpose');
  });
  app.get('/large', () => Buffer.alloc(3 * 1024 * 1024, 'genkan'));
  app.get('/empty', (_request, reply) => reply.send(''));
  app.get<{ Params: { ms: string } }>('/late/:ms', async ({ params: { ms } }) => {
    await new Promise((resolve) => setTimeout(resolve, Number(ms)));
    return ms;
  });
  app.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(lines(), { objectMode: false })));
  app.get('/events', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let at = 0; at < 5; at++) reply.raw.write(`data: ${at}\n\n`);
    reply.raw.end();
  });
};

async function* lines(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < 50; at++) {
    if (at % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    yield Buffer.from(`line ${at}\n`);
  }
}
