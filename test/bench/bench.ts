/**
 * `npm run bench`: Genkan compared with a bare `ws` relay, in turns within one run. Absolute figures are noise on a shared machine: the
 * ratios within a round count, and the median of the rounds is printed. Method in test/BENCHMARKS.md.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Job } from './load.ts';
import { type Loaded, perCpuSecond, startLoad } from './loads.ts';
import { bare, bareBehindNginx, genkan, genkanBehindNginx, genkanWithStore, median, type Server } from './servers.ts';
import { shown, table } from './table.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 3);
const idlePeers = Number(process.env.IDLE ?? 4000);
// As many as the open-files limit of this process and its children allows, less some for other files.
const openFiles = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
const mostRooms = Math.min(10_000, Math.floor((openFiles - 100) / 2));

type Contestant = { name: string; start: () => Promise<Server>; against: string; nginx?: boolean };
const contestants: Contestant[] = [
  { name: 'bare ws', start: bare, against: 'bare ws' },
  { name: 'Genkan', start: genkan, against: 'bare ws' },
  { name: 'Genkan, Valkey', start: genkanWithStore, against: 'bare ws' },
  { name: 'bare ws, nginx', start: bareBehindNginx, against: 'bare ws, nginx', nginx: true },
  { name: 'Genkan, nginx, uwsgi', start: () => genkanBehindNginx('uwsgi'), against: 'bare ws, nginx', nginx: true },
  { name: 'Genkan, nginx, HTTP', start: () => genkanBehindNginx('http'), against: 'bare ws, nginx', nginx: true },
];

/** What is measured on a freshly started server; `nginx`: also on one behind nginx. Each row is one figure. */
type Part = { rows: string[]; take: (server: Server) => Promise<number[]>; nginx?: boolean };
const parts: Record<string, Part> = {
  relay: {
    rows: ['signals per CPU s', 'signals per CPU s, in bursts of 16'],
    take: async (server) => [
      await perCpuSecond(jobFor(server, 10, { kind: 'relay', inFlight: 1, seconds }), server.cpu),
      await perCpuSecond(jobFor(server, 10, { kind: 'relay', inFlight: 16, seconds }), server.cpu),
    ],
    nginx: true,
  },
  latency: {
    rows: ['ms to delivery, p50', 'ms to delivery, p99'],
    take: async (server) => {
      const { p50, p99 } = await startLoad(jobFor(server, 10, { kind: 'latency', rate: 2000, seconds })).measured;
      return [p50, p99];
    },
    nginx: true,
  },
  broadcast: {
    rows: ['texts delivered per CPU s, rooms of 10', 'texts delivered per CPU s, rooms of 50'],
    take: async (server) => [
      await perCpuSecond(jobFor(server, 10, { kind: 'broadcast', peers: 10, seconds }), server.cpu),
      await perCpuSecond(jobFor(server, 2, { kind: 'broadcast', peers: 50, seconds }), server.cpu),
    ],
  },
  joins: {
    rows: ['joins and leaves per CPU s', 'resumes per CPU s'],
    take: async (server) => [
      await perCpuSecond(jobFor(server, 8, { kind: 'joins', seconds }), server.cpu),
      await perCpuSecond(jobFor(server, 8, { kind: 'resumes', seconds }), server.cpu),
    ],
    nginx: true,
  },
  memory: { rows: ['kB per idle peer', 'kB per room of two after its call'], take: (server) => memory(server) },
  rooms: {
    rows: [10, 1000, mostRooms].map((rooms) => `signals per CPU s, ${rooms} rooms`),
    take: async (server) => {
      const figures: number[] = [];
      for (const rooms of [10, 1000, mostRooms])
        figures.push(await perCpuSecond(jobFor(server, rooms, { kind: 'relay', inFlight: 1, seconds }), server.cpu));
      return figures;
    },
  },
};

const jobFor = ({ base, dialect }: Server, rooms: number, work: Job['work']): Job => ({ base, dialect, rooms, work });

/** kB of resident memory, beyond what a server needs once it has had any peers. */
const memory = async (server: Server): Promise<number[]> => {
  const loads: Loaded[] = [];
  const grown = async (rooms: number, signals: number) => {
    const before = server.rss();
    const running = startLoad(jobFor(server, rooms, { kind: 'idle', signals }));
    loads.push(running);
    await running.started;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return server.rss() - before;
  };
  await grown(idlePeers / 4, 0);
  const idle = (await grown(idlePeers / 2, 0)) / idlePeers;
  // An offer or an answer, and eight candidates from each side.
  const called = (await grown(idlePeers / 2, 9)) / (idlePeers / 2);
  for (const { kill } of loads) kill();
  return [idle, called];
};

const asked = parseArgs({ allowPositionals: true }).positionals;
const unknown = asked.filter((word) => !(word in parts));
if (unknown.length > 0)
  throw new Error(`no part "${unknown.join('", "')}"; there are ${Object.keys(parts).join(', ')}`);
const taken = Object.entries(parts).filter(([name]) => asked.length === 0 || asked.includes(name));

/** By row and contestant, a figure for each round. */
const figures = new Map<string, Map<string, number[]>>();
for (let round = 1; round <= rounds; round += 1)
  for (const [part, { rows, take, nginx: alsoBehindNginx }] of taken)
    for (const { name, start, nginx } of contestants) {
      if (nginx && !alsoBehindNginx) continue;
      process.stderr.write(`round ${round} of ${rounds}: ${part}, ${name}\n`);
      const server = await start();
      const found = await take(server);
      await server.stop();
      for (const [index, row] of rows.entries()) {
        const ofRow = figures.get(row) ?? new Map<string, number[]>();
        figures.set(row, ofRow.set(name, [...(ofRow.get(name) ?? []), found[index] ?? Number.NaN]));
      }
    }

const cell = (ofRow: Map<string, number[]>, { name, against }: Contestant): string => {
  const own = ofRow.get(name);
  if (!own) return '';
  const ratio = median(own.map((value, round) => value / (ofRow.get(against)?.[round] ?? Number.NaN)));
  return `${shown(median(own))} (${ratio.toFixed(2)})`;
};

process.stdout.write(
  `Medians of ${rounds} rounds; in brackets the median of the rounds' ratios to bare ws, straight or behind the same nginx.\n`,
);
const rows = [...figures].map(([row, ofRow]) => [row, ...contestants.map((contestant) => cell(ofRow, contestant))]);
process.stdout.write(table(['', ...contestants.map(({ name }) => name)], rows));
