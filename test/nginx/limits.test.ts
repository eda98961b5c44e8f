/** What one client may use of nginx: who counts as one client, which bodies are stored, and that a class behind one address fits. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nginxes } from '../setup/nginxes.ts';
import { ask, hold, post, type Target } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { type Nginx, startNginx } from './nginx.ts';

const largeLimit = 1_048_576;
const smallLimit = 16_384;
const message = 65_536;

let backend: Backend;
let nginx: Nginx | undefined;
const sockets: Socket[] = [];
beforeAll(async () => {
  backend = await startBackend('uwsgi');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await nginx?.stop();
  nginx = undefined;
});
afterAll(() => backend.stop());

/** The request of a POST whose last byte is missing. */
const openPost = async ({ port, headers = {} }: Target, bytes: number): Promise<void> => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  const all = { Host: 'a', 'Content-Type': 'application/json', 'Content-Length': String(bytes), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /rooms/x/messages HTTP/1.1\r\n${lines.join('')}\r\n${'1'.repeat(bytes - 1)}`);
};
const statusOf = async (target: Target, path: string, body?: string) =>
  (await ask(target, path, body === undefined ? {} : post(body))).status;

describe.each(nginxes)('$name', (by) => {
  const isMissing = by.version === undefined;
  const start = async (...words: string[]): Promise<Target> => {
    nginx = await startNginx({ by, app: { kind: 'uwsgi', address: backend.address }, words });
    return { port: nginx.port };
  };
  /** Behind a proxy that reports the client's address. */
  const startBehindProxy = async (...words: string[]) => {
    const { port } = await start('--mode', 'behind-proxy', '--trusted-proxy', '127.0.0.1', ...words);
    return (address: string): Target => ({ port, headers: { 'X-Forwarded-For': address } });
  };

  test.skipIf(isMissing)('an IPv6 /64 counts as one client, and a /48 as four', async () => {
    const from = await startBehindProxy('--connections', '2');
    const holdAt = async (address: string) => {
      const { status, end } = await hold(from(address), '/rooms/x/slow');
      if (status !== 200) end();
      return status;
    };
    expect(await holdAt('2001:db8:0:1::1')).toBe(200);
    expect(await holdAt('2001:db8:0:1::2')).toBe(200);
    expect(await holdAt('2001:db8:0:1:a0a:a0a:a0a:a0a')).toBe(429);
    // 0x0a is a line feed.
    for (const network of ['2', '3', 'a0a', '2', '3', 'a0a'])
      expect(await holdAt(`2001:db8:0:${network}::1`)).toBe(200);
    expect(await holdAt('2001:db8:0:4::1')).toBe(429);
    expect(await holdAt('2001:db8:1:4::1')).toBe(200);
  });

  test.skipIf(isMissing)('each IPv4 address is one client, also at an IPv6 socket', async () => {
    const from = await startBehindProxy('--connections', '1');
    const holdAt = async (address: string) => (await hold(from(address), '/rooms/x/slow')).status;
    // 10 is a line feed.
    for (const host of ['1', '2', '3', '4', '10', '11']) {
      expect(await holdAt(`203.0.113.${host}`)).toBe(200);
      expect(await holdAt(`::ffff:203.0.113.${host}`)).toBe(429);
      expect(await holdAt(`::ffff:198.51.100.${host}`)).toBe(200);
    }
  });

  test.skipIf(isMissing)('handshakes of an IPv6 /64 are limited together', async () => {
    const from = await startBehindProxy('--handshakes', '1');
    const statuses = new Set<number>();
    for (let host = 1; host <= 12; host += 1)
      statuses.add(await statusOf(from(`2001:db8::${host}`), '/rooms/x/join', '{}'));
    expect([...statuses]).toEqual([200, 429]);
    expect(await statusOf(from('2001:db8:0:1::1'), '/rooms/x/join', '{}')).toBe(200);
  });

  test.skipIf(isMissing)('only messages may have a large body, and one message is not written to disk', async () => {
    const target = await start();
    expect(await statusOf(target, '/rooms/x/messages', '1'.repeat(message))).toBe(200);
    for (const path of ['/rooms/x/join', '/rooms/x/leave', '/x', '/rooms/x/messages/x'])
      for (const [bytes, status] of [
        [smallLimit, 200],
        [smallLimit + 1, 413],
      ] as const)
        expect([path, await statusOf(target, path, '1'.repeat(bytes))]).toEqual([path, status]);
    expect(await nginx?.logs()).not.toContain('temporary file');
    expect(await statusOf(target, '/rooms/x/messages', '1'.repeat(largeLimit))).toBe(200);
    expect(await nginx?.logs()).toContain('temporary file');
  });

  test.skipIf(isMissing)('a client that withholds the ends of bodies gets no further ones stored', async () => {
    const from = await startBehindProxy('--posts', '2');
    const attacker = from('203.0.113.1');
    const probe = (target: Target) => statusOf(target, '/rooms/x/messages', '{}');
    const floodFrom = (nextTarget: () => Target, probed: Target) =>
      expect
        .poll(async () => {
          await openPost(nextTarget(), message);
          return probe(probed);
        })
        .toBe(429);
    await floodFrom(() => attacker, attacker);
    for (const path of ['/rooms/x/join', '/rooms/x/leave']) expect(await statusOf(attacker, path, '{}')).toBe(200);
    expect(await probe(from('203.0.113.2'))).toBe(200);
    // All clients together: eight times as many.
    let host = 10;
    await floodFrom(() => from(`203.0.113.${host++}`), from('203.0.113.2'));
    expect(host).toBeGreaterThan(10 + 12);
  });

  test.skipIf(isMissing)(
    'a class of 200 behind one address: WebSockets, polls and posts at the same time',
    async () => {
      const target = await start('--connections', '1000', '--posts', '250');
      const people = Array.from({ length: 200 }, (_, person) => `/rooms/room-${person % 3}/slow`);
      const held = await Promise.all([...people, ...people].map((path) => hold(target, path)));
      const posted = await Promise.all(people.map(() => statusOf(target, '/rooms/x/messages', '1'.repeat(20_000))));
      expect(new Set([...held.map(({ status }) => status), ...posted])).toEqual(new Set([200]));
      for (const { end } of held) end();
    },
  );
});
