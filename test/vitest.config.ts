/**
 * The test projects: tests of the code run concurrently, then tests of the whole stack, one file at a time, and then the slow ones of
 * those.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const wholeStack = { fileParallelism: false, sequence: { groupOrder: 1 }, testTimeout: 60_000, hookTimeout: 300_000 };
const long = 'test/stack/**/*.long.test.ts';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // Tests wait more than they work: two files at a time where vitest would run one, on two processors. Three were not faster there.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The signaling cases wait far more than they work.
    maxConcurrency: 10,
    projects: [
      {
        extends: true,
        test: { name: 'code', include: ['test/**/*.test.ts'], exclude: ['test/stack/**'], testTimeout: 40_000 },
      },
      {
        extends: true,
        test: { name: 'stack', include: ['test/stack/**/*.test.ts'], exclude: [long], ...wholeStack },
      },
      { extends: true, test: { name: 'long', include: [long], ...wholeStack, sequence: { groupOrder: 2 } } },
    ],
  },
});
