/**
 * Which requests reach the app, and how, in combinations of nginx version, mode and listener; a stub reports what it received.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../setup/free-port.ts';
import { nginxes } from '../setup/nginxes.ts';
import { ask, expectSecurityHeadersOnce, firstBytes, forwardedRequest, hold, post, type Target } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { certificate, describeEverywhere, frontOf, host, targetOf } from './modes.ts';
import { type Nginx, startNginx } from './nginx.ts';

const files = certificate();
const publicDir = join(import.meta.dirname, '../../dist/public');
const directory = mkdtempSync(join(tmpdir(), 'genkan-told-'));
const closed = join(directory, 'closed');
afterAll(() => {
  files.remove();
  rmSync(directory, { recursive: true });
});

describeEverywhere(files, ({ by, mode: one, way: { kind, over } }) => {
  const { base } = one;
  let backend: Backend;
  let nginx: Nginx;
  let target: Target;
  beforeAll(async () => {
    backend = await startBackend(kind, over);
    const words = [...(one.words ?? []), '--handshakes', '1', '--connections', '4', '--maintenance-file', closed];
    nginx = await startNginx({ ...frontOf(one), by, publicDir, words, app: { kind, address: backend.address } });
    target = targetOf(one, nginx.port, files.chain);
  });
  afterAll(async () => {
    await nginx.stop();
    await backend.stop();
  });
  /** The status, if the app received no request. */
  const unasked = async (path: string, headers: Record<string, string> = {}): Promise<number> => {
    const before = backend.count();
    const { status } = await ask(target, path, { headers });
    expect([path, backend.count()]).toEqual([path, before]);
    return status;
  };

  test('operational paths are not served, and a missing file is not the page', async () => {
    const paths = [
      'healthz',
      'healthz/',
      'readyz',
      'metrics',
      'stats',
      'stats/',
      '%73tats',
      '/stats',
      'x/../stats?a=1',
    ];
    for (const path of [...paths, 'js/../metrics', 'js/', 'js/x.js'])
      expect([path, await unasked(base + path)]).toEqual([path, 404]);
    expect((await ask(target, `${base}js/x.js`)).headers['cache-control']).toBeUndefined();
  });

  test('events are forwarded without buffering', async () => {
    expect(await firstBytes(target, `${base}rooms/x/slow`)).toBe('data: first\n\n');
  });

  test('a body arrives whole, chunked ones too', async () => {
    const body = '0123456789abcdef'.repeat(65_536);
    const forwarded = await forwardedRequest(target, `${base}rooms/x/messages`, post(body));
    expect(forwarded).toMatchObject({ method: 'POST', length: String(body.length), type: 'application/json' });
    expect(forwarded.body === body).toBe(true);
    const { headers } = post('');
    const chunked = { method: 'POST', headers: { ...headers, 'Transfer-Encoding': 'chunked' }, body: '[1,2,3]' };
    const apart = await forwardedRequest(target, `${base}rooms/x/messages`, chunked);
    expect(apart).toMatchObject({ body: '[1,2,3]', length: '7', type: 'application/json' });
    expect(apart).not.toHaveProperty('transferEncoding');
  });

  test('a client cannot claim another address, and its path arrives as sent', async () => {
    const { address, scheme } = one.client;
    const chain = ['6.6.6.6', one.proxy?.['X-Forwarded-For'] ?? []].flat().join(', ');
    const headers = {
      ...{ ...forged, ...(one.proxy ?? { 'X-Forwarded-Proto': 'https' }) },
      'X-Forwarded-For': chain,
    };
    const url = `${base}rooms/a%2Fb/../c%20d?x=%31`;
    const forwarded = await forwardedRequest(target, url, { headers });
    expect(forwarded).toMatchObject({
      url,
      host: `${host}:${target.port}`,
      forwardedFor: address,
      forwardedProto: scheme,
      forwardedHost: `${host}:${target.port}`,
      realIp: address,
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    for (const name of ['forwarded', 'proxy']) expect(forwarded).not.toHaveProperty(name);
    expect(forwarded.port).toBe(one.proxy?.['X-Forwarded-Port']);
    expect(forwarded.prefix || '/').toBe(base.slice(0, -1) || '/');
    expect(JSON.stringify(forwarded)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  test('a log line is JSON with the request id of the app, without query or secret headers', async () => {
    const headers = { Authorization: 'Bearer secret-of-mine', 'User-Agent': 'a "quoted" agent' };
    const forwarded = await forwardedRequest(target, `${base}rooms/x/log?token=secret-of-mine`, { headers });
    const lines = async () =>
      (await nginx.logs()).split('\n').filter((line) => line.includes(`${forwarded.requestId}`));
    await expect.poll(lines).toHaveLength(1);
    const [line = ''] = await lines();
    expect(JSON.parse(line)).toMatchObject({
      id: forwarded.requestId,
      client: one.client.address,
      method: 'GET',
      host,
      path: `${base}rooms/x/log`,
      status: '200',
      app: over === 'TCP' ? backend.address : `unix:${backend.address}`,
      app_status: '200',
      // Next to other sites their settings decide: before nginx 1.23.4 that is 1.2.
      tls: one.scheme === 'https' ? expect.stringMatching(/^TLSv1\.[23]$/) : '',
      agent: 'a "quoted" agent',
      time: expect.any(String),
      seconds: expect.any(Number),
      bytes: expect.any(Number),
      connection: expect.any(Number),
    });
    expect(await nginx.logs()).not.toContain('secret-of-mine');
  });

  test('what a client chooses is cut in the log, so that it cannot fill the disk', async () => {
    await ask(target, `${base}rooms/cut-${'x'.repeat(7000)}`, { headers: { 'User-Agent': '"'.repeat(7000) } });
    const lines = async () => (await nginx.logs()).split('\n').filter((line) => line.includes(`${base}rooms/cut-`));
    await expect.poll(lines).toHaveLength(1);
    const [line = ''] = await lines();
    expect(line.length).toBeLessThan(2500);
    expect(JSON.parse(line)).toMatchObject({ agent: '"'.repeat(256) });
  });

  test('too many handshakes, or too many at once, get 429, and no other requests do', async () => {
    const statuses: number[] = [];
    const again = () => ask(target, `${base}rooms/x/join`, post('{}'));
    for (let count = 0; count < 12; count += 1) statuses.push((await again()).status);
    expect(statuses.slice(0, 6)).toEqual(Array(6).fill(200));
    expect(statuses).toContain(429);
    const refused = await untilRefused(again);
    expect(refused).toMatchObject({ headers: { 'retry-after': '5', 'cache-control': 'no-store' } });
    expectSecurityHeadersOnce(refused);
    expect((await ask(target, `${base}rooms/x/messages`, post('{}'))).status).toBe(200);
  });

  test('connections beyond the limit get 429, until one ends', async () => {
    const open: Awaited<ReturnType<typeof hold>>[] = [];
    // The previous connection may still count for a moment after its response.
    while (open.length < 4) {
      const held = await hold(target, `${base}rooms/x/slow`);
      if (held.status === 200) open.push(held);
    }
    expect((await ask(target, `${base}rooms/x`)).status).toBe(429);
    for (const held of open) held.end();
    await expect.poll(async () => (await ask(target, `${base}rooms/x`)).status).toBe(200);
  });

  test('in maintenance new visitors get a page, and connected peers continue', async () => {
    const inside = await hold(target, `${base}rooms/x/slow`);
    writeFileSync(closed, '');
    for (const [path, question] of [
      ['', {}],
      ['rooms/x', {}],
      ['rooms/x/ws', {}],
      ['rooms/x/join', post('{}')],
    ] as const) {
      const answer = await ask(target, base + path, question);
      expect([path, answer]).toMatchObject([
        path,
        {
          status: 503,
          body: 'Genkan is closed for maintenance. Please try again in a few minutes.\n',
          headers: { 'retry-after': '60', 'cache-control': 'no-store' },
        },
      ]);
      expectSecurityHeadersOnce(answer);
    }
    for (const path of ['rooms/x/events?after=1', 'rooms/x/messages', 'rooms/x/leave', 'js/genkan.js'])
      expect([path, (await ask(target, base + path)).status]).toEqual([path, 200]);
    rmSync(closed);
    expect((await ask(target, `${base}rooms/x`)).status).toBe(200);
    inside.end();
  });

  test.skipIf(one.elsewhere === undefined)('nothing is served outside the base', async () => {
    for (const path of ['/', '/rooms/x', '/js/x.js', '/healthz', '/x.js', `${base.slice(0, -1)}x`])
      expect([path, await unasked(path)]).toEqual([path, one.elsewhere]);
    const moved = await ask(target, base.slice(0, -1));
    expect(moved).toMatchObject({ status: 301, headers: { location: base } });
  });

  test.skipIf(one.otherHost === undefined)('another host gets nothing of the site', async () => {
    for (const Host of ['other.example', '127.0.0.1']) expect(await unasked(base, { Host })).toBe(one.otherHost);
  });
});

describe.each(nginxes)('$name', (by) => {
  const kinds = ['uwsgi', 'http'] as const;
  test.skipIf(by.version === undefined).each(kinds)(
    'an untrusted proxy cannot set forwarded headers, by %s',
    async (kind) => {
      const backend = await startBackend(kind);
      const words = ['--mode', 'behind-proxy', '--trusted-proxy', '192.0.2.0/24'];
      const nginx = await startNginx({ words, by, app: { kind, address: backend.address } });
      const forwarded = await forwardedRequest(nginx, '/', { headers: { ...forged, 'X-Forwarded-Proto': 'https' } });
      await nginx.stop();
      await backend.stop();
      expect(forwarded).toMatchObject({ forwardedFor: '127.0.0.1', forwardedProto: 'http', realIp: '127.0.0.1' });
      expect(forwarded.port || undefined).toBeUndefined();
    },
  );

  test.skipIf(by.version === undefined).each(kinds)(
    'without the app visitors get a plain page, by %s',
    async (kind) => {
      const nginx = await startNginx({ by, app: { kind, address: `127.0.0.1:${await freePort()}` } });
      const answer = await ask(nginx, '/rooms/x');
      await nginx.stop();
      expect(answer).toMatchObject({
        status: 502,
        body: 'Genkan is temporarily unavailable. Please try again in a few seconds.\n',
        headers: { 'content-type': 'text/plain', 'retry-after': '5', 'cache-control': 'no-store' },
      });
      expectSecurityHeadersOnce(answer);
    },
  );

  test.skipIf(by.version === undefined).each(kinds)(
    "below a path of a site, no response is in the site's own log, and no query string in Genkan's, by %s",
    async (kind) => {
      const backend = await startBackend(kind);
      const file = join(directory, `closed-${kind}-${by.name.replaceAll(/\W/g, '-')}`);
      const words = ['--mode', 'location', '--base', '/meet/', '--handshakes', '1', '--maintenance-file', file];
      const sites = (port: number) => `server {
        listen 127.0.0.1:${port};
        access_log theirs.log;
        uwsgi_intercept_errors on;
        proxy_intercept_errors on;
        location / { return 410; }
        include snippets/genkan-site.conf;
      }`;
      const nginx = await startNginx({ by, words, sites, app: { kind, address: backend.address } });
      onTestFinished(() => nginx.stop());
      const visit = async (path: string) => (await ask(nginx, `${path}?token=secret-of-mine`)).status;
      expect([await visit('/'), await visit('/meet'), await visit('/meet/rooms/x')]).toEqual([410, 301, 200]);
      await untilRefused(() => ask(nginx, '/meet/rooms/x/join?token=secret-of-mine', post('{}')));
      // As the app sent it.
      expect(JSON.parse((await ask(nginx, '/meet/rooms/x/unavailable')).body)).toMatchObject({ method: 'GET' });
      writeFileSync(file, '');
      expect(await visit('/meet/rooms/x')).toBe(503);
      rmSync(file);
      await backend.stop();
      expect([await visit('/meet/rooms/x'), await visit('/meet/stats')]).toEqual([502, 404]);
      const read = (name: string) => readFileSync(join(dirname(nginx.file), name), 'utf8');
      const logged = () => new Set([...read('access.log').matchAll(/"status":"(\d+)"/g)].map(([, status]) => status));
      await expect.poll(logged).toEqual(new Set(['301', '200', '429', '503', '502']));
      expect(read('access.log')).not.toContain('secret-of-mine');
      expect(read('theirs.log').trim().split('\n')).toEqual([expect.stringContaining(' 410 ')]);
    },
  );
});

const forged = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Port': '1',
  'X-Forwarded-Prefix': '/evil',
  'X-Real-IP': '6.6.6.6',
  'X-Request-Id': 'evil',
  Forwarded: 'for=6.6.6.6',
  Proxy: 'http://6.6.6.6',
};

const untilRefused = async (again: () => ReturnType<typeof ask>) => {
  for (;;) {
    const answer = await again();
    if (answer.status === 429) return answer;
  }
};
