/** A complete Genkan for the scale benchmarks: workers under a supervisor, nginx in front, a store behind. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ask } from '../../app/process/control-socket.ts';
import { startNginx } from '../nginx/nginx.ts';
import { stage } from '../process/program.ts';
import { startServer } from '../store/server.ts';
import { cli, cpuOf, descendantsOf, node, unlimited } from './servers.ts';

/** `nginx`: the number of its workers; 0 = none, and the load connects to each worker's own socket. */
export type Shape = { workers: number; store: boolean; nginx: number };
/** By process. */
export type Used = { app: number; nginx: number; store: number };
export type Stack = {
  /** ws://…: one URL, or without nginx one for each worker. */
  bases: string[];
  /** CPU seconds so far. */
  cpu(): Used;
  /** kB of resident memory. */
  rss(): Used;
  status(): Promise<Status>;
  /** Like `genkan reload`. */
  reload(): Promise<void>;
  stop(): Promise<void>;
};

const status = z.object({
  peers: z.number(),
  workers: z.array(z.object({ pid: z.number(), peers: z.number(), listening: z.array(z.unknown()) })),
});
type Status = z.infer<typeof status>;

export const startFleet = async ({ workers, store: shared, nginx: nginxWorkers }: Shape): Promise<Stack> => {
  const store = shared ? await startServer() : undefined;
  const { path, start, clear } = stage();
  const control = path('control');
  const flag = nginxWorkers > 0 ? '--socket' : '--http-socket';
  const flags = [flag, path('app.%w.sock'), '--processes', `${workers}`, '--control-socket', control];
  const withStore = store ? ['--store', store.url] : [];
  const app = start([...flags, ...withStore, ...unlimited, '--allow-root'], { command: [...node, cli] });
  const readStatus = async (): Promise<Status> => status.parse((await ask(control, 'status')).status);
  await untilReady(readStatus, workers);
  const sockets = Array.from({ length: workers }, (_, index) => path(`app.${index + 1}.sock`));
  const [first = '', ...others] = sockets.map((socket) => `unix:${socket}`);
  const words = others.flatMap((address) => ['--upstream', address]);
  const front =
    nginxWorkers > 0
      ? await startNginx({ app: { kind: 'uwsgi', address: first }, words, spoil: widened(nginxWorkers) })
      : undefined;
  // nginx listens before its workers run.
  while (named(/^nginx/).length < (front ? nginxWorkers + 1 : 0)) await sleep(20);
  const pids = {
    app: [app.pid, ...descendantsOf(app.pid)],
    nginx: named(/^nginx/),
    store: named(/^(redis|valkey)/),
  };
  const sumOf = (read: (pid: number) => number): Used => {
    const sum = (some: number[]) => some.reduce((total, pid) => total + read(pid), 0);
    return { app: sum(pids.app), nginx: sum(pids.nginx), store: sum(pids.store) };
  };
  return {
    bases: front ? [front.url.replace('http', 'ws')] : sockets.map((socket) => `ws+unix:${socket}:`),
    cpu: () => sumOf(cpuOf),
    rss: () => sumOf(rssOf),
    status: readStatus,
    async reload() {
      const { ok, error } = await ask(control, 'reload');
      if (!ok) throw new Error(error);
    },
    async stop() {
      await front?.stop();
      await clear();
      await store?.stop();
    },
  };
};

/** As many connections as processes here may have files, spread evenly over nginx's workers. */
const widened =
  (workers: number) =>
  (path: string, text: string): string =>
    path === 'nginx.conf'
      ? text
          .replace(/^worker_processes .*;$/m, `worker_processes ${workers};`)
          .replace(/worker_rlimit_nofile \d+;/, 'worker_rlimit_nofile 20000;')
          .replace(/worker_connections \d+;/, 'worker_connections 19900;')
      : text.replace(/^( *listen [\d.]+:\d+)(.*);$/gm, '$1 reuseport$2;');

const untilReady = async (readStatus: () => Promise<Status>, workers: number): Promise<void> => {
  for (let tries = 0; tries < 600; tries += 1) {
    const now = await readStatus().catch(() => undefined);
    if (now?.workers.filter(({ listening }) => listening.length > 0).length === workers) return;
    await sleep(50);
  }
  throw new Error('the workers do not come');
};

const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);

const named = (sign: RegExp): number[] =>
  descendantsOf(process.pid).filter((pid) => sign.test(readFileSync(`/proc/${pid}/comm`, 'utf8')));
