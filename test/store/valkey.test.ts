/**
 * The contract over real servers, Redis and Valkey, and over clusters of three, with two workers that share their rooms, and with a user
 * that has only the permissions of deploy/valkey.acl.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { zeroCounts } from '../../app/stats/counters.ts';
import type { Store } from '../../app/store/store.ts';
import { openValkey, type ValkeyOptions } from '../../app/store/valkey.ts';
import { without } from '../setup/without.ts';
import { chat, describeStore, done, enter, limits, newRoom } from './contract.ts';
import { type Server, startCluster, startServer } from './server.ts';

const acl = readFileSync(join(import.meta.dirname, '../../deploy/valkey.acl'), 'utf8').trim();
const user = `--${acl} >secret`.split(' ');

const clustered = [...user, '+cluster|slots'];

const one = async (program: string) => {
  const server = await startServer(user, program);
  return { url: server.url, nodes: [server], stop: server.stop };
};
const kinds = [
  { program: 'redis-server', name: 'one Redis', cluster: false, start: one },
  {
    program: 'redis-server',
    name: 'a cluster of Redis',
    cluster: true,
    start: (of: string) => startCluster(clustered, of),
  },
  { program: 'valkey-server', name: 'one Valkey', cluster: false, start: one },
  {
    program: 'valkey-server',
    name: 'a cluster of Valkey',
    cluster: true,
    start: (of: string) => startCluster(clustered, of),
  },
] as const;

/** The commands the servers ran so far, named as in `ACL CAT` and ACL rules. */
const commandsOf = async (nodes: readonly Server[]): Promise<Set<string>> => {
  const stats = await Promise.all(nodes.map((node) => node.ask(['INFO', 'commandstats'])));
  const lines = stats.flatMap((text) => [...String(text).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]);
  return new Set(lines.flatMap(([, name = '', calls]) => (Number(calls) > 0 ? [name] : [])));
};
/** The channels that have subscribers. */
const channelsOf = async (nodes: readonly Server[]): Promise<string[]> =>
  (await Promise.all(nodes.map((node) => node.ask(['PUBSUB', 'SHARDCHANNELS'])))).flat().map(String);
const keysOf = async (nodes: readonly Server[]): Promise<[string, number][]> => {
  const keys: [string, number][] = [];
  for (const node of nodes)
    for (const key of (await node.ask(['KEYS', '*'])) as string[])
      keys.push([key, Number(await node.ask(['PTTL', key]))]);
  return keys;
};

for (const { program, name, cluster, start } of kinds)
  describe.skipIf(without(program))(`the store over ${name}`, () => {
    let server: Awaited<ReturnType<typeof start>>;
    const stores: Store[] = [];
    let later = 0;
    const open = (more: Partial<ValkeyOptions> = {}) =>
      openValkey(
        {
          url: server.url.replace('//', '//genkan@'),
          password: 'secret',
          cluster,
          timeout: 2000,
          lease: 15_000,
          limits,
          clock: () => Date.now() + later,
          ...more,
        },
        { info: () => {}, warn: (fields, message) => console.warn(message, fields) },
        zeroCounts(),
      );

    beforeAll(async () => {
      server = await start(program);
      stores.push(await open(), await open());
    });
    afterAll(async () => {
      for (const store of stores) await store.close();
      await server.stop();
    });

    describeStore(() => ({
      stores,
      pass: (ms) => {
        later += ms;
      },
    }));

    test('a worker subscribes only to rooms with peers of its own', async () => {
      const [store, other] = stores as [Store, Store];
      const rooms = Array.from({ length: 20 }, newRoom);
      const received = async () =>
        (await channelsOf(server.nodes)).filter((channel) => rooms.some((room) => channel === `genkan:{${room}}`))
          .length;
      for (const room of rooms) await done(other.commit(room, enter('a', other)));
      expect(await received()).toBe(0);
      for (const room of rooms.slice(0, 3)) store.subscribe(room, () => {});
      await expect.poll(received, { timeout: 15_000 }).toBe(3);
    });

    test('every key expires', async () => {
      const [store, other] = stores as [Store, Store];
      const room = newRoom();
      await done(store.commit(room, enter('a', store)));
      await done(other.commit(room, chat('a', 1)));
      const keys = await keysOf(server.nodes);
      expect(keys.map(([key]) => key)).toEqual(expect.arrayContaining([`genkan:{${room}}:log`, 'genkan:workers']));
      for (const [key, left] of keys)
        expect([key, left]).toEqual([expect.stringMatching(/^genkan:/), expect.any(Number)]);
      expect(keys.filter(([, left]) => left <= 0)).toEqual([]);
    });

    test('the user of deploy/valkey.acl has the permissions it needs, and no others', async () => {
      // What the contract leaves out: a database number, and a room without listeners.
      if (!cluster) stores.push(await open({ url: `${server.url.replace('//', '//genkan@')}/3` }));
      const [store] = stores as [Store];
      const leaveOne = async () => {
        store.subscribe(newRoom(), () => {})();
        await sleep(200);
        const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
        const swept = store.sweep();
        later.mockRestore();
        await swept;
        return commandsOf(server.nodes);
      };
      await expect.poll(leaveOne, { timeout: 20_000, interval: 100 }).toContain('sunsubscribe');
      const denied = await Promise.all(server.nodes.map((node) => node.ask(['ACL', 'LOG'])));
      expect(denied.flat()).toEqual([]);
      const granted = acl.split(' ').flatMap((word) => (word.startsWith('+') ? [word.slice(1)] : []));
      const used = await commandsOf(server.nodes);
      const unused = granted.filter((command) => !used.has(command));
      expect(unused).toEqual(cluster ? ['select'] : []);
    });
  });
