/**
 * `npm run bench:storm`: all clients are cut off at once, and the time until each is back. Genkan, Socket.IO with connection state recovery
 * and the bare relay take turns behind the same nginx. Method in test/BENCHMARKS.md.
 */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../setup/free-port.ts';
import { startServer } from '../store/server.ts';
import { cli, cpuOf, descendantsOf, node } from './servers.ts';
import type { DialectName } from './storm-dialects.ts';
import type { StormCommand, StormEvent, StormJob, StormReport } from './storm-load.ts';
import { shown, table } from './table.ts';

const sizes = (process.env.CLIENTS ?? '5000,20000').split(',').map(Number);
const pause = Number(process.env.PAUSE ?? 5000);
/** s that the network, or the store, is away. */
const outage = Number(process.env.OUTAGE ?? 3);
/** Clients of one process, and connections of one server: both have one open file for each. */
const perProcess = 10_000;
/** s until a client counts as not recovered. */
const patience = Number(process.env.PATIENCE ?? 120);

/** `nginx`: it is killed and started at once. `network`: all connections break. `store`: the same, and the store restarts meanwhile. */
type Fault = 'nginx' | 'network' | 'store';
type Contestant = { name: string; dialect: DialectName; faults: Fault[] };
const contestants: Contestant[] = [
  { name: 'Genkan', dialect: 'genkan', faults: ['nginx', 'network'] },
  { name: 'Genkan, Valkey', dialect: 'genkan', faults: ['nginx', 'network', 'store'] },
  { name: 'Socket.IO', dialect: 'socket.io', faults: ['nginx', 'network'] },
  { name: 'bare ws', dialect: 'bare', faults: ['nginx', 'network'] },
];

type Server = { pids: number[]; restartStore(): Promise<void>; stop(): Promise<void> };

const startServers = async ({ name, dialect }: Contestant, sockets: string[]): Promise<Server> => {
  const store = name.includes('Valkey') ? await startServer(['--appendonly', 'yes']) : undefined;
  const children: ChildProcess[] = [];
  if (dialect === 'genkan') {
    const path = sockets[0]?.replace('1.sock', '%w.sock') ?? '';
    const flags = [
      '--http-socket',
      path,
      '--processes',
      `${sockets.length}`,
      '--log-level',
      'info',
      '--disable-logging',
    ];
    const command = [...node, cli, ...flags, '--allow-root', ...(store ? ['--store', store.url] : [])];
    children.push(await run(command, '"msg":"listening"', sockets.length));
  } else
    for (const socket of sockets)
      children.push(await run([...node, join(import.meta.dirname, files[dialect]), socket], 'ready', 1));
  return {
    pids: children.flatMap(({ pid = 0 }) => [pid, ...descendantsOf(pid)]),
    async restartStore() {
      await store?.kill();
      await sleep(outage * 1000);
      await store?.start();
    },
    async stop() {
      await Promise.all(children.map(ended));
      await store?.stop();
    },
  };
};
const files = { 'socket.io': 'storm-socketio.ts', bare: 'bare.ts' };

/** Starts a program; resolves once it has printed so many lines with `sign`. */
const run = async (command: string[], sign: string, times: number): Promise<ChildProcess> => {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let missing = times;
  for await (const line of createInterface({ input: child.stdout })) if (line.includes(sign) && --missing === 0) break;
  child.stdout.resume();
  return child;
};

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 3000).unref();
  });

/** The same nginx for all: it sends a room to one server, and to it the address of the client. */
const configuration = (directory: string, port: number, sockets: string[]): string => `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 4; worker_rlimit_nofile 20000; pid ${directory}/nginx.pid; error_log ${directory}/error.log;
events { worker_connections 19900; }
http {
  access_log off;
  map $http_upgrade $connection_upgrade { default upgrade; "" close; }
  upstream app { hash $arg_room consistent; ${sockets.map((socket) => `server unix:${socket};`).join(' ')} }
  server {
    listen 127.0.0.1:${port} reuseport backlog=4096;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}`;

const startNginx = async (file: string, port: number): Promise<ChildProcess> => {
  const child = spawn('nginx', ['-c', file, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'inherit'] });
  while (!(await accepts(port))) await sleep(20);
  return child;
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(!!socket.destroy()));
    socket.on('error', () => resolve(false));
  });

const kill = (child: ChildProcess): void => {
  for (const pid of [child.pid ?? 0, ...descendantsOf(child.pid ?? 0)]) process.kill(pid, 'SIGKILL');
};

/** The processes with the clients. */
class Load {
  readonly #children: ChildProcess[];
  readonly #states: { away: number; lost: number }[];
  readonly #reports: StormReport[] = [];

  constructor(job: Omit<StormJob, 'first' | 'clients'>, clients: number) {
    const firsts = Array.from({ length: Math.ceil(clients / perProcess) }, (_, index) => index * perProcess);
    this.#states = firsts.map(() => ({ away: 1, lost: 0 }));
    this.#children = firsts.map((first, index) => {
      const share: StormJob = { ...job, first, clients: Math.min(perProcess, clients - first) };
      const child = fork(join(import.meta.dirname, 'storm-load.ts'), [JSON.stringify(share)]);
      child.on('message', (event: StormEvent) => {
        if (event.type === 'state') this.#states[index] = event;
        else this.#reports.push(event.report);
      });
      return child;
    });
  }

  tell(command: StormCommand): void {
    for (const child of this.#children) child.send(command);
  }

  /** Waits until so many clients were lost, and all are connected. @returns whether they are, within `patience` */
  async untilAll(lost: number): Promise<boolean> {
    const sumOf = (field: 'away' | 'lost') => this.#states.reduce((sum, state) => sum + state[field], 0);
    for (let waited = 0; sumOf('lost') < lost || sumOf('away') > 0; waited += 0.05) {
      if (waited > patience) return false;
      await sleep(50);
    }
    return true;
  }

  async reports(): Promise<StormReport[]> {
    this.tell('end');
    while (this.#reports.length < this.#children.length) await sleep(50);
    return this.#reports;
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

const storm = async (contestant: Contestant, fault: Fault, clients: number): Promise<string[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-storm-'));
  const sockets = Array.from(
    { length: Math.ceil(clients / perProcess) },
    (_, index) => `${directory}/${index + 1}.sock`,
  );
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, configuration(directory, port, sockets));
  const server = await startServers(contestant, sockets);
  let nginx = await startNginx(file, port);
  const load = new Load({ dialect: contestant.dialect, base: `ws://127.0.0.1:${port}`, pause }, clients);
  try {
    if (!(await load.untilAll(0)))
      throw new Error(`not all clients could join: ${JSON.stringify(await load.reports())}`);
    await sleep(pause);
    const cpu = () => server.pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    const before = cpu();
    let back = Date.now();
    if (fault === 'nginx') {
      kill(nginx);
      nginx = await startNginx(file, port);
    } else {
      load.tell('cut');
      await (fault === 'store' ? server.restartStore() : sleep(outage * 1000));
      back = Date.now();
      load.tell('back');
    }
    await load.untilAll(clients);
    const used = cpu() - before;
    return row(await load.reports(), { back, clients, used });
  } finally {
    load.stop();
    kill(nginx);
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};

/** @param used CPU seconds of the server from the fault until all were back */
const row = (
  reports: StormReport[],
  { back, clients, used }: { back: number; clients: number; used: number },
): string[] => {
  const at = reports.flatMap((report) => report.at).sort((a, b) => a - b);
  const after = (share: number): string => {
    const time = at[Math.ceil(clients * share) - 1];
    return time === undefined ? 'never' : ((time - back) / 1000).toFixed(1);
  };
  const sum = (field: 'recovered' | 'sent' | 'lost' | 'twice') =>
    String(reports.reduce((total, report) => total + report[field], 0));
  const refused = reports.flatMap((report) =>
    Object.entries(report.refused).map(([code, count]) => `${count} ${code}`),
  );
  const counts = [sum('recovered'), sum('sent'), sum('lost'), sum('twice'), refused.join(', ') || '0'];
  return [after(0.5), after(0.95), after(1), ...counts, used.toFixed(1), shown(at.length / used)];
};

const { positionals: words } = parseArgs({ allowPositionals: true });
const head = ['clients', 'fault', 'server', '50 %', '95 %', '100 %', 'resumed', 'sent', 'lost', 'twice', 'refusals'];
const rows: string[][] = [];
for (const clients of sizes)
  for (const fault of ['nginx', 'network', 'store'] as const)
    for (const contestant of contestants) {
      if (!contestant.faults.includes(fault) || (words.length > 0 && !words.includes(fault))) continue;
      process.stderr.write(`${clients} clients, ${fault}: ${contestant.name}\n`);
      rows.push([shown(clients), fault, contestant.name, ...(await storm(contestant, fault, clients))]);
    }
process.stdout.write(table([...head, 'CPU s', 'clients per CPU s'], rows));
process.exit(0);
