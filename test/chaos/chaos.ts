/**
 * `npm run chaos [-- words]`: injects every fault, or those whose names contain one of the words, and writes the results into
 * test/BENCHMARKS.md. Options in the environment: ROOMS, PEERS and PAUSE (ms between two messages of a peer) for a smaller load,
 * STORES=valkey to skip memory, WRITE=1 to update the table also when words are given.
 */
import { parseArgs } from 'node:util';
import { keepLines } from '../setup/results-table.ts';
import { faults } from './faults.ts';
import { isKept, type Row, tryOut } from './trial.ts';

const { ROOMS = '200', PEERS = '3', PAUSE = '1000', STORES = 'memory,embedded,valkey' } = process.env;
const numbers = { rooms: Number(ROOMS), peers: Number(PEERS), pause: Number(PAUSE) };
const words = parseArgs({ allowPositionals: true }).positionals;

const round = (seconds: number): string => seconds.toFixed(1);
const lineOf = ({ fault, store, outcome }: Row): string => {
  const { acknowledged, lost, duplicated, disordered, ghosts, wronglyLeft, waits, broken } = outcome;
  const counts = [acknowledged, lost, duplicated, disordered, ghosts, wronglyLeft, broken];
  const times = [waits.median, waits.p95, waits.max].map(round).join(' / ');
  return `| ${[fault, store, `${numbers.rooms} / ${numbers.pause / 1000}`, ...counts, times, new Date().toISOString().slice(0, 10)].join(' | ')} |`;
};
const head = `| fault | store | rooms / interval | acknowledged | lost | duplicated | reordered | ghosts | wrong \`peer-left\` | 1006 | longest wait: p50 / p95 / max | date |
| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |`;

let failed = 0;
for (const [name, { stores }] of Object.entries(faults)) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  for (const store of stores.filter((kind) => STORES.includes(kind))) {
    const row = await tryOut(name, store, numbers, { lasts: 600, patience: 90 });
    const kept = isKept(row);
    if (!kept) failed += 1;
    console.log(`${kept ? (row.honest ?? 'kept') : 'BROKEN'}\n${lineOf(row)}`);
    for (const finding of [...row.findings, ...row.outcome.fatal.slice(0, 20)]) console.log(`    ${finding}`);
    if (words.length === 0 || process.env.WRITE) keepLines('chaos', head, Object.keys(faults), [lineOf(row)]);
  }
}
process.exit(failed === 0 ? 0 : 1);
