/** Snapshots of this process: its counters, rooms, sockets, resource usage and event loop. */
import { readFileSync } from 'node:fs';
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Counts } from './counters.ts';
import type { Snapshot } from './uwsgi-json.ts';

export type Sources = {
  counts: Counts;
  /** Current rooms and peers, and the bytes that rooms keep. */
  store: { count(): { rooms: number; peers: number }; keptBytes(): number };
  webSockets: { usage(): Snapshot['webSockets'] };
  accepting: () => boolean;
  sockets: () => Snapshot['sockets'];
};

type Observer = { take(): Snapshot; stop(): void };

export const observe = ({ counts, store, webSockets, accepting, sockets }: Sources): Observer => {
  const loop = watchLoop();
  return {
    take: () => ({
      pid: process.pid,
      accepting: accepting(),
      ...loop.read(),
      usage: processUsage(),
      ...store.count(),
      keptBytes: store.keptBytes(),
      webSockets: webSockets.usage(),
      sockets: sockets(),
      // A copy, because counting continues while the caller reads.
      counts: structuredClone(counts),
    }),
    stop: loop.stop,
  };
};

/** The process that serves the statistics. */
export const thisServer = (version: string) => ({
  version,
  pid: process.pid,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  cwd: process.cwd(),
});

const processUsage = (): Snapshot['usage'] => {
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics().used_heap_size;
  return { rss: residentBytes(), vsz: addressSpace(), heap, cpu: (user + system) / 1e6, startedAt };
};

let lastResident = 0;
/** Resident memory in bytes, from /proc; the last value read if no file descriptor is free. */
export const residentBytes = (): number => {
  try {
    lastResident = process.memoryUsage.rss();
  } catch {}
  return lastResident;
};

const startedAt = Math.round(performance.timeOrigin / 1000);

/** Bytes; Linux only, elsewhere 0. */
const addressSpace = (): number => {
  try {
    return 1024 * Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

/** ms between Node's sampling timers. Its values include this interval, so it is subtracted again. */
const resolution = 20;
/** Minimum ms that lag and utilisation cover, however often they are read. */
const window = 10_000;

type Loop = Pick<Snapshot, 'lag' | 'utilisation'>;

const watchLoop = (): { read(): Loop; stop(): void } => {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let since = { at: performance.now(), utilisation: performance.eventLoopUtilization() };
  let previous: Loop | undefined;
  const read = (): Loop => {
    const current = { lag: lagOf(delay), utilisation: utilisationSince(since.utilisation) };
    const both = previous ? worse(previous, current) : current;
    if (performance.now() - since.at < window) return both;
    delay.reset();
    since = { at: performance.now(), utilisation: performance.eventLoopUtilization() };
    previous = current;
    return both;
  };
  return { read, stop: () => delay.disable() };
};

const lagOf = (delay: { percentile(share: number): number; max: number; count: number }): Loop['lag'] => {
  const lagSeconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolution / 1000);
  if (delay.count === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: lagSeconds(delay.percentile(50)), p99: lagSeconds(delay.percentile(99)), max: lagSeconds(delay.max) };
};

const utilisationSince = (start: EventLoopUtilization): number => performance.eventLoopUtilization(start).utilization;

/** The greater lag of the previous and the current window; the utilisation of the current one. */
const worse = (previous: Loop, current: Loop): Loop => ({
  utilisation: current.utilisation,
  lag: {
    p50: Math.max(previous.lag.p50, current.lag.p50),
    p99: Math.max(previous.lag.p99, current.lag.p99),
    max: Math.max(previous.lag.max, current.lag.max),
  },
});
