/** The contract over a real server, and over a cluster of three, with two workers that share their rooms. */
import { afterAll, beforeAll, describe } from 'vitest';
import { zeroCounts } from '../../app/ops/counts.ts';
import type { Store } from '../../app/store/store.ts';
import { openValkey } from '../../app/store/valkey.ts';
import { without } from '../setup/without.ts';
import { describeStore, limits } from './contract.ts';
import { startCluster, startServer } from './server.ts';

const kinds = [
  { name: 'one server', cluster: false, start: () => startServer() },
  { name: 'a cluster', cluster: true, start: startCluster },
];

describe.skipIf(without('redis-server')).each(kinds)('the store over Valkey, $name', ({ cluster, start }) => {
  let server: Awaited<ReturnType<typeof start>>;
  const stores: Store[] = [];
  let later = 0;
  const open = () =>
    openValkey(
      { url: server.url, cluster, timeout: 2000, lease: 15_000, limits, clock: () => Date.now() + later },
      { info: () => {}, warn: (fields, message) => console.warn(message, fields) },
      zeroCounts(),
    );

  beforeAll(async () => {
    server = await start();
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
});
