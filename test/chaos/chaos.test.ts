/** The most revealing faults, short; `npm run chaos` runs all of them at length. */
import { describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { isKept, tryOut } from './trial.ts';

const numbers = { rooms: 15, peers: 3, pause: 300 };
const short = { lasts: 3, patience: 30 };

describe.skipIf(without('nginx'))('through nginx, with rooms in memory,', () => {
  for (const { name, tags } of [
    { name: 'worker killed', tags: [] },
    { name: 'rolling reload, twice', tags: ['slow'] },
    { name: 'nginx killed', tags: ['slow'] },
    { name: 'client network cut for 10 s', tags: ['slow'] },
  ])
    test(`${name}: acknowledged messages are received once and in order, and no absent peer is listed`, {
      tags,
      timeout: 120_000,
    }, async () => {
      const row = await tryOut(name, 'memory', numbers, short);
      expect([row.findings, row.outcome.fatal, isKept(row)]).toEqual([row.honest ? row.findings : [], [], true]);
      expect(row.outcome.acknowledged).toBeGreaterThan(200);
    });
});

describe.skipIf(without('nginx'))('with the embedded store,', () => {
  for (const { name, tags } of [
    { name: 'worker killed', tags: ['slow'] },
    { name: 'app killed, supervisor and worker', tags: [] },
    { name: 'rolling reload, twice', tags: ['slow'] },
  ])
    test(`${name}: acknowledged messages are received once and in order, and no absent peer is listed`, {
      tags,
      timeout: 120_000,
    }, async () => {
      const row = await tryOut(name, 'embedded', numbers, short);
      expect([row.findings, row.outcome.fatal, isKept(row)]).toEqual([[], [], true]);
      expect(row.outcome.acknowledged).toBeGreaterThan(200);
    });
});

describe.skipIf(without('nginx') || without('redis-server'))('with a store,', () => {
  for (const { name, tags } of [
    { name: 'worker killed', tags: ['slow'] },
    { name: 'app cut off from the store for 20 s', tags: ['slow'] },
    { name: 'store restarted, with persistence', tags: [] },
  ])
    test(`${name}: acknowledged messages are received once and in order, and no absent peer is listed`, {
      tags,
      timeout: 120_000,
    }, async () => {
      const row = await tryOut(name, 'valkey', numbers, short);
      expect([row.findings, row.outcome.fatal, isKept(row)]).toEqual([[], [], true]);
      expect(row.outcome.acknowledged).toBeGreaterThan(200);
    });
});
