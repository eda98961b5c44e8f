/** The capacity model, and that the tables of test/BENCHMARKS.md are those that `npm run capacity` and `npm run hash` print. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type Coefficients,
  load,
  measuredFile,
  perWorker,
  plan,
  rates,
  readMeasured,
  tables,
  usual,
} from './capacity.ts';
import { hashTable } from './hash.ts';

const benchmarks = readFileSync(join(import.meta.dirname, '../BENCHMARKS.md'), 'utf8');
const by = (app: number, nginx: number, store: number) => ({ app, nginx, store });

describe('the capacity model', () => {
  const assumed = { ...usual, inRoom: 3, stay: 10, signals: 9, texts: 3, busy: 0.5, back: 20, cores: 4, memory: 8 };
  const found: Coefficients = {
    signal: by(30, 20, 40),
    join: by(600, 300, 600),
    resume: by(1000, 300, 600),
    idle: by(10, 0.5, 1),
    memory: by(20, 10, 20),
  };

  test('equals figures calculated by hand', () => {
    // One join in 600 s; 36 signals with it, and 3 texts a minute to two others.
    expect(rates(assumed).joins).toBeCloseTo(1 / 600);
    expect(rates(assumed).messages).toBeCloseTo(0.06 + 0.1);
    // 10 + 600/600 + 0.16 × 30 = 15.8 µs of CPU a second.
    expect(load(assumed, found)).toEqual(by(expect.closeTo(15.8), expect.closeTo(4.2), expect.closeTo(8.4)));
    // 20 s / 1 ms is less than 0.5 s / 15.8 µs = 31 645.
    expect(perWorker(assumed, found)).toEqual({ peers: 20_000, because: 'reconnecting' });
    // 1.3 × 10⁶ / 20 000; 4.2 s / 0.5; 8.4 s / 0.5, because 39.8 GB would need fewer of 4 GB each.
    const needed = plan(1e6, { ...assumed, fullest: 1.3, kept: 1.1 }, found);
    expect(needed).toMatchObject({ workers: 65, nginx: 9, shards: 17 });
    // 65 × 0.105 for empty workers, 30 for peers, 2 × 39.8 in shards; that needs more machines of 8 GB, half free, than 108 processors of
    // 4.
    expect(needed.memory).toBeCloseTo(116.4, 1);
    expect(needed.machines).toBe(30);
  });

  test('the limiting factor depends on the measured costs', () => {
    expect(perWorker(assumed, { ...found, resume: by(1, 1, 1) })).toEqual({ peers: 28_232, because: 'ports' });
    expect(perWorker(assumed, { ...found, idle: by(100, 0, 0) }).because).toBe('CPU');
    expect(plan(1e6, assumed, { ...found, memory: by(2000, 0, 0) }).machines).toBeGreaterThan(500);
  });

  test('more peers never need fewer machines or workers', () => {
    const plans = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map((peers) => plan(peers, assumed, found));
    for (const [index, { machines, workers }] of plans.slice(1).entries()) {
      expect(machines).toBeGreaterThanOrEqual(plans[index]?.machines ?? 0);
      expect(workers).toBeGreaterThanOrEqual(plans[index]?.workers ?? 0);
    }
  });

  test('a missing figure is named in the error', () => {
    const text = '{"costs":{"figures":{}},"idle":{"figures":{}}}';
    expect(() => readMeasured(text)).toThrow('not measured: memory, signal, app');
  });
});

describe('test/BENCHMARKS.md', () => {
  test('has the tables of npm run capacity for the latest measurements', () => {
    for (const one of tables(readMeasured(readFileSync(measuredFile, 'utf8'))).split('\n\n'))
      expect(benchmarks).toContain(one.trim());
  });

  test('has the table of npm run hash, and capacity uses the load of its fullest host', {
    tags: ['slow'],
    timeout: 120_000,
  }, () => {
    const table = hashTable();
    expect(benchmarks).toContain(table);
    const fullest = table
      .split('\n')
      .slice(2, -1)
      .map((row) => Number(row.split(' | ')[5]));
    expect(Math.max(...fullest)).toBe(usual.fullest);
  });
});
