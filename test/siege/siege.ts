/**
 * `npm run siege [-- words]`: runs every attack alone, then all together, or those whose names contain one of the words (`together` is
 * a name too), and writes the effect on honest peers into the table of test/BENCHMARKS.md. Options in the environment: STORES=memory
 * skips Valkey; SECONDS is the length of an attack (alone 20, together 300); QUIET the seconds before it; SHARE the attacker's share of
 * a processor; WRITE=1 updates the table also when words are given.
 */
import { parseArgs } from 'node:util';
import type { StoreKind } from '../chaos/place.ts';
import { keepLines } from '../setup/results-table.ts';
import { attacks } from './attacks.ts';
import { besiege, type Outcome, refusedIn } from './trial.ts';

const { STORES = 'memory,valkey', SECONDS, QUIET = '10', SHARE = '0.5', WRITE } = process.env;
const words = parseArgs({ allowPositionals: true }).positionals;
const together = 'together';
const names = ['nothing', ...Object.keys(attacks), together];
const stores = (['memory', 'valkey'] as const satisfies StoreKind[]).filter((store) => STORES.includes(store));

const columns = [
  'attack',
  'store',
  'seconds',
  'acknowledged',
  'lost',
  'refused',
  'not resumed',
  'hosts changed',
  'ack p99',
  'delivery p99',
  'growth (MB)',
  'join p99',
  'CPU',
  'date',
];
const head = `| ${columns.join(' | ')} |\n|${columns.map((_, at) => (at > 1 && at < columns.length - 1 ? ' --: |' : ' --- |')).join('')}`;

const lineOf = (outcome: Outcome): string => {
  const { attack, store, seconds, acknowledged, lost, notRecovered, hostsChanged, quiet, siege, cpu, died, newcomers } =
    outcome;
  const cells = [
    attack,
    store,
    seconds.toFixed(0),
    acknowledged,
    lost,
    refusedIn(outcome),
    notRecovered,
    hostsChanged.length,
    `${quiet.acknowledged.toFixed(0)} / ${siege.acknowledged.toFixed(0)}`,
    `${quiet.received.toFixed(0)} / ${siege.received.toFixed(0)}`,
    `${outcome.growth.toFixed(0)}${died ? ' (died)' : ''}`,
    newcomers.p99.toFixed(0),
    `${cpu.server.toFixed(2)} / ${cpu.attacker.toFixed(2)}`,
    new Date().toISOString().slice(0, 10),
  ];
  return `| ${cells.join(' | ')} |`;
};

/** The aims that were missed. */
const failuresOf = (outcome: Outcome): string[] => {
  const { lost, hostsChanged, growth, quiet, siege, died, readiness, newcomers, wronglyLeft, lateReloads } = outcome;
  return [
    ...(died ? ['the server died'] : []),
    ...(lost > 0 ? [`${lost} messages lost`] : []),
    ...(refusedIn(outcome) > 0 ? [`${refusedIn(outcome)} honest requests refused`] : []),
    ...(newcomers.late > 0 ? [`${newcomers.late} newcomers had not joined after 10 s`] : []),
    ...(lateReloads.length > 0 ? [`${lateReloads.length} pages were not back in time`] : []),
    ...(wronglyLeft > 0 ? [`${wronglyLeft} wrong peer-left`] : []),
    ...(hostsChanged.length > 0 ? [`hosts changed in ${hostsChanged}`] : []),
    ...(growth >= 150 ? [`grew by ${growth.toFixed(0)} MB`] : []),
    ...(siege.acknowledged > 3 * quiet.acknowledged ? ['acknowledged late'] : []),
    ...(siege.received > 3 * quiet.received ? ['delivered late'] : []),
    ...(readiness.untrue > 0 ? [`/readyz returned 200 while ${readiness.untrue} were refused`] : []),
  ];
};

let failed = 0;
console.log(head);
for (const name of names.filter((name) => words.length === 0 || words.some((word) => name.includes(word))))
  for (const store of stores) {
    const isAll = name === together;
    const length = { quiet: Number(QUIET), siege: Number(SECONDS ?? (isAll ? 300 : 20)), share: Number(SHARE) };
    const outcome = await besiege(
      name,
      isAll ? Object.keys(attacks) : [name].filter((one) => one in attacks),
      store,
      length,
    );
    const failures = failuresOf(outcome);
    if (failures.length > 0) failed += 1;
    console.log(lineOf(outcome));
    console.log(`    ${failures.length > 0 ? `FAILED: ${failures.join(', ')}` : 'held'}`);
    const { spoils, findings, ...more } = outcome;
    console.log(`    ${JSON.stringify(more)}`);
    for (const [one, counts] of Object.entries(spoils)) console.log(`    ${one}: ${JSON.stringify(counts)}`);
    for (const finding of findings.slice(0, 30)) console.log(`    ${finding}`);
    if (words.length === 0 || WRITE) keepLines('siege', head, names, [lineOf(outcome)]);
  }
process.exit(failed === 0 ? 0 : 1);
