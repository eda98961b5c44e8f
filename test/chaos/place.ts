/** All that a fault may affect: two hosts of the app, each a supervisor with a worker, nginx in front, a store behind. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Nginx, startNginx } from '../nginx/nginx.ts';
import { childrenOf, isAlive, type Program, type Stage, stage, until } from '../process/program.ts';
import { addressBudgetsLifted, flagsOf } from '../setup/lifted-budgets.ts';
import { type Server, startServer } from '../store/server.ts';
import type { Where } from './crowd.ts';
import { startWire, type Wire } from './wire.ts';

export type StoreKind = 'memory' | 'embedded' | 'valkey';
export type Options = {
  store: StoreKind;
  /** Further settings of the app, and of a single host by its number. */
  words?: string[];
  host?: { number: number; words?: string[]; env?: NodeJS.ProcessEnv };
  /** Further flags of the store's server. */
  flags?: string[];
};

export type Place = {
  stage: Stage;
  hosts: Program[];
  nginx: Nginx;
  /** nginx itself, and a network in front of it for every tenth peer. */
  where: Where;
  /** That network. */
  network: Wire;
  /** Between the app and the store. */
  cable: Wire | undefined;
  store: Server | undefined;
  worker(host: number): number;
  /** Kills a host's supervisor and worker, and starts it again. */
  killHost(host: number): Promise<void>;
  startHost(host: number): Promise<void>;
  /** Kills nginx with all its workers, and starts it again. */
  killNginx(): Promise<void>;
  startNginx(): Promise<void>;
  close(): Promise<void>;
};

/** So that only the tested limit applies. */
const wide = [
  ...addressBudgetsLifted,
  ...flagsOf({ 'max-kept-bytes-per-address': 134_217_728, 'max-connections': 20_000 }),
];
const kept = ['--appendonly', 'yes', '--appendfsync', 'always'];

export const startPlace = async (options: Options): Promise<Place> => {
  const here = stage();
  const store = options.store === 'valkey' ? await startServer(options.flags ?? kept) : undefined;
  const cable = store && (await startWire({ host: '127.0.0.1', port: store.port }));
  const hosts = [1, 2].map((number) => startHost(here, number, options, cable));
  const [first, second] = [socketOf(here, 1), socketOf(here, 2)];
  for (const path of [first, second]) while (!(await takes(path))) await sleep(50);
  const nginx = await startNginx({ app: { kind: 'uwsgi', address: first }, words: ['--upstream', second] });
  const network = await startWire({ host: '127.0.0.1', port: nginx.port });
  let front: ReturnType<typeof spawn> | undefined;
  return {
    stage: here,
    hosts,
    nginx,
    where: { url: nginx.url, apart: { url: `http://127.0.0.1:${network.port}`, every: 10 } },
    network,
    cable,
    store,
    worker: (host) => childrenOf(hosts[host]?.pid ?? 0)[0] ?? 0,
    async killHost(host) {
      const pid = hosts[host]?.pid ?? 0;
      const both = [pid, ...childrenOf(pid)];
      for (const one of both) process.kill(one, 'SIGKILL');
      await until(() => !both.some(isAlive));
    },
    async startHost(host) {
      hosts[host] = startHost(here, host + 1, options, cable);
      while (!(await takes(socketOf(here, host + 1)))) await sleep(50);
    },
    async killNginx() {
      const master = front?.pid ?? Number(readFileSync(pidFile(nginx), 'utf8'));
      const all = [master, ...childrenOf(master)];
      for (const pid of all) process.kill(pid, 'SIGKILL');
      await sleep(200);
    },
    async startNginx() {
      const prefix = nginx.file.replace(/\/nginx\.conf$/, '');
      const log = `${prefix}/error.log`;
      front = spawn('nginx', ['-p', prefix, '-e', log, '-c', nginx.file, '-g', 'daemon off;'], {
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
        stdio: 'ignore',
      });
      await until(() => front?.pid !== undefined && childrenOf(front.pid).length > 0);
    },
    async close() {
      front?.kill('SIGTERM');
      await nginx.stop();
      await here.clear();
      await Promise.all([network.close(), cable?.close()]);
      await store?.stop();
    },
  };
};

const pidFile = ({ file }: Nginx): string => file.replace(/nginx\.conf$/, 'nginx.pid');

const socketOf = (here: Stage, host: number): string => here.path(`host-${host}.sock`);

/** The log of a host may be elsewhere. */
const takes = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

const startHost = (here: Stage, number: number, options: Options, cable: Wire | undefined): Program => {
  const { words = [], host } = options;
  const own: NonNullable<Options['host']> = host?.number === number ? host : { number };
  const args = ['--master', '--socket', socketOf(here, number), '--chmod-socket', '666'];
  const store = cable ? ['--store', `valkey://127.0.0.1:${cable.port}`] : [];
  if (options.store === 'embedded') store.push('--store', 'embedded', '--state-dir', here.path(`state-${number}`));
  const key = ['--session-key', 'a-session-key-for-both-hosts-of-the-chaos'];
  return here.start([...args, ...store, ...key, ...wide, ...words, ...(own.words ?? [])], {
    env: own.env ?? {},
  });
};
