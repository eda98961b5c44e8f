/** `npm run fuzz:peer` runs more steps: GENKAN_FUZZ is their number; GENKAN_SEED reproduces a failure. */
import { afterEach, expect, it, vi } from 'vitest';
import { fuzzHostile } from './fuzz-hostile.ts';

const steps = Number(process.env.GENKAN_FUZZ ?? 20_000);
const seed = Number(process.env.GENKAN_SEED ?? Math.floor(Math.random() * 2 ** 32));

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it.each([seed, (seed ^ 1) >>> 0])(
  'a hostile peer with seed %i affects no other peer',
  { timeout: 600_000 },
  async (seed) => {
    const reported: unknown[] = [];
    vi.stubGlobal('reportError', (error: unknown) => reported.push(error));
    const outcome = await fuzzHostile(
      seed,
      steps / 2,
      (now) => void vi.spyOn(performance, 'now').mockImplementation(now),
    );
    console.log(JSON.stringify(outcome));
    expect(reported).toEqual([]);
    expect(outcome.slowest).toBeLessThan(500);
    expect(outcome.grownBy).toBeLessThan(16);
  },
);
