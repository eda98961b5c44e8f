/**
 * `npm run bench:scale`: the cost of many workers, a shared store, many peers and many rooms, and how fast everyone reconnects. CPU seconds
 * are measured for each process. Writes its results to measured.json, from which `npm run capacity` calculates.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { CrowdJob, CrowdMeasured } from './crowd.ts';
import { type Shape, type Stack, startFleet, type Used } from './fleet.ts';
import type { LightJob, LightMeasured } from './light.ts';
import type { Job } from './load.ts';
import { type Loaded, startAnywhere } from './loads.ts';
import { cpuOf, median } from './servers.ts';
import { shown, table } from './table.ts';

const rounds = Number(process.env.ROUNDS ?? 3);
const seconds = Number(process.env.SECONDS ?? 3);
const idlePeers = Number(process.env.IDLE ?? 20_000);
const clients = Number(process.env.CLIENTS ?? 5000);

type Figures = Record<string, number>;
type Contestant = { name: string; shape: Shape; take: (stack: Stack) => Promise<Figures> };
/** `rounds`: the maximum, for slow parts. Ratios are to the first contestant. */
type Part = { title: string; contestants: Contestant[]; rounds?: number; ratios: boolean };

const load = ({ bases }: Stack, rooms: number, work: Job['work'], spread = false): Loaded => {
  const [base = '', ...beside] = bases;
  const job: Job = { base, beside, dialect: 'genkan', rooms, work, spread };
  return startAnywhere('load.ts', job);
};

const since = (now: Used, before: Used): Used => ({
  app: now.app - before.app,
  nginx: now.nginx - before.nginx,
  store: now.store - before.store,
});

/** What was done, and the CPU seconds it took. */
const measure = async (stack: Stack, running: Loaded): Promise<{ done: number; used: Used }> => {
  await running.started;
  const before = stack.cpu();
  const { done } = await running.measured;
  return { done, used: since(stack.cpu(), before) };
};

const relayed = (spread: boolean) => async (stack: Stack) => {
  const lone = await measure(stack, load(stack, 20, { kind: 'relay', inFlight: 1, seconds }, spread));
  const bursts = await measure(stack, load(stack, 20, { kind: 'relay', inFlight: 16, seconds }, spread));
  return {
    'signals per CPU s of the app': lone.done / lone.used.app,
    'in bursts of 16': bursts.done / bursts.used.app,
    'signals per CPU s of the store': perSecondOf(lone.done, lone.used.store),
    'in bursts of 16, store': perSecondOf(bursts.done, bursts.used.store),
  };
};

/** NaN where there is no such process. */
const perSecondOf = (done: number, cpu: number): number => (cpu > 0 ? done / cpu : Number.NaN);

/** µs of CPU for each operation, by process. */
const costs = async (stack: Stack): Promise<Figures> => {
  const works: [string, number, Job['work']][] = [
    ['signal', 20, { kind: 'relay', inFlight: 1, seconds }],
    ['signal in a burst', 20, { kind: 'relay', inFlight: 16, seconds }],
    ['join and leave', 8, { kind: 'joins', seconds }],
    ['resume', 8, { kind: 'resumes', seconds }],
  ];
  const figures: Figures = {};
  for (const [what, rooms, work] of works) {
    const { done, used } = await measure(stack, load(stack, rooms, work));
    for (const [who, cpu] of Object.entries(used)) figures[`${what}, ${who}`] = (cpu / done) * 1e6;
  }
  return figures;
};

const onAllCores = async (stack: Stack): Promise<Figures> => {
  const job: LightJob = { base: stack.bases[0] ?? '', dialect: 'genkan', rooms: 40, wave: 16, seconds };
  const running = startAnywhere<LightMeasured>('light.ts', job);
  await running.started;
  const [before, ofLoad] = [stack.cpu(), cpuOf(running.pid)];
  await sleep(seconds * 900);
  const [used, loadUsed] = [since(stack.cpu(), before), cpuOf(running.pid) - ofLoad];
  const { done, seconds: took } = await running.measured;
  const part = 0.9 * (seconds / took) * done;
  return {
    'signals per s': done / took,
    'signals per CPU s of the app': part / used.app,
    'cores used: app': used.app / (0.9 * seconds),
    'cores used: nginx': used.nginx / (0.9 * seconds),
    'cores used: load': loadUsed / (0.9 * seconds),
  };
};

/** The cost of idle peers, beyond what the first ones needed. */
const idle = async (stack: Stack): Promise<Figures> => {
  const loads: Loaded[] = [];
  const hold = async (peers: number): Promise<void> => {
    const running = load(stack, peers / 2, { kind: 'idle', signals: 0 });
    loads.push(running);
    await running.started;
  };
  await hold(idlePeers / 10);
  await sleep(3000);
  const before = { rss: stack.rss(), peers: (await stack.status()).peers, kernel: kernelMemory() };
  const rest = idlePeers - before.peers;
  await Promise.all([hold(rest / 2), hold(rest / 2)]);
  await sleep(5000);
  const { peers } = await stack.status();
  const grown = since(stack.rss(), before.rss);
  const kernel = kernelMemory() - before.kernel;
  const cpu = stack.cpu();
  const [from, watched] = [performance.now(), 30_000];
  await sleep(watched);
  const used = since(stack.cpu(), cpu);
  const passed = (performance.now() - from) / 1000;
  const still = (await stack.status()).peers;
  for (const { kill } of loads) kill();
  const more = peers - before.peers;
  return {
    'peers connected': Math.min(peers, still),
    'kB per peer, app': grown.app / more,
    'kB per peer, nginx': grown.nginx / more,
    'kB per peer, store': grown.store / more,
    'kB per peer, kernel (including the load)': kernel / more,
    'µs per peer and s, app': (used.app / passed / peers) * 1e6,
    'µs per peer and s, nginx': (used.nginx / passed / peers) * 1e6,
    'µs per peer and s, store': (used.store / passed / peers) * 1e6,
  };
};

/** kB that the kernel keeps for sockets and files and cannot free. */
const kernelMemory = (): number => Number(/SUnreclaim:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);

const back = (disturb: (stack: Stack) => Promise<void>) => async (stack: Stack) => {
  const job: CrowdJob = { base: stack.bases[0] ?? '', clients };
  const running = startAnywhere<CrowdMeasured>('crowd.ts', job);
  await running.started;
  const from = Date.now();
  await disturb(stack);
  const { back: times, recovered, missing, plain } = await running.measured;
  const after = (share: number): number => ((times[Math.ceil(times.length * share) - 1] ?? Number.NaN) - from) / 1000;
  return {
    'clients lost': times.length + missing,
    's until half have reconnected': after(0.5),
    '95 %': after(0.95),
    all: missing > 0 ? Number.NaN : after(1),
    'sessions resumed': recovered,
    'by plain HTTP': plain,
  };
};

const killWorker = async (stack: Stack): Promise<void> => {
  const [first] = (await stack.status()).workers;
  if (first) process.kill(first.pid, 'SIGKILL');
};

const inRooms = async (stack: Stack): Promise<Figures> => {
  const figures: Figures = {};
  for (const rooms of [10, 1000, 5000]) {
    const { done, used } = await measure(stack, load(stack, rooms, { kind: 'relay', inFlight: 1, seconds }));
    figures[`${rooms} rooms`] = done / used.app;
    figures[`${rooms} rooms, store`] = perSecondOf(done, used.store);
  }
  return figures;
};

const direct = (workers: number, store = false): Shape => ({ workers, store, nginx: 0 });
const behindNginx = (workers: number, store = false, nginx = 2): Shape => ({ workers, store, nginx });
const parts: Record<string, Part> = {
  store: {
    title: 'Relay with rooms in memory and in Valkey, straight to the workers',
    ratios: true,
    contestants: [
      { name: 'memory, 1 worker', shape: direct(1), take: relayed(false) },
      { name: 'memory, 2 workers', shape: direct(2), take: relayed(false) },
      { name: 'Valkey, 1 worker', shape: direct(1, true), take: relayed(false) },
      { name: 'Valkey, 2 workers', shape: direct(2, true), take: relayed(false) },
      { name: 'Valkey, the peers of a room on 2 workers', shape: direct(2, true), take: relayed(true) },
    ],
  },
  workers: {
    title: 'Workers on two cores, through nginx, in bursts of 16',
    ratios: true,
    contestants: [
      { name: '1 worker', shape: behindNginx(1), take: onAllCores },
      { name: '2 workers', shape: behindNginx(2), take: onAllCores },
    ],
  },
  costs: {
    title: 'µs of CPU, through nginx, by who used them',
    ratios: false,
    contestants: [
      { name: 'memory', shape: behindNginx(1), take: costs },
      { name: 'Valkey', shape: behindNginx(1, true), take: costs },
    ],
  },
  idle: {
    title: 'Peers that say nothing, in rooms of two, through nginx to 2 workers',
    rounds: 1,
    ratios: false,
    contestants: [
      { name: 'memory', shape: behindNginx(2, false, 4), take: idle },
      { name: 'Valkey', shape: behindNginx(2, true, 4), take: idle },
    ],
  },
  back: {
    title: `Until ${clients} clients of the library are back, through nginx to 2 workers`,
    rounds: 1,
    ratios: false,
    contestants: [
      { name: 'reload, memory', shape: behindNginx(2), take: back((stack) => stack.reload()) },
      { name: 'reload, Valkey', shape: behindNginx(2, true), take: back((stack) => stack.reload()) },
      { name: 'a worker killed, Valkey', shape: behindNginx(2, true), take: back(killWorker) },
    ],
  },
  rooms: {
    title: 'Signals per CPU s by the number of rooms, one under way in each, straight to 1 worker',
    ratios: false,
    contestants: [
      { name: 'memory', shape: direct(1), take: inRooms },
      { name: 'Valkey', shape: direct(1, true), take: inRooms },
    ],
  },
};

/** For each contestant, a row of figures for each round. */
const compete = async (name: string, { contestants, rounds: most = rounds }: Part): Promise<Figures[][]> => {
  const found: Figures[][] = contestants.map(() => []);
  for (let round = 1; round <= Math.min(rounds, most); round += 1)
    for (const [index, contestant] of contestants.entries()) {
      process.stderr.write(`round ${round}: ${name}, ${contestant.name}\n`);
      const stack = await startFleet(contestant.shape);
      try {
        found[index]?.push(await contestant.take(stack));
      } finally {
        await stack.stop();
      }
    }
  return found;
};

const medians = (ofRounds: Figures[]): Figures =>
  Object.fromEntries(
    Object.keys(ofRounds[0] ?? {}).map((figure) => [figure, median(ofRounds.map((one) => one[figure] ?? Number.NaN))]),
  );

/** A row for each figure, a column for each contestant. */
const rowsOf = (found: Figures[][], ratios: boolean): string[][] =>
  Object.keys(found[0]?.[0] ?? {}).map((figure) => [
    figure,
    ...found.map((own) => {
      const value = median(own.map((one) => one[figure] ?? Number.NaN));
      const toFirst = own.map(
        (one, round) => (one[figure] ?? Number.NaN) / (found[0]?.[round]?.[figure] ?? Number.NaN),
      );
      if (Number.isNaN(value)) return '';
      return ratios ? `${shown(value)} (${median(toFirst).toFixed(2)})` : shown(value);
    }),
  ]);

const file = join(import.meta.dirname, 'measured.json');
/** Keeps the earlier results of other parts. */
const keep = (name: string, part: Part, found: Figures[][]): void => {
  const before = JSON.parse(readFileSync(file, 'utf8'));
  const figures = Object.fromEntries(part.contestants.map((one, index) => [one.name, medians(found[index] ?? [])]));
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} × ${cpus()[0]?.model}`;
  const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  const kept = { ...before[name]?.figures, ...figures };
  const parts = { ...before, [name]: { date, machine, figures: kept } };
  writeFileSync(file, `${JSON.stringify(parts, rounded, 2)}\n`);
};

/** `part`, or `part:contestant`. */
const asked = parseArgs({ allowPositionals: true }).positionals.map((word) => word.split(':'));
const unknown = asked.flatMap(([part = '']) => (part in parts ? [] : [part]));
if (unknown.length > 0)
  throw new Error(`no part "${unknown.join('", "')}"; there are ${Object.keys(parts).join(', ')}`);
for (const [name, whole] of Object.entries(parts)) {
  const wanted = asked.filter(([word]) => word === name);
  if (asked.length > 0 && wanted.length === 0) continue;
  const isWanted = (one: string) =>
    wanted.every(([, only]) => only === undefined) || wanted.some(([, only]) => only === one);
  const part = { ...whole, contestants: whole.contestants.filter((one) => isWanted(one.name)) };
  const found = await compete(name, part);
  keep(name, part, found);
  const rows = rowsOf(found, part.ratios);
  process.stdout.write(`${part.title}\n${table(['', ...part.contestants.map((one) => one.name)], rows)}\n`);
}
