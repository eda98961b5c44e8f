/** The real app behind nginx, in combinations of version, mode and listener: pages, files, messages. */

import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { freePort } from '../setup/free-port.ts';
import { budgetsLifted } from '../setup/lifted-budgets.ts';
import { nginxes } from '../setup/nginxes.ts';
import { isThorough } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask, expectSecurityHeadersOnce, post, type Target } from './ask.ts';
import { certificate, describeEverywhere, frontOf, targetOf } from './modes.ts';
import { type Nginx, prepare, startNginx, testConfiguration } from './nginx.ts';

const publicDir = join(import.meta.dirname, '../../dist/public');
const files = certificate();
const forEver = 'public, max-age=31536000, immutable';

/** Whether this is the first call with this text. */
const known = new Set<string>();
const isFirst = (text: string): boolean => !known.has(text) && known.add(text).has(text);

let site: Site;
beforeAll(async () => {
  site = await startSite(budgetsLifted);
});
afterAll(async () => {
  await site.stop();
  files.remove();
});

describeEverywhere(files, ({ by, mode: one, way: { kind, over, address } }) => {
  const { base } = one;
  let nginx: Nginx;
  let target: Target;
  beforeAll(async () => {
    nginx = await startNginx({ ...frontOf(one), by, publicDir, app: { kind, address: site.addresses[address] } });
    target = targetOf(one, nginx.port, files.chain);
  });
  afterAll(() => nginx.stop());
  const script = async () => /js\/[\w-]+\.js/.exec((await ask(target, base)).body)?.[0] ?? 'none';

  test('nginx -t reports nothing', async () => {
    const app = { kind, address: '127.0.0.1:3031' };
    const prefix = await prepare({ ...frontOf(one), by, app, port: await freePort() });
    const { code, output } = testConfiguration(prefix, by);
    await rm(prefix, { recursive: true });
    expect([code, output]).toEqual([0, expect.not.stringMatching(/\[(warn|emerg|alert|error)\]/)]);
  });

  test('the page and its files are below the base, with content type and cache lifetime', async () => {
    const page = await ask(target, `${base}rooms/%E7%8E%84`);
    expect(page).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } });
    expect(page.body).toContain(`<base href="${base}"`);
    const named = [...page.body.matchAll(/(?:src|href)="\.\/(js\/[^"]+)"/g)].map(([, path]) => path ?? '');
    const types = {
      ...{ js: 'text/javascript', css: 'text/css' },
      ...{ png: 'image/png', webmanifest: 'application/manifest+json' },
    };
    expect(new Set(named.map((path) => path.split('.').at(-1)))).toEqual(new Set(Object.keys(types)));
    for (const path of named) {
      const file = await ask(target, base + path);
      const type = types[path.split('.').at(-1) as keyof typeof types];
      const body = await readFile(join(publicDir, path), 'utf8');
      expect(file).toMatchObject({ status: 200, body, headers: { 'cache-control': forEver, 'content-type': type } });
      const same = { 'If-None-Match': String(file.headers.etag) };
      expect((await ask(target, base + path, { headers: same })).status).toBe(304);
    }
  });

  test('the library keeps its name, is revalidated each time, and may be imported by other sites', async () => {
    const forAll = { 'cache-control': 'no-cache', 'access-control-allow-origin': '*' };
    const library = await ask(target, `${base}js/genkan.js`);
    expect(library.headers).toMatchObject({ 'content-type': 'text/javascript', ...forAll });
    expect((await ask(target, `${base}js/genkan.d.ts`)).headers).toMatchObject({
      'content-type': 'text/plain',
      ...forAll,
    });
  });

  test('ranges of a file are exact, and a compressed file has the same content', async () => {
    const path = await script();
    const whole = await readFile(join(publicDir, path));
    const ranges = { 'bytes=0-0': [0, 1], 'bytes=100-299': [100, 300], 'bytes=-7': [whole.length - 7] };
    for (const [Range, [from, to]] of Object.entries(ranges)) {
      const part = await ask(target, base + path, { headers: { Range } });
      expect(part).toMatchObject({ status: 206, body: whole.subarray(from, to).toString() });
    }
    expect((await ask(target, base + path, { headers: { Range: `bytes=${whole.length}-` } })).status).toBe(416);
    const packed = await readFile(join(publicDir, `${path}.gz`));
    const { headers } = await ask(target, base + path, { headers: { 'Accept-Encoding': 'br, gzip' } });
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(headers['content-length']).toBe(String(packed.length));
    expect(gunzipSync(packed)).toEqual(whole);
    expect((await ask(target, base + path)).headers['content-encoding']).toBeUndefined();
  });

  test('every kind of response has each security header once', async () => {
    const kinds = [
      '',
      'rooms/x',
      'rooms/x/events',
      'js/genkan.js',
      'js/nothing.js',
      'js/nothing.png',
      'healthz',
      'nothing',
    ];
    for (const path of kinds) expectSecurityHeadersOnce(await ask(target, base + path));
    const tooLarge = { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) };
    const refused = await ask(target, `${base}rooms/x/messages`, tooLarge);
    expect(refused.status).toBe(413);
    expectSecurityHeadersOnce(refused);
  });

  // The modes differ in nothing that carries a message.
  const isCarrying = isThorough || isFirst(`${by.name} ${kind} ${over}`);
  test.skipIf(!isCarrying)('a WebSocket carries a thousand messages each way', async () => {
    const [first, second] = [await enter(target, base), await enter(target, base)];
    const numbers = Array.from({ length: 1000 }, (_, index) => String(index));
    for (const [index, text] of numbers.entries())
      for (const { socket } of [first, second]) socket.send(JSON.stringify({ type: 'chat', n: index + 1, text }));
    for (const { chats } of [first, second]) await expect.poll(() => chats.length).toBe(1000);
    expect([first.chats, second.chats]).toEqual([numbers, numbers]);
    for (const { socket } of [first, second]) socket.terminate();
  });

  test('over plain HTTP an event ends a waiting poll, and no response is cached', async () => {
    const room = `${base}rooms/plain-${nginx.port}`;
    const entered = await ask(target, `${room}/join`, post('{}'));
    const joined = JSON.parse(entered.body);
    const headers = { Authorization: `Bearer ${joined.session}` };
    const waiting = ask(target, `${room}/events?after=${joined.seq}&wait=20`, { headers });
    await ask(target, `${room}/join`, post('{}'));
    const events = await waiting;
    expect(JSON.parse(events.body).messages).toMatchObject([{ type: 'peer-joined' }]);
    for (const answer of [entered, events]) expect(answer.headers['cache-control']).toBe('no-store');
  });

  test('a missing file is logged, a served one is not', async () => {
    const file = await script();
    for (const path of [file, 'js/nothing.js']) await ask(target, base + path);
    await expect.poll(nginx.logs).toContain(`"path":"${base}js/nothing.js"`);
    expect(await nginx.logs()).not.toContain(`${file}","protocol":"HTTP/1.1","status":"20`);
  });
});

describe.each(nginxes)('$name with the module for brotli', (by) => {
  test.skipIf(by.modules === undefined || !existsSync(join(by.modules, 'ngx_http_brotli_static_module.so')))(
    'sends the files compressed at build time to clients that accept them',
    async () => {
      const app = { kind: 'uwsgi', address: site.addresses.unix } as const;
      const nginx = await startNginx({ by, publicDir, app, words: ['--brotli'] });
      const path = /js\/[\w-]+\.js/.exec((await ask(nginx, '/')).body)?.[0] ?? 'none';
      const question = (encoding: string) => ({ headers: { 'Accept-Encoding': encoding } });
      const [br, gzip] = [
        await ask(nginx, `/${path}`, question('gzip, br')),
        await ask(nginx, `/${path}`, question('gzip')),
      ];
      await nginx.stop();
      const packed = await readFile(join(publicDir, `${path}.br`));
      expect(br.headers).toMatchObject({
        ...{ 'content-encoding': 'br', 'content-type': 'text/javascript', 'content-length': String(packed.length) },
        ...{ vary: 'Accept-Encoding', 'cache-control': forEver },
      });
      expectSecurityHeadersOnce(br);
      expect(brotliDecompressSync(packed)).toEqual(await readFile(join(publicDir, path)));
      expect(gzip.headers['content-encoding']).toBe('gzip');
    },
  );
});

/** A peer in the room of this run by WebSocket, and the chat messages that it receives. */
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
