/** The shipped nginx configuration, run by a real nginx in front of a stand-in for the app that answers with what it was told. */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Files } from '../../app/nginx/situation.ts';
import { nginxFiles } from '../../app/ops/nginx.ts';
import { without } from '../setup/without.ts';
import { ask, expectSecurityHeadersOnce, firstBytes, hold, toldTo } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { freePort, type Nginx, prepare, shipped, startNginx, testConfiguration } from './nginx.ts';

const deploy = join(shipped, '../deploy');
const missing = without('nginx');
const kinds = ['uwsgi', 'http'] as const;
const bundle = 'export const hello = 1;\n'.repeat(50);

/** Headers of ours that a client might forge; each must reach the app as nginx sees it, or not at all. */
const forged = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Prefix': '/rooms',
  'X-Real-IP': '6.6.6.6',
  'X-Request-Id': 'forged',
  Forwarded: 'for=6.6.6.6',
  Proxy: 'http://6.6.6.6',
};

const floorVersion = ['--nginx-version', '1.22.0'];
const filesOf = (...words: string[]): Files => {
  const found = nginxFiles([...floorVersion, ...words], {});
  if ('faults' in found) throw new Error(found.faults.join('; '));
  return found.files;
};

/** What compose mounts as snippets/genkan-app.conf, and the words that write it. */
const mounted = {
  'app-uwsgi.conf': ['--upstream', 'app:3031', '--resolver', '127.0.0.11'],
  'app-http.conf': ['--protocol', 'http', '--upstream', 'app:9090', '--resolver', '127.0.0.11'],
  'app-unix.conf': ['--upstream', '/run/genkan/genkan.sock'],
};

describe('what is shipped is what the command writes (vitest -u writes it anew)', () => {
  test('nginx/: the defaults', async () => {
    const files = filesOf();
    const there = (await configurations(shipped)).map((file) => relative(shipped, file));
    expect(there.sort()).toEqual([...files.keys()].sort());
    for (const [path, text] of files) await expect(text).toMatchFileSnapshot(join(shipped, path));
  });

  test('deploy/nginx/: the compose files’ ways to reach the app', async () => {
    expect((await readdir(join(deploy, 'nginx'))).sort()).toEqual(Object.keys(mounted).sort());
    for (const [file, words] of Object.entries(mounted)) {
      const text = filesOf(...words).get('snippets/genkan-app.conf');
      await expect(text).toMatchFileSnapshot(join(deploy, 'nginx', file));
    }
  });
});

describe.skipIf(missing)('the configuration is sound', () => {
  const port = 8080;

  test.each(Object.keys(mounted))('with what compose mounts: %s', async (file) => {
    const prefix = await prepare({ app: { kind: 'uwsgi', address: '127.0.0.1:3031' }, port });
    await cp(join(deploy, 'nginx', file), join(prefix, 'snippets/genkan-app.conf'));
    await expectSound(prefix);
  });

  test('copied beside a site that exists', async () => {
    const sites = () => `server { listen 127.0.0.1:${port} default_server; server_name other.example; root /var/www; }`;
    await expectSound(await prepare({ app: { kind: 'uwsgi', address: '127.0.0.1:3031' }, port, sites }));
  });
});

describe.skipIf(missing).each(kinds)('in front of the app, by %s', (kind) => {
  let app: Backend;
  let nginx: Nginx;
  let publicDir: string;
  let closed: string;

  beforeAll(async () => {
    publicDir = await mkdtemp(join(tmpdir(), 'genkan-public-'));
    await mkdir(join(publicDir, 'js'));
    await writeFile(join(publicDir, 'js/page-0a1b2c3d.js'), bundle);
    await writeFile(join(publicDir, 'js/page-0a1b2c3d.js.gz'), gzipSync(bundle));
    await writeFile(join(publicDir, 'js/page-0a1b2c3d.css'), 'body{}');
    await writeFile(join(publicDir, 'js/genkan.js'), bundle);
    await writeFile(join(publicDir, 'js/genkan.d.ts'), 'export {}');
    app = await startBackend(kind);
    closed = join(publicDir, 'closed');
    nginx = await startNginx({ app: { kind, address: app.address }, publicDir, words: ['--maintenance-file', closed] });
  });
  afterAll(async () => {
    await nginx.stop();
    await app.stop();
    await rm(publicDir, { recursive: true });
  });

  test('a bundle comes from disk, to be kept for ever', async () => {
    const answer = await ask(nginx, '/js/page-0a1b2c3d.js');
    expect(answer).toMatchObject({ status: 200, body: bundle });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/javascript',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'Accept-Encoding',
    });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect((await ask(nginx, '/js/page-0a1b2c3d.css')).headers['content-type']).toBe('text/css');
  });

  test('the library keeps its name, is asked for again each time, and may be imported by other sites', async () => {
    const forAll = { 'cache-control': 'no-cache', 'access-control-allow-origin': '*' };
    const library = await ask(nginx, '/js/genkan.js');
    expect(library.headers).toMatchObject({ 'content-type': 'text/javascript', ...forAll });
    const same = { 'If-None-Match': String(library.headers.etag) };
    expect((await ask(nginx, '/js/genkan.js', { headers: same })).status).toBe(304);
    expect((await ask(nginx, '/js/genkan.d.ts')).headers).toMatchObject({ 'content-type': 'text/plain', ...forAll });
  });

  test('the packed copy goes to who can read it', async () => {
    const { headers } = await ask(nginx, '/js/page-0a1b2c3d.js', { headers: { 'Accept-Encoding': 'br, gzip' } });
    expect(headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-type': 'text/javascript',
      'content-length': String(gzipSync(bundle).length),
    });
  });

  test('a part of a bundle, and one that the browser has already', async () => {
    const part = await ask(nginx, '/js/page-0a1b2c3d.js', { headers: { Range: 'bytes=0-5' } });
    expect(part).toMatchObject({ status: 206, body: 'export' });
    const same = { 'If-None-Match': String(part.headers.etag) };
    expect((await ask(nginx, '/js/page-0a1b2c3d.js', { headers: same })).status).toBe(304);
  });

  test('a bundle that is missing is a 404 that nobody keeps, and the app is not asked', async () => {
    const before = app.count();
    const answer = await ask(nginx, '/js/page-00000000.js');
    expect(answer.status).toBe(404);
    expect(answer.headers['cache-control']).toBeUndefined();
    expect(app.count()).toBe(before);
  });

  test.each(['/healthz', '/readyz', '/metrics', '/stats', '/healthz/', '//healthz', '/%68ealthz', '/x/../stats?a=1'])(
    'what is for the operator is not there: %s',
    async (path) => {
      const before = app.count();
      expect((await ask(nginx, path)).status).toBe(404);
      expect(app.count()).toBe(before);
    },
  );

  test.each([
    ['a page', '/', 200],
    ['a room', '/rooms/x', 200],
    ['an event', '/rooms/x/events?after=1&wait=5', 200],
    ['a bundle', '/js/page-0a1b2c3d.js', 200],
    ['a missing bundle', '/js/nothing.js', 404],
    ['a private path', '/healthz', 404],
  ])('every security header once: %s', async (_what, path, status) => {
    const answer = await ask(nginx, path);
    expect(answer.status).toBe(status);
    expectSecurityHeadersOnce(answer);
  });

  test('a body over the limit is refused, with the security headers', async () => {
    const answer = await ask(nginx, '/rooms/x/messages', { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) });
    expect(answer.status).toBe(413);
    expectSecurityHeadersOnce(answer);
  });

  test('the app learns of the request as the client wrote it', async () => {
    const told = await toldTo(nginx, '/rooms/a%2Fb/../c%20d?x=%31', { headers: { Host: 'meet.example:8080' } });
    expect(told).toMatchObject({ method: 'GET', url: '/rooms/a%2Fb/../c%20d?x=%31', host: 'meet.example:8080' });
  });

  test('a client cannot forge its address', async () => {
    const told = await toldTo(nginx, '/', { headers: { Host: 'meet.example', ...forged } });
    expect(told).toMatchObject({
      forwardedFor: '127.0.0.1',
      forwardedProto: 'http',
      forwardedHost: 'meet.example',
      realIp: '127.0.0.1',
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(told).not.toHaveProperty('forwarded');
    expect(told).not.toHaveProperty('proxy');
    expect(told).not.toHaveProperty('forwardedPrefix');
    expect(JSON.stringify(told)).not.toContain('6.6.6.6');
    // The same id stands in nginx's log.
    await expect.poll(nginx.logs).toContain(`"id":"${told.requestId}"`);
  });

  test('a chunked body arrives whole, with its length', async () => {
    const told = await toldTo(nginx, '/rooms/x/messages', {
      method: 'POST',
      headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' },
      body: '[1,2,3]',
    });
    expect(told).toMatchObject({ method: 'POST', body: '[1,2,3]', length: '7', type: 'application/json' });
    expect(told).not.toHaveProperty('transferEncoding');
  });

  test('events go out as they come', async () => {
    expect(await firstBytes(nginx, '/rooms/x/slow')).toBe('data: first\n\n');
  });

  test('what is said in a query stays out of the log', async () => {
    await ask(nginx, '/rooms/x?token=secret-of-mine');
    await expect.poll(nginx.logs).toContain('"path":"/rooms/x","protocol":"HTTP/1.1","status":"200"');
    expect(await nginx.logs()).not.toContain('secret-of-mine');
  });

  test('while the operator has closed it newcomers read a sentence, and who is inside goes on', async () => {
    const inside = await hold(nginx, '/rooms/x/slow');
    await writeFile(closed, '');
    for (const path of ['/', '/rooms/x', '/rooms/x/ws', '/rooms/x/join']) {
      const answer = await ask(nginx, path, path.endsWith('join') ? { method: 'POST', body: '{}' } : {});
      expect([path, answer]).toMatchObject([
        path,
        {
          status: 503,
          body: 'Genkan is closed for maintenance. Please come back in some minutes.\n',
          headers: { 'retry-after': '60', 'cache-control': 'no-store' },
        },
      ]);
      expectSecurityHeadersOnce(answer);
    }
    for (const path of ['/rooms/x/events?after=1', '/rooms/x/messages', '/rooms/x/leave', '/js/genkan.js'])
      expect([path, (await ask(nginx, path)).status]).toEqual([path, 200]);
    await rm(closed);
    expect((await ask(nginx, '/rooms/x')).status).toBe(200);
    inside.end();
  });

  test('it answers on after a reload', async () => {
    await nginx.reload();
    expect((await ask(nginx, '/')).status).toBe(200);
  });
});

describe.skipIf(missing).each(kinds)('without the app, by %s', (kind) => {
  test('visitors read one plain sentence', async () => {
    const nginx = await startNginx({ app: { kind, address: `127.0.0.1:${await freePort()}` } });
    const answer = await ask(nginx, '/rooms/x');
    await nginx.stop();
    expect(answer).toMatchObject({
      status: 502,
      body: 'Genkan is not there at the moment. Please try again in a few seconds.\n',
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/plain',
      'retry-after': '5',
      'cache-control': 'no-store',
    });
    expectSecurityHeadersOnce(answer);
  });
});

const expectSound = async (prefix: string) => {
  const { code, output } = testConfiguration(prefix);
  await rm(prefix, { recursive: true });
  expect(output).not.toMatch(/\[(warn|emerg|alert|error)\]/);
  expect(code).toBe(0);
};

const configurations = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((name) => name.endsWith('.conf')).map((name) => join(folder, name));
};
