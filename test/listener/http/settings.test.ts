/** That the settings reach every listener of the real app; their effect is tested in the other files here. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../../app/config/load.ts';
import type { Settings } from '../../../app/config/schema.ts';
import { serve } from '../../../app/serve.ts';
import { type Address, connectTo, readAll, readAnswer, type UwsgiRequestOptions } from '../uwsgi/client.ts';
import { exchange, headOf, type Kind, pause } from './listener.ts';

const listeners = ['http', 'http-socket', 'socket', 'unix'] as const;
type Listener = (typeof listeners)[number];
const kindOf = (listener: Listener): Kind => (listener === 'unix' ? 'socket' : listener);

const start = async (settings: Partial<Settings>) => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-test-'));
  const any = '127.0.0.1:0';
  const unix = join(directory, 'app.sock');
  const loaded = load(['--http', any, '--http-socket', any, '--socket', any, '--socket', unix], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const logs: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => logs.push(JSON.parse(line)) });
  const running = await serve({ ...loaded.settings, 'drain-timeout': 1, ...settings }, logger);
  const at = (index: number): Address => Number(running.listening[index]?.address.split(':').at(-1));
  const addresses: Record<Listener, Address> = { http: at(0), 'http-socket': at(1), socket: at(2), unix };
  const stop = async () => {
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { addresses, logs, stop };
};
type Site = Awaited<ReturnType<typeof start>>;

let site: Site;
beforeAll(async () => {
  site = await start({
    'allowed-hosts': ['meet.example'],
    'trusted-proxies': ['10.0.0.0/8'],
    harakiri: 2,
    'limit-post': 70_000,
    'header-timeout': 1,
    'body-timeout': 1,
  });
});
afterAll(() => site.stop());

const ask = async (listener: Listener, options: UwsgiRequestOptions) => {
  const headers = { Host: 'meet.example', ...options.headers };
  const raw = await exchange(kindOf(listener), site.addresses[listener], { ...options, headers });
  const { status, body } = readAnswer(raw);
  return { status, body: body.toString() };
};

describe.concurrent.each(listeners)('--%s', (listener) => {
  test('allowed-hosts', async () => {
    const status = async (host: string) => (await ask(listener, { headers: { Host: host } })).status;
    expect([await status('meet.example'), await status('evil.example')]).toEqual([200, 421]);
  });

  test('limit-post', async () => {
    const post = (length: number) => ask(listener, { method: 'POST', url: '/rooms/l/join', body: 'x'.repeat(length) });
    expect((await post(70_001)).status).toBe(413);
    expect((await post(70_000)).status).toBe(415);
  });

  test('header-timeout and body-timeout', async () => {
    const kind = kindOf(listener);
    const headers = { Host: 'meet.example', 'Content-Type': 'application/json' };
    const post = headOf(kind, { method: 'POST', url: '/rooms/b/join', headers, vars: { CONTENT_LENGTH: '9' } });
    const answers = [post.subarray(0, 20), Buffer.concat([post, Buffer.from('{')])].map(async (bytes) => {
      const socket = connectTo(site.addresses[listener]);
      socket.write(bytes);
      return readAnswer(await readAll(socket)).status;
    });
    expect(await Promise.all(answers)).toEqual([408, 408]);
  });

  test('a body that is aborted after its refusal is not answered once more', async () => {
    const kind = kindOf(listener);
    const headers = { Host: 'meet.example', 'Content-Type': 'application/json' };
    const chunked = { ...headers, 'Transfer-Encoding': 'chunked' };
    const posts = [
      `${headOf(kind, { method: 'POST', url: '/rooms/b/join', headers, vars: { CONTENT_LENGTH: '9' } }).toString('latin1')}{`,
      kind === 'socket' ? '' : `${headOf(kind, { method: 'POST', url: '/rooms/b/join', headers: chunked })}1\r\n{\r\n`,
    ].filter(Boolean);
    for (const post of posts) {
      const socket = connectTo(site.addresses[listener]);
      socket.write(post, 'latin1');
      expect(readAnswer(await readAll(socket)).status).toBe(408);
      socket.destroy();
    }
    await ask(listener, {});
    expect(site.logs.filter(({ err }) => err)).toEqual([]);
  });
});

test.concurrent.each(listeners)('a long poll ends before harakiri answers in its place, by --%s', async (listener) => {
  const room = `/rooms/wait-${listener}`;
  const { body: joined } = await ask(listener, { method: 'POST', url: `${room}/join` });
  const { session, seq } = JSON.parse(joined);
  const headers = { Authorization: `Bearer ${session}` };
  const { status, body } = await ask(listener, { url: `${room}/events?after=${seq ?? 0}&wait=20`, headers });
  expect([status, JSON.parse(body).messages]).toEqual([200, expect.any(Array)]);
});

test('trusted-proxies, on --http-socket', async () => {
  const url = `/nowhere/${Math.random()}`;
  await ask('http-socket', { url, headers: { 'X-Forwarded-For': '198.51.100.1, 203.0.113.9, 10.1.2.3' } });
  expect(site.logs.find((line) => line.url === url)?.ip).toBe('203.0.113.9');
});

test('max-connections counts the connections of all listeners together', async () => {
  const small = await start({ 'max-connections': 3 });
  const dial = async (address: Address) => {
    const socket = typeof address === 'string' ? connect(address) : connect(address, '127.0.0.1');
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    return { socket, closed: await Promise.race([once(socket, 'close').then(() => true), pause(200)]) };
  };
  const dialled = [];
  for (const listener of ['http', 'http-socket', 'unix', 'socket', 'http'] as const)
    dialled.push(await dial(small.addresses[listener]));
  expect(dialled.map(({ closed }) => closed)).toEqual([undefined, undefined, undefined, true, true]);
  for (const { socket } of dialled) socket.destroy();
  await small.stop();
});
