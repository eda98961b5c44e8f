/** A short run of the fuzzers; the long one is `npm run fuzz`. */
import { expect, test } from 'vitest';
import { fuzzLive } from './fuzz-live.ts';
import { fuzzParser } from './fuzz-parser.ts';

test('20 000 packets are parsed like by a second parser', () => {
  const { heads, refused, faults, more } = fuzzParser(1, 20_000);
  expect(Math.min(heads, refused, faults, more)).toBeGreaterThan(1000);
});

test('400 connections: none hangs, crashes, or receives bytes that nobody sent', async () => {
  const { answered, refused, cut } = await fuzzLive(2, 400);
  expect(answered).toBeGreaterThan(50);
  expect(Math.min(refused, cut)).toBeGreaterThan(50);
});
