/** One siege, from an idle server to a verdict. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { node } from '../bench/servers.ts';
import { quantile, type Verdict } from '../chaos/judge.ts';
import type { StoreKind } from '../chaos/place.ts';
import { cli, stage } from '../process/program.ts';
import { type Server, startServer } from '../store/server.ts';
import type { Job, Spoils } from './attacker.ts';
import { Network } from './network.ts';
import { Newcomers } from './newcomers.ts';
import { Residents } from './residents.ts';
import { Gauge, processorTime, residentBytes, waitedTime } from './usage.ts';

/** Seconds; `share`: of one processor, for the attacker. */
export type Length = { quiet: number; siege: number; share: number };
/** 99th percentile in ms until messages were acknowledged, and delivered to each of the others. */
export type Delays = { acknowledged: number; received: number };
export type Outcome = Verdict & {
  attack: string;
  store: StoreKind;
  seconds: number;
  quiet: Delays;
  siege: Delays;
  /** Refusals sent to honest clients, by code; in the time before the attack as well. */
  refusals: Record<string, number>;
  newcomers: { came: number; turnedAway: Record<string, number>; late: number; p99: number };
  /** Lost connections after which the session was resumed, and after which it was not; reloaded pages. */
  resumed: number;
  notRecovered: number;
  reloaded: number;
  /** Rooms in which a reloaded page came back too late, one for each. */
  lateReloads: string[];
  hostsChanged: string[];
  /** The largest growth of the server in MB, and processors that it and the others used. */
  growth: number;
  cpu: { server: number; attacker: number; honest: number };
  /** The share of time for which the server had to wait for a processor. */
  waited: number;
  /** How often `/readyz` did not return 200, and how often an honest client was refused because of the store while it did. */
  readiness: { notReady: number; untrue: number };
  /** MB in the store. */
  stored: number | undefined;
  died: boolean;
  spoils: Spoils;
  findings: string[];
};

const mb = 1e6;
/** MB of growth at which the siege is stopped, to protect the machine. */
const tooMuch = 1500;
const turn = ['--turn-url', 'turn:turn.example:3478', '--turn-secret', 'a-secret-of-the-siege'];
const limited = ['--maxmemory', '256mb', '--maxmemory-policy', 'noeviction'];
const untruths = new Set(['store-unavailable', 'session-lost', 'internal', 'too-many-rooms']);

/** @param names of the attacks that run together */
export const besiege = async (attack: string, names: string[], store: StoreKind, length: Length): Promise<Outcome> => {
  const network = new Network();
  const here = stage();
  const valkey =
    store === 'valkey' ? await startServer(limited, process.env.TEST_VALKEY ?? 'valkey-server') : undefined;
  const residents: Residents[] = [];
  try {
    // Every loopback address, because each honest client has one; other addresses are not trusted.
    const words = ['--http-socket', '0.0.0.0:0', ...turn, ...(valkey ? ['--store', valkey.url] : [])];
    const program = here.start(words, { command: [...node, cli] });
    const { address = '' } = await program.logged('listening');
    const port = Number(address.split(':').at(-1));
    const crowd = new Residents(network, port);
    residents.push(crowd);
    const server = { pid: program.pid, port, exited: program.exited };
    return { attack, store, ...(await observe(server, crowd, network, names, length, valkey)) };
  } finally {
    for (const crowd of residents) crowd.leave();
    network.close();
    await here.clear();
    await valkey?.stop();
  }
};

type Running = { pid: number; port: number; exited: Promise<number | null> };

const observe = async (
  server: Running,
  residents: Residents,
  network: Network,
  names: string[],
  { quiet, siege, share }: Length,
  valkey: Server | undefined,
): Promise<Omit<Outcome, 'attack' | 'store'>> => {
  const { crowd } = residents;
  await residents.enter();
  const newcomers = new Newcomers(network, server.port, residents.rooms);
  residents.talk(1000);
  newcomers.begin();
  await sleep(2000);
  takeDelays(crowd.delays);
  await sleep(quiet * 1000);
  const before = takeDelays(crowd.delays);
  const felt = await feel(server, network, { port: server.port, attacks: names, seconds: siege, share });
  const during = takeDelays(crowd.delays);
  newcomers.end();
  if (!felt.died) await residents.end(15_000);
  const { resumed, notRecovered, reloaded, late, hostsChanged } = residents;
  return {
    ...crowd.verdict(),
    ...felt,
    quiet: before,
    siege: during,
    refusals: Object.fromEntries(network.refusals),
    newcomers: {
      came: newcomers.came,
      turnedAway: Object.fromEntries(newcomers.turnedAway),
      late: newcomers.late,
      p99: p99(newcomers.waits),
    },
    ...{ resumed, notRecovered, reloaded, lateReloads: late, hostsChanged: [...hostsChanged] },
    stored: valkey && (await storedIn(valkey)),
    // The attacker's and newcomers' seats still exist, or have just been freed.
    findings: [
      ...crowd.judge.findings.filter((found) => !found.includes(' sees ')),
      ...crowd.fatal,
      ...network.examples,
    ],
  };
};

type Felt = Pick<Outcome, 'seconds' | 'growth' | 'cpu' | 'waited' | 'readiness' | 'died' | 'spoils'>;

/** The effect of an attack on the server. */
const feel = async ({ pid, port, exited }: Running, network: Network, job: Job): Promise<Felt> => {
  let died = false;
  void exited.then(() => {
    died = true;
  });
  const base = residentBytes(pid) ?? 0;
  const attacker = attack(job);
  const gauge = new Gauge(pid, `http://127.0.0.1:${port}`, (bytes) => {
    if (died || bytes - base > tooMuch * mb) attacker.stop();
  });
  let untrue = 0;
  network.refused = (code) => {
    if (untruths.has(code) && gauge.ready === 200) untrue += 1;
  };
  const times = () => [pid, attacker.pid, process.pid].map(processorTime);
  const [began, started, waited] = [performance.now(), times(), waitedTime(pid)];
  // The attacker's are gone with it.
  let ended = started;
  const follow = setInterval(() => {
    ended = times();
  }, 100);
  const spoils = await attacker.done;
  clearInterval(follow);
  gauge.stop();
  const seconds = (performance.now() - began) / 1000;
  const [server = 0, ofAttacker = 0, honest = 0] = ended.map((time, at) => (time - (started[at] ?? 0)) / seconds);
  return {
    seconds,
    growth: (gauge.peak - base) / mb,
    cpu: { server, attacker: ofAttacker, honest },
    waited: (waitedTime(pid) - waited) / seconds,
    readiness: { notReady: gauge.notReady, untrue },
    died,
    spoils,
  };
};

/** Starts the attacker; `done` resolves to its results, also when it was stopped. */
const attack = (job: Job): { pid: number; done: Promise<Spoils>; stop(): void } => {
  const child = fork(join(import.meta.dirname, 'attacker.ts'), [JSON.stringify(job)]);
  const done = new Promise<Spoils>((resolve) => {
    let spoils: Spoils = {};
    child.on('message', (results: Spoils) => {
      spoils = results;
    });
    child.on('exit', () => resolve(spoils));
  });
  return { pid: child.pid ?? 0, done, stop: () => void child.kill('SIGKILL') };
};

const takeDelays = (delays: { acknowledged: number[]; received: number[] }): Delays => ({
  acknowledged: p99(delays.acknowledged.splice(0)),
  received: p99(delays.received.splice(0)),
});

const p99 = (values: number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.99,
  );

const storedIn = async (valkey: Server): Promise<number> => {
  const info = String(await valkey.ask(['INFO', 'memory']));
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]) / mb;
};

/** The number of responses that refused an honest client something. */
export const refusedIn = ({ refusals }: Outcome): number => Object.values(refusals).reduce((all, one) => all + one, 0);
