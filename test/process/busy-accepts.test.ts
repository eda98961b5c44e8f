/** A busy process accepts several connections in each turn of its event loop. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Address } from '../../app/config/address.ts';
import { acceptMore, acceptsWhenBusy, extraDescriptors } from '../../app/process/busy-accepts.ts';
import type { ServerListener } from '../../app/process/listeners.ts';
import { eventually } from '../listener/uwsgi/finish.ts';

const directory = mkdtempSync(join(tmpdir(), 'genkan-accepts-'));
afterAll(() => rmSync(directory, { recursive: true }));

const turn = () => new Promise((resolve) => setImmediate(resolve));
const address: Address = { kind: 'tcp', port: 0 };

/** A listener that counts its connections; `target` as for `server.listen`. */
const startListener = async (target: ListenOptions) => {
  const counted = { connections: 0 };
  const createCounting = (): Server =>
    createServer().on('connection', (socket) => {
      counted.connections += 1;
      socket.on('error', () => {}).destroy();
    });
  const server = createCounting();
  await once(server.listen(target), 'listening');
  const listener: ServerListener = {
    server,
    copies: [],
    createServer: createCounting,
    endpoint: { setting: 'http-socket', address },
  };
  const close = () => {
    for (const one of [server, ...listener.copies]) one.close();
  };
  return { listener, counted, close };
};

/** Connects so many clients at once. @returns how many of them the server had accepted at each turn of the event loop */
const acceptedByTurn = async ({ listener: { server }, counted }: Awaited<ReturnType<typeof startListener>>) => {
  const bound = server.address();
  const target = bound && typeof bound === 'object' ? { host: '127.0.0.1', port: bound.port } : { path: bound ?? '' };
  const before = counted.connections;
  for (let client = 0; client < 64; client += 1) connect(target).on('error', () => {});
  const turns: number[] = [];
  while ((turns.at(-1) ?? 0) < 64) {
    await turn();
    turns.push(counted.connections - before);
  }
  return Math.max(...turns.map((count, at) => count - (turns[at - 1] ?? 0)));
};

test.each([
  ['TCP', { port: 0, host: '127.0.0.1' }],
  ['unix', { path: join(directory, 'socket') }],
])('with further descriptors of the same %s socket, a server accepts more in a turn', async (_kind, target) => {
  const one = await startListener(target);
  expect(await acceptedByTurn(one)).toBe(1);
  await acceptMore([one.listener], () => {});
  expect(await acceptedByTurn(one)).toBeGreaterThan(4);
  one.close();
  await eventually(() => expect(one.listener.copies.map(({ listening }) => listening)).not.toContain(true));
});

test('a server that was closed meanwhile accepts no more', async () => {
  const one = await startListener({ port: 0, host: '127.0.0.1' });
  const more = acceptMore([one.listener], () => {});
  one.listener.server.close();
  await more;
  expect(one.listener.copies.map(({ listening }) => listening)).not.toContain(true);
});

const keepBusy = () => {
  const until = performance.now() + 200;
  while (performance.now() < until);
};

test('more are accepted from the time that the process is busy, and a failure is logged', async () => {
  const one = await startListener({ port: 0, host: '127.0.0.1' });
  const warnings: string[] = [];
  const logger = { warn: (_fields: object, message: string) => warnings.push(message) };
  const check = acceptsWhenBusy([one.listener], () => {}, logger);
  check();
  await once(one.listener.server, 'close', { signal: AbortSignal.timeout(300) }).catch(() => {});
  check();
  expect(one.listener.copies).toEqual([]);
  keepBusy();
  check();
  await eventually(() => expect(one.listener.copies).toHaveLength(extraDescriptors));
  one.close();
  const { execPath } = process;
  process.execPath = join(directory, 'no-such-node');
  const other = await startListener({ port: 0, host: '127.0.0.1' });
  const again = acceptsWhenBusy([other.listener], () => {}, logger);
  again();
  keepBusy();
  again();
  await eventually(() => expect(warnings).toHaveLength(1));
  process.execPath = execPath;
  other.close();
});

test('the work of the start does not make a process busy', async () => {
  const one = await startListener({ port: 0, host: '127.0.0.1' });
  const warnings: string[] = [];
  const { execPath } = process;
  process.execPath = join(directory, 'no-such-node');
  const check = acceptsWhenBusy([one.listener], () => {}, { warn: (_fields, message) => warnings.push(message) });
  keepBusy();
  check();
  process.execPath = execPath;
  await new Promise((resolve) => setImmediate(resolve));
  expect([one.listener.copies, warnings]).toEqual([[], []]);
  one.close();
});
