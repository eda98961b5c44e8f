/** The servers to compare, each in its own process, and what they used. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNginx } from '../nginx/nginx.ts';
import { freePort } from '../setup/free-port.ts';
import { budgetsLifted, flagsOf } from '../setup/lifted-budgets.ts';
import { startServer } from '../store/server.ts';

export type Server = {
  base: string;
  dialect: 'bare' | 'genkan';
  /** CPU seconds that the server, and the nginx in front of it, have used so far. */
  cpu(): number;
  /** kB of resident memory of the server alone. */
  rss(): number;
  stop(): Promise<void>;
};

/** With the flags of the container and `npm start`. */
export const node = ['env', 'MALLOC_ARENA_MAX=1', process.execPath, '--max-semi-space-size=16'];
const bareFile = join(import.meta.dirname, 'bare.ts');
export const cli = join(import.meta.dirname, '../../dist/cli.js');
export const unlimited = [
  ...budgetsLifted,
  ...flagsOf({
    'max-rooms': 100_000,
    'max-kept-bytes': 100_000_000_000,
    'max-kept-bytes-per-address': 100_000_000_000,
    'max-peers': 100,
    'log-level': 'warn',
  }),
];

/** The server's processor; the load uses the other one. Without `taskset` the kernel decides. */
export const pinned = (core: 0 | 1, command: string[]): string[] =>
  spawnSync('taskset', ['-c', '0,1', 'true']).status === 0 ? ['taskset', '-c', String(core), ...command] : command;

export const bare = async (): Promise<Server> => {
  const port = await freePort();
  const child = await start([...node, bareFile, String(port)], 'ready');
  return server(`ws://127.0.0.1:${port}`, 'bare', child, []);
};

export const genkan = async (): Promise<Server> => {
  const port = await freePort();
  const child = await start([...node, cli, '--http', `127.0.0.1:${port}`, ...unlimited], 'Genkan is running at');
  return server(`ws://127.0.0.1:${port}`, 'genkan', child, []);
};

/** With its rooms in a Valkey (or Redis) of its own, which shares the load's processor. */
export const genkanWithStore = async (): Promise<Server> => {
  const store = await startServer();
  const port = await freePort();
  const flags = ['--http', `127.0.0.1:${port}`, '--store', store.url, ...unlimited];
  const child = await start([process.execPath, cli, ...flags], 'Genkan is running at');
  const plain = server(`ws://127.0.0.1:${port}`, 'genkan', child, []);
  return {
    ...plain,
    async stop() {
      await plain.stop();
      await store.stop();
    },
  };
};

/** Behind the shipped nginx configuration. */
export const genkanBehindNginx = async (kind: 'uwsgi' | 'http'): Promise<Server> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-bench-'));
  const socket = join(directory, 'app.sock');
  const flag = kind === 'uwsgi' ? '--socket' : '--http-socket';
  const flags = [flag, socket, ...unlimited.with(-1, 'info')];
  const child = await start([...node, cli, ...flags], '"msg":"listening"');
  return behindNginx(kind, socket, 'genkan', child, () => rmSync(directory, { recursive: true }));
};

export const bareBehindNginx = async (): Promise<Server> => {
  const port = await freePort();
  const child = await start([...node, bareFile, String(port)], 'ready');
  return behindNginx('http', `127.0.0.1:${port}`, 'bare', child, () => {});
};

const behindNginx = async (
  kind: 'uwsgi' | 'http',
  address: string,
  dialect: Server['dialect'],
  child: ChildProcess,
  clean: () => void,
): Promise<Server> => {
  const nginx = await startNginx({ app: { kind, address } });
  const all = await pinNginx();
  const plain = server(nginx.url.replace('http', 'ws'), dialect, child, all);
  return {
    ...plain,
    async stop() {
      await nginx.stop();
      await plain.stop();
      clean();
    },
  };
};

/** Moves this process to that processor, where that is possible. */
export const onThisProcessor = (core: 0 | 1): void => {
  spawnSync('taskset', ['-cp', String(core), String(process.pid)]);
};

/**
 * Moves a freshly started nginx to the server's processor, once it has its workers; → its processes.
 * @param others nginx processes that ran before
 */
export const pinNginx = async (others: number[] = []): Promise<number[]> => {
  const own = () =>
    descendantsOf(process.pid).filter((pid) => commandOf(pid).startsWith('nginx') && !others.includes(pid));
  while (own().length < 2) await sleep(10);
  // They are created one right after the other.
  await sleep(50);
  for (const pid of own()) spawnSync('taskset', ['-cp', '0', String(pid)]);
  return own();
};

const server = (base: string, dialect: Server['dialect'], child: ChildProcess, others: number[]): Server => {
  const pid = child.pid ?? 0;
  return {
    base,
    dialect,
    cpu: () => [pid, ...others].reduce((sum, one) => sum + cpuOf(one), 0),
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
};

/** The app for measuring requests: on the listeners for front ends, without its access log. */
export const startApp = (listens: string[]): Promise<ChildProcess> =>
  start([...node, cli, ...listens, ...unlimited.with(-1, 'info'), '--disable-logging'], '"msg":"listening"');

const start = async (command: string[], sign: string): Promise<ChildProcess> => {
  const [program = '', ...args] = pinned(0, command);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) if (line.includes(sign)) break;
  // The output is not used, but a full pipe would block the server.
  child.stdout.resume();
  return child;
};

/** The time the scheduler gave to all threads of a process, in seconds; finer than the ticks of /proc/PID/stat. */
export const cpuOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9,
    0,
  );

/** The child processes of a process, and theirs. */
export const descendantsOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export const untilAnswers = async (url: string): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await sleep(50);
  }
  throw new Error(`${url} does not answer`);
};

const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    unlessGone(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'))
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );

/** Threads start and end meanwhile. */
const unlessGone = (read: () => string): string => {
  try {
    return read();
  } catch {
    return '';
  }
};

const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8');
