/** Every mode × {uwsgi, http} × {TCP, unix}: real nginx, before the real app and before a stand-in that answers with what it was told. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask, expectSecurityHeadersOnce, firstBytes, hold, type Target, toldTo } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { cases, certificate, host, targetOf } from './modes.ts';
import { freePort, type Nginx, prepare, startNginx, testConfiguration } from './nginx.ts';

const publicDir = join(import.meta.dirname, '../../dist/public');
const missing = without('nginx');
const files = missing ? { chain: '', key: '', remove: () => {} } : certificate();
const ways = [
  { kind: 'uwsgi', by: 'TCP', address: 'socket' },
  { kind: 'uwsgi', by: 'a unix socket', address: 'unix' },
  { kind: 'http', by: 'TCP', address: 'http-socket' },
  { kind: 'http', by: 'a unix socket', address: 'http-unix' },
] as const;
const all = cases(files).flatMap((one) => ways.map((way) => ({ ...one, ...way })));

let site: Site;
beforeAll(async () => {
  site = await startSite(['--message-rate', '1000000', '--message-burst', '1000000']);
});
afterAll(async () => {
  await site.stop();
  files.remove();
});

describe.skipIf(missing).each(all)('$name, by $kind over $by', (one) => {
  const { base, kind } = one;
  const limits = ['--handshakes', '1', '--connections', '4'];
  let backend: Backend;
  let nginx: Nginx;
  let echoing: Nginx;
  let target: Target;
  let echo: Target;
  beforeAll(async () => {
    const front = { words: one.words ?? [], ...(one.sites ? { sites: one.sites } : {}), publicDir };
    nginx = await startNginx({ ...front, app: { kind, address: site.addresses[one.address] } });
    backend = await startBackend(kind);
    const words = [...front.words, ...limits];
    echoing = await startNginx({ ...front, words, app: { kind, address: backend.address } });
    target = targetOf(one, nginx.port, files.chain);
    echo = targetOf(one, echoing.port, files.chain);
  });
  afterAll(async () => {
    await nginx.stop();
    await echoing.stop();
    await backend.stop();
  });

  test('nginx finds nothing to say about it', async () => {
    const options = { words: one.words ?? [], ...(one.sites ? { sites: one.sites } : {}) };
    const prefix = await prepare({ ...options, app: { kind, address: '127.0.0.1:3031' }, port: await freePort() });
    const { code, output } = testConfiguration(prefix);
    await rm(prefix, { recursive: true });
    expect(output).not.toMatch(/\[(warn|emerg|alert|error)\]/);
    expect(code).toBe(0);
  });

  test('the page, and everything that it names, are below the base', async () => {
    const page = await ask(target, `${base}rooms/%E7%8E%84`);
    expect(page).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } });
    expect(page.body).toContain(`<base href="${base}"`);
    const named = [...page.body.matchAll(/(?:src|href)="\.\/(js\/[^"]+)"/g)].map(([, path]) => path);
    expect(named.length).toBeGreaterThan(1);
    for (const path of named) {
      const file = await ask(target, base + path);
      expect(file).toMatchObject({
        status: 200,
        body: await readFile(join(publicDir, path ?? ''), 'utf8'),
        headers: { 'cache-control': 'public, max-age=31536000, immutable' },
      });
    }
  });

  test('parts of a file are exact, packed it is the same', async () => {
    const path = /js\/[\w-]+\.js/.exec((await ask(target, base)).body)?.[0] ?? 'none';
    const whole = await readFile(join(publicDir, path));
    const ranges = { 'bytes=0-0': [0, 1], 'bytes=100-299': [100, 300], 'bytes=-7': [whole.length - 7] };
    for (const [Range, [from, to]] of Object.entries(ranges)) {
      const part = await ask(target, base + path, { headers: { Range } });
      expect(part).toMatchObject({ status: 206, body: whole.subarray(from, to).toString() });
    }
    expect((await ask(target, base + path, { headers: { Range: `bytes=${whole.length}-` } })).status).toBe(416);
    const packed = await ask(target, base + path, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(gunzipSync(await readFile(join(publicDir, `${path}.gz`)))).toEqual(whole);
  });

  test('every kind of answer has the security headers once', async () => {
    const kinds = ['', 'rooms/x', 'rooms/x/events', 'js/nothing.js', 'healthz', 'nothing'];
    for (const path of kinds) expectSecurityHeadersOnce(await ask(target, base + path));
    const tooLarge = { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) };
    const refused = await ask(target, `${base}rooms/x/messages`, tooLarge);
    expect(refused.status).toBe(413);
    expectSecurityHeadersOnce(refused);
  });

  test('what is for the operator is not there, and a missing file is no page', async () => {
    for (const path of [
      'healthz',
      'readyz',
      'metrics',
      'stats',
      'stats/',
      '%73tats',
      'js/../metrics',
      'js/',
      'js/x.js',
    ])
      expect([path, (await ask(target, base + path)).status]).toEqual([path, 404]);
  });

  test('a WebSocket carries a thousand messages each way', async () => {
    const [first, second] = [await enter(target, base), await enter(target, base)];
    const numbers = Array.from({ length: 1000 }, (_, index) => String(index));
    for (const [index, text] of numbers.entries())
      for (const { socket } of [first, second]) socket.send(JSON.stringify({ type: 'chat', n: index + 1, text }));
    for (const { chats } of [first, second]) await expect.poll(() => chats.length).toBe(1000);
    expect([first.chats, second.chats]).toEqual([numbers, numbers]);
    for (const { socket } of [first, second]) socket.terminate();
  });

  test('the same by plain requests: what comes ends the waiting', async () => {
    const room = `${base}rooms/plain-${nginx.port}`;
    const joined = JSON.parse((await ask(target, `${room}/join`, post('{}'))).body);
    const headers = { Authorization: `Bearer ${joined.session}` };
    const waiting = ask(target, `${room}/events?after=${joined.seq}&wait=20`, { headers });
    await ask(target, `${room}/join`, post('{}'));
    expect(JSON.parse((await waiting).body).messages).toMatchObject([{ type: 'peer-joined' }]);
  });

  test('events go out as they come', async () => {
    expect(await firstBytes(echo, `${base}rooms/x/slow`)).toBe('data: first\n\n');
  });

  test('a client cannot claim to be another', async () => {
    const { address, scheme } = one.client;
    const chain = ['6.6.6.6', one.proxy?.['X-Forwarded-For'] ?? []].flat().join(', ');
    const headers = { ...forged, 'X-Forwarded-For': chain, ...(one.proxy ? {} : { 'X-Forwarded-Proto': 'https' }) };
    const told = await toldTo(echo, `${base}rooms/x?a=%20`, { headers });
    expect(told).toMatchObject({
      url: `${base}rooms/x?a=%20`,
      host: `${host}:${echo.port}`,
      forwardedFor: address,
      forwardedProto: scheme,
      forwardedHost: `${host}:${echo.port}`,
      realIp: address,
    });
    expect(JSON.stringify(told)).not.toMatch(/6\.6\.6\.6|evil/);
  });

  test('a log line is JSON, with the id that the app has, and without what a query or a header says', async () => {
    const headers = { Authorization: 'Bearer secret-of-mine', 'User-Agent': 'a "quoted" agent' };
    const told = await toldTo(echo, `${base}rooms/x/log?token=secret-of-mine`, { headers });
    const lines = async () => (await echoing.logs()).split('\n').filter((line) => line.includes(`${told.requestId}`));
    await expect.poll(lines).toHaveLength(1);
    const [line = ''] = await lines();
    expect(JSON.parse(line)).toMatchObject({
      id: told.requestId,
      client: one.client.address,
      method: 'GET',
      host,
      path: `${base}rooms/x/log`,
      status: '200',
      app: backend.address,
      app_status: '200',
      // Beside other sites theirs decide which: before nginx 1.23.4 that is 1.2.
      tls: one.scheme === 'https' ? expect.stringMatching(/^TLSv1\.[23]$/) : '',
      agent: 'a "quoted" agent',
      time: expect.any(String),
      seconds: expect.any(Number),
      bytes: expect.any(Number),
      connection: expect.any(Number),
    });
    expect(line).not.toContain('secret-of-mine');
  });

  test('a file that was sent has no line, one that is missing has', async () => {
    const file = /js\/[\w-]+\.js/.exec((await ask(target, base)).body)?.[0] ?? 'none';
    for (const path of [file, 'js/nothing.js']) await ask(target, base + path);
    await expect.poll(nginx.logs).toContain(`"path":"${base}js/nothing.js"`);
    expect(await nginx.logs()).not.toContain(`${file}","protocol":"HTTP/1.1","status":"20`);
  });

  test('too many handshakes, or too much at once, are 429, and only those', async () => {
    const statuses: number[] = [];
    const again = () => ask(echo, `${base}rooms/x/join`, post('{}'));
    for (let count = 0; count < 12; count += 1) statuses.push((await again()).status);
    expect(statuses.slice(0, 6)).toEqual(Array(6).fill(200));
    expect(statuses).toContain(429);
    const refused = await untilRefused(again);
    expect(refused).toMatchObject({ headers: { 'retry-after': '5', 'cache-control': 'no-store' } });
    expectSecurityHeadersOnce(refused);
    expect((await ask(echo, `${base}rooms/x/messages`, post('{}'))).status).toBe(200);
  });

  test('connections beyond the limit are 429, and free again when one ends', async () => {
    const open: Awaited<ReturnType<typeof hold>>[] = [];
    // The one before may count for a moment after its answer.
    while (open.length < 4) {
      const held = await hold(echo, `${base}rooms/x/slow`);
      if (held.status === 200) open.push(held);
    }
    expect((await ask(echo, `${base}rooms/x`)).status).toBe(429);
    for (const held of open) held.end();
    await expect.poll(async () => (await ask(echo, `${base}rooms/x`)).status).toBe(200);
  });

  test.skipIf(one.elsewhere === undefined)('nothing is outside the base', async () => {
    for (const path of ['/', '/rooms/x', '/js/x.js', '/healthz', '/x.js', `${base.slice(0, -1)}x`]) {
      const before = backend.count();
      expect([path, (await ask(echo, path)).status]).toEqual([path, one.elsewhere]);
      expect(backend.count()).toBe(before);
    }
    const moved = await ask(target, base.slice(0, -1));
    expect(moved).toMatchObject({ status: 301, headers: { location: base } });
  });

  test.skipIf(one.stranger === undefined)('another host gets nothing of it', async () => {
    for (const Host of ['other.example', '127.0.0.1']) {
      const before = backend.count();
      expect((await ask(echo, base, { headers: { Host } })).status).toBe(one.stranger);
      expect(backend.count()).toBe(before);
    }
  });
});

test.skipIf(missing)('a proxy that nobody named is believed nothing', async () => {
  const backend = await startBackend('uwsgi');
  const words = ['--mode', 'behind-proxy', '--trusted-proxy', '192.0.2.0/24'];
  const nginx = await startNginx({ words, app: { kind: 'uwsgi', address: backend.address } });
  const told = await toldTo(nginx, '/', { headers: { ...forged, 'X-Forwarded-Proto': 'https' } });
  await nginx.stop();
  await backend.stop();
  expect(told).toMatchObject({ forwardedFor: '127.0.0.1', forwardedProto: 'http', realIp: '127.0.0.1' });
});

const forged = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Prefix': '/evil',
  'X-Real-IP': '6.6.6.6',
  Forwarded: 'for=6.6.6.6',
  Proxy: 'http://6.6.6.6',
};

const post = (body: string) => ({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body });

const untilRefused = async (again: () => ReturnType<typeof ask>) => {
  for (;;) {
    const answer = await again();
    if (answer.status === 429) return answer;
  }
};

/** A peer in the room of this run by WebSocket, and the chats that it hears. */
const enter = async ({ port, tls, headers }: Target, base: string) => {
  const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}${base}rooms/thousand-${port}/ws`;
  const socket = new WebSocket(url, 'genkan.v1', { ...tls, headers: headers ?? {} });
  const chats: string[] = [];
  const joined = new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'chat') chats.push(message.text);
      if (message.type === 'joined') resolve(undefined);
    });
  });
  socket.once('open', () => socket.send('{"type":"join"}'));
  await joined;
  return { socket, chats };
};
