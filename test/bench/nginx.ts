/**
 * `npm run bench:nginx`: nginx with the files of `genkan nginx` compared with a bare one: files from disk with a bare `root`, requests
 * and WebSockets through every mode with the same files without headers, limits and log. Throughput per CPU second is compared. Method
 * in test/BENCHMARKS.md.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Target } from '../nginx/ask.ts';
import { type Case, cases, certificate, frontOf, targetOf } from '../nginx/modes.ts';
import { type Front, startNginx, type Upstream } from '../nginx/nginx.ts';
import { keepAsking } from './asking.ts';
import { bareRoot, stripped } from './bare-nginx.ts';
import { startLoad } from './loads.ts';
import { cpuOf, median, onThisProcessor, pinNginx, startApp } from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 1);
const publicDir = join(import.meta.dirname, '../../dist/public');

type Kind = Upstream['kind'];
/** The work done through an nginx at `target`; → how much, and how much of it between the two readings of `cpu`. */
type Work = (target: Target, cpu: () => number[]) => Promise<{ done: number; used: number[] }>;
type Row = {
  part: string;
  name: string;
  aim: number;
  ours: Front;
  bare: Front;
  target: (port: number) => Target;
  work: Work;
};

const asking =
  (path: string): Work =>
  async (target, cpu) => {
    const before = cpu();
    const done = await keepAsking(target, path, seconds);
    return { done, used: since(before, cpu()) };
  };

/** Signals of 1 KB in ten rooms of two, one in flight in each. */
const relay =
  (base: string): Work =>
  async ({ port, tls, headers = {} }, cpu) => {
    const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}${base.slice(0, -1)}`;
    const work = { kind: 'relay', inFlight: 1, seconds } as const;
    const running = startLoad({ base: url, dialect: 'genkan', client: { headers, ...tls }, rooms: 10, work });
    await running.started;
    const before = cpu();
    const { done } = await running.measured;
    return { done, used: since(before, cpu()) };
  };

const since = (before: number[], now: number[]): number[] => now.map((value, at) => value - (before[at] ?? 0));

/** One worker: everything runs on one processor. */
const ours = (front: Front, change = (_: string, text: string) => text): Front => ({
  publicDir,
  ...front,
  spoil: (path, text) => change(path, text.replace('worker_processes auto', 'worker_processes 1')),
});

/** Files are served without the app. */
const nobody: Upstream = { kind: 'uwsgi', address: '127.0.0.1:1' };

const fileRows = (): Row[] =>
  readdirSync(join(publicDir, 'js'))
    .filter((name) => /^(?:icon-48-.*\.png|genkan\.js|index-.*\.js)$/.test(name))
    .map((name) => ({ name, size: statSync(join(publicDir, 'js', name)).size }))
    .sort((a, b) => a.size - b.size)
    .map(({ name, size }) => ({
      part: 'files',
      name: `/js/${name}, ${(size / 1000).toFixed(1)} kB`,
      aim: 0.95,
      ours: ours({ app: nobody }),
      bare: { app: nobody, ...bareRoot(publicDir) },
      target: (port) => ({ port }),
      work: asking(`/js/${name}`),
    }));

const modeRows = (mode: Case, kind: Kind): Row[] => {
  const { base, name } = mode;
  const [forOurs = nobody, forBare = nobody] = upstreams(kind);
  const both = {
    aim: 0.9,
    ours: ours({ app: forOurs, ...frontOf(mode) }),
    bare: ours({ app: forBare, ...frontOf(mode) }, stripped),
    target: (port: number) => targetOf(mode, port, files.chain),
  };
  const called = `${name}, ${kind}`;
  return [
    { ...both, part: 'requests', name: `requests: ${called}`, work: asking(`${base}rooms/bench/seen`) },
    { ...both, part: 'relay', name: `signals: ${called}`, work: relay(base) },
  ];
};

/** What was done per CPU second of nginx, and of nginx and the app together. */
type Figures = { nginx: number; whole: number };
type Pair = { ours: Figures; bare: Figures };
type Started = { take(): Promise<Figures>; pids: number[]; stop(): Promise<void> };

/** @param app the process id of the app behind it */
const start = async (front: Front, { target, work }: Row, app: number, others: number[]): Promise<Started> => {
  const nginx = await startNginx(front);
  const pids = await pinNginx(others);
  const nginxCpu = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const take = async () => {
    const { done, used } = await work(target(nginx.port), () => [nginxCpu(), cpuOf(app)]);
    const [byNginx = 0, byApp = 0] = used;
    return { nginx: done / byNginx, whole: done / (byNginx + byApp) };
  };
  return { take, pids, stop: () => nginx.stop() };
};

/** Both are loaded at the same time, each with an app of its own, so that other load on the machine slows both. */
const compare = async (row: Row): Promise<Pair[]> => {
  const [forOurs, forBare] = apps.map(({ pid = 0 }) => pid);
  const bare = await start(row.bare, row, forBare ?? 0, []);
  const own = await start(row.ours, row, forOurs ?? 0, bare.pids);
  const pairs: Pair[] = [];
  // The first round fills caches.
  for (let round = 0; round <= rounds; round += 1) {
    const [ours, other] = await Promise.all([own.take(), bare.take()]);
    if (round > 0) pairs.push({ ours, bare: other });
  }
  await Promise.all([own.stop(), bare.stop()]);
  return pairs;
};

const asked = parseArgs({ allowPositionals: true }).positionals;
const directory = mkdtempSync(join(tmpdir(), 'genkan-bench-'));
const files = certificate();
/** The addresses of the app behind our nginx and of the one behind the bare nginx. */
const places = ['ours', 'bare'].map((name) => ({
  uwsgi: join(directory, `${name}.uwsgi`),
  http: join(directory, `${name}.http`),
}));
const apps = await Promise.all(places.map(({ uwsgi, http }) => startApp(['--socket', uwsgi, '--http-socket', http])));
onThisProcessor(1);

/** Each mode once; `location` is the one below a path. */
const modes = cases(files).filter(({ name }) => ['plain', 'tls', 'behind-proxy', 'vhost', 'location'].includes(name));
const upstreams = (kind: Kind): Upstream[] => places.map((place) => ({ kind, address: place[kind] }));
const rows = [
  ...fileRows(),
  ...modes.flatMap((mode) => (['uwsgi', 'http'] as const).flatMap((kind) => modeRows(mode, kind))),
].filter(({ part, name }) => asked.length === 0 || asked.some((word) => part === word || name.includes(word)));
if (rows.length === 0) throw new Error(`nothing is called ${asked.join(', ')}: files, requests, relay, or a mode`);

const show = ({ name, aim, part }: Row, pairs: Pair[]): string => {
  const middle = (figure: (pair: Pair) => number) => median(pairs.map(figure));
  const cells = [
    thousands(middle(({ bare }) => bare.nginx)),
    thousands(middle((pair) => pair.ours.nginx)),
    middle((pair) => pair.ours.nginx / pair.bare.nginx).toFixed(2),
    part === 'files' ? '' : middle((pair) => pair.ours.whole / pair.bare.whole).toFixed(2),
  ];
  return `| ${[name, ...cells, aim].join(' | ')} |\n`;
};
const thousands = (value: number): string => `${(value / 1000).toFixed(1)} k`;

process.stdout.write(`Per CPU second, medians of ${rounds} rounds; each ratio is the median of the rounds' ratios.\n`);
process.stdout.write('|  | bare nginx | our files | ratio | ratio with the app | at least |\n');
process.stdout.write('| --- | --- | --- | --- | --- | --- |\n');
for (const row of rows) process.stdout.write(show(row, await compare(row)));
for (const app of apps) app.kill('SIGKILL');
files.remove();
rmSync(directory, { recursive: true });
