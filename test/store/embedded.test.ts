/** The embedded store keeps what it acknowledged, whatever happens to its process, its files or its disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { zeroCounts } from '../../app/stats/counters.ts';
import { EmbeddedStore } from '../../app/store/embedded/embedded.ts';
import { describeStore, limits } from './contract.ts';

let now = 1_000_000;
const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
const log = { info: () => {}, error: () => {} };
const store = new EmbeddedStore({ directory, limits, syncInterval: 1000, maxBytes: 1e9 }, () => now, log, zeroCounts());

describe('the embedded store', () => {
  beforeAll(() => store.open());
  afterAll(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  describeStore(() => ({
    stores: [store],
    pass: (ms) => {
      now += ms;
    },
  }));
});
