/**
 * The test projects. `unit`: in this process. `integration`: with nginx, stores and processes. `stack`: with browsers and containers.
 * `long`: files that take minutes. run.mjs runs them one after another.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ByDuration } from './setup/durations.ts';

const cores = availableParallelism();
const long = 'test/**/*.long.test.ts';
const integration = [
  'test/{chaos,conform,deploy,doctor,nginx,process,siege}/**/*.test.ts',
  'test/{cli,readmes}.test.ts',
  'test/listener/http/{alike,http11}.test.ts',
  'test/listener/uwsgi/{nginx,path,websocket}.test.ts',
  'test/signaling/{shared,store-away}.test.ts',
  'test/store/{faults,valkey}.test.ts',
];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // The signaling cases wait far more than they work.
    maxConcurrency: 10,
    // By default a condition has one second to become true, which is short for a busy machine.
    expect: { poll: { timeout: 20_000 } },
    tags: [{ name: 'slow', description: 'Runs in npm run test:all only.' }],
    sequence: { sequencer: ByDuration },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...integration, 'test/stack/**', long],
          maxWorkers: cores,
          // A worker loads each module once and not for each file, which saves a third of the time: a test restores what it changes, and
          // vi.mock() cannot be used.
          isolate: false,
          testTimeout: 40_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: integration,
          exclude: [long],
          // These tests wait for processes more than they work.
          maxWorkers: 2 * cores,
          // As in `unit`.
          isolate: false,
          sequence: { groupOrder: 1 },
          testTimeout: 40_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'stack',
          include: ['test/stack/**/*.test.ts'],
          exclude: [long],
          maxWorkers: cores,
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: [long],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
