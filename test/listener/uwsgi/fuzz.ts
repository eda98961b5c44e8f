/**
 * Fuzzes the uwsgi parser and the live listener at length: `node test/listener/uwsgi/fuzz.ts [--seed N] [--packets N] [--connections N]`.
 * Exits with 1 at the first violation; the printed seed reproduces it.
 */
import { parseArgs } from 'node:util';
import { heldMegabytes } from '../../setup/heap.ts';
import { fuzzLive } from './fuzz-live.ts';
import { fuzzParser } from './fuzz-parser.ts';

const option = { type: 'string' } as const;
const { values } = parseArgs({ options: { seed: option, packets: option, connections: option } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const packets = Number(values.packets ?? 1_000_000);
const connections = Number(values.connections ?? 20_000);

const growth = 16;
const grownBy = (before: number): number => {
  const grown = heldMegabytes() - before;
  if (grown > growth) throw new Error(`memory has grown by ${grown.toFixed(1)} MB`);
  return grown;
};

console.log(`seed ${seed}`);
const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);

// Allocates now what is allocated only once.
fuzzParser(seed, 20_000);
let before = heldMegabytes();
const parsed = fuzzParser(seed + 1, packets);
console.log(`${seconds()} s, parser:`, JSON.stringify(parsed), `memory ${grownBy(before).toFixed(1)} MB more`);

await fuzzLive(seed + 2, Math.min(connections, 1000));
before = heldMegabytes();
const live = await fuzzLive(seed + 3, connections, () => process.stdout.isTTY && process.stdout.write('.'));
console.log(`${seconds()} s, listener:`, JSON.stringify(live), `memory ${grownBy(before).toFixed(1)} MB more`);
