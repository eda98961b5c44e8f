/** `npm run fuzz:server` runs more messages: GENKAN_FUZZ is their number; GENKAN_SEED reproduces a failure. */
import { afterEach, expect, it, vi } from 'vitest';
import { fuzzServer } from './fuzz-server.ts';

const messages = Number(process.env.GENKAN_FUZZ ?? 5_000);
const seed = Number(process.env.GENKAN_SEED ?? Math.floor(Math.random() * 2 ** 32));

afterEach(() => void vi.unstubAllGlobals());

it(`a hostile server with seed ${seed} cannot end the connection for good, stall the page or fill its memory`, {
  timeout: 1_800_000,
}, async () => {
  const mistakes: unknown[] = [];
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('reportError', (error: Error) => error.message !== 'a mistake of the page' && mistakes.push(error));
  const outcome = await fuzzServer(seed, messages, ({ WebSocket, fetch }) => {
    vi.stubGlobal('WebSocket', WebSocket);
    vi.stubGlobal('fetch', fetch);
  });
  console.log(JSON.stringify(outcome));
  expect(mistakes).toEqual([]);
  expect(outcome.received).toBeGreaterThan(messages / 50);
  expect(outcome.recovered).toBeGreaterThan(0);
  expect(outcome.slowest).toBeLessThan(500);
  expect(outcome.grownBy).toBeLessThan(16);
});
