/**
 * `npm run bench`: Genkan beside a bare `ws` relay, in turns within one run. Absolute figures are noise on a shared machine; the
 * ratios of one round are what counts, and the median of the rounds is what is printed. Method in test/README.md.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Job, Measured } from './load.ts';
import {
  bare,
  bareBehindNginx,
  genkan,
  genkanBehindNginx,
  genkanWithStore,
  median,
  pinned,
  type Server,
} from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 3);
const idlePeers = Number(process.env.IDLE ?? 4000);

type Contestant = { name: string; start: () => Promise<Server>; against: string };
const all: Contestant[] = [
  { name: 'bare ws', start: bare, against: 'bare ws' },
  { name: 'Genkan', start: genkan, against: 'bare ws' },
  { name: 'Genkan, Valkey', start: genkanWithStore, against: 'bare ws' },
  { name: 'bare ws, nginx', start: bareBehindNginx, against: 'bare ws, nginx' },
  { name: 'Genkan, nginx, uwsgi', start: () => genkanBehindNginx('uwsgi'), against: 'bare ws, nginx' },
  { name: 'Genkan, nginx, HTTP', start: () => genkanBehindNginx('http'), against: 'bare ws, nginx' },
];
const only = process.env.ONLY?.split(';') ?? all.map(({ name }) => name);
const contestants = all.filter(({ name }) => only.includes(name));

const load = async (job: Job): Promise<{ started: Promise<void>; measured: Promise<Measured>; kill: () => void }> => {
  const [program = '', ...args] = pinned(1, [
    process.execPath,
    join(import.meta.dirname, 'load.ts'),
    JSON.stringify(job),
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const started = Promise.withResolvers<void>();
  const measured = Promise.withResolvers<Measured>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'start') started.resolve();
    else measured.resolve(JSON.parse(line));
  });
  child.once('exit', (code) => {
    const failed = new Error(`the load ended with code ${code}`);
    started.reject(failed);
    measured.reject(failed);
  });
  measured.promise.catch(() => {});
  return { started: started.promise, measured: measured.promise, kill: () => child.kill('SIGKILL') };
};

/** Delivered messages per CPU second of the server (and of nginx, where it stands before it). */
const throughput = async (server: Server, rooms: number, inFlight: number): Promise<number> => {
  const running = await load({ ...server, rooms, work: { kind: 'relay', inFlight, seconds } });
  await running.started;
  const before = server.cpu();
  const { delivered } = await running.measured;
  return delivered / (server.cpu() - before);
};

const latency = async (server: Server): Promise<Measured> => {
  const running = await load({ ...server, rooms: 10, work: { kind: 'latency', rate: 2000, seconds } });
  return running.measured;
};

/** kB of resident memory for each silent peer, beyond what a server needs once it has had some at all. */
const memory = async (server: Server): Promise<number> => {
  const settled = async (rooms: number) => {
    const running = await load({ ...server, rooms, work: { kind: 'idle' } });
    await running.started;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { rss: server.rss(), kill: running.kill };
  };
  const some = await settled(idlePeers / 4);
  const many = await settled(idlePeers / 2);
  some.kill();
  many.kill();
  return (many.rss - some.rss) / idlePeers;
};

type Row = Record<'lone' | 'burst' | 'p50' | 'p99' | 'memory', number>;
const results = new Map<string, Row[]>(contestants.map(({ name }) => [name, []]));

for (let round = 1; round <= rounds; round += 1) {
  for (const { name, start } of contestants) {
    process.stderr.write(`round ${round} of ${rounds}: ${name}\n`);
    const server = await start();
    const lone = await throughput(server, 10, 1);
    const burst = await throughput(server, 10, 16);
    const { p50, p99 } = await latency(server);
    await server.stop();
    const fresh = await start();
    results.get(name)?.push({ lone, burst, p50, p99, memory: await memory(fresh) });
    await fresh.stop();
  }
}

const columns = ['lone', 'burst', 'p50', 'p99', 'memory'] as const;
const shown = (column: keyof Row, value: number): string =>
  column === 'lone' || column === 'burst'
    ? `${(value / 1000).toFixed(1)} k`
    : column === 'memory'
      ? value.toFixed(1)
      : value.toFixed(3);

const heads = ['', 'relay, msg per CPU s', 'bursts of 16', 'p50 ms', 'p99 ms', 'kB per idle peer'];
const lines = contestants.map(({ name, against }) => {
  const own = results.get(name) ?? [];
  const other = results.get(against) ?? [];
  const cells = columns.map((column) => {
    const ratio = median(own.map((row, round) => row[column] / (other[round]?.[column] ?? Number.NaN)));
    return `${shown(column, median(own.map((row) => row[column])))} (${ratio.toFixed(2)})`;
  });
  return [name, ...cells];
});
process.stdout.write(
  `Medians of ${rounds} rounds; in brackets the median of the rounds' ratios to bare ws, straight or behind the same nginx.\n`,
);
for (const cells of [heads, heads.map(() => '---'), ...lines]) process.stdout.write(`| ${cells.join(' | ')} |\n`);
