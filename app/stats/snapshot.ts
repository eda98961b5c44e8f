/** What this process tells of itself: its own numbers, and those of its rooms, sockets and event loop. */
import { readFileSync } from 'node:fs';
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Counts } from './counters.ts';
import type { Snapshot } from './uwsgi-json.ts';

/** Where the numbers come from. */
export type Sources = {
  counts: Counts;
  /** Rooms and peers that there are now, and the bytes that rooms keep. */
  store: { count(): { rooms: number; peers: number }; keptBytes(): number };
  webSockets: { usage(): Snapshot['webSockets'] };
  accepting: () => boolean;
  sockets: () => Snapshot['sockets'];
};

export type Observer = { take(): Snapshot; stop(): void };

export const observe = ({ counts, store, webSockets, accepting, sockets }: Sources): Observer => {
  const loop = watchLoop();
  return {
    take: () => ({
      pid: process.pid,
      accepting: accepting(),
      ...loop.read(),
      usage: ownUsage(),
      ...store.count(),
      keptBytes: store.keptBytes(),
      webSockets: webSockets.usage(),
      sockets: sockets(),
      // Counting goes on while whoever asked still reads.
      counts: structuredClone(counts),
    }),
    stop: loop.stop,
  };
};

/** The process that answers for itself alone, as statistics show it. */
export const thisServer = (version: string) => ({
  version,
  pid: process.pid,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  cwd: process.cwd(),
});

const ownUsage = (): Snapshot['usage'] => {
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics().used_heap_size;
  return { rss: residentBytes(), vsz: addressSpace(), heap, cpu: (user + system) / 1e6, startedAt };
};

let lastResident = 0;
/** Bytes of memory in use. Without a free descriptor they cannot be read (from /proc): then those read last. */
export const residentBytes = (): number => {
  try {
    lastResident = process.memoryUsage.rss();
  } catch {}
  return lastResident;
};

const startedAt = Math.round(performance.timeOrigin / 1000);

/** Bytes, from Linux; 0 elsewhere. */
const addressSpace = (): number => {
  try {
    return 1024 * Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

/** ms between the timers by which Node measures how late they are; it counts them in, so they are taken out again. */
const resolution = 20;
/** ms that "of late" reaches back at least, however many ask. */
const window = 10_000;

type Loop = Pick<Snapshot, 'lag' | 'utilisation'>;

const watchLoop = (): { read(): Loop; stop(): void } => {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let since = { at: performance.now(), utilisation: performance.eventLoopUtilization() };
  let before: Loop | undefined;
  const read = (): Loop => {
    const seen = { lag: lagOf(delay), utilisation: utilisationSince(since.utilisation) };
    const both = before ? worse(before, seen) : seen;
    if (performance.now() - since.at < window) return both;
    delay.reset();
    since = { at: performance.now(), utilisation: performance.eventLoopUtilization() };
    before = seen;
    return both;
  };
  return { read, stop: () => delay.disable() };
};

const lagOf = (delay: { percentile(share: number): number; max: number; count: number }): Loop['lag'] => {
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolution / 1000);
  if (delay.count === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
};

const utilisationSince = (then: EventLoopUtilization): number => performance.eventLoopUtilization(then).utilization;

/** The worse of the window that has passed and the one that has begun; of the utilisation the newer, once it can be told. */
const worse = (before: Loop, seen: Loop): Loop => ({
  utilisation: seen.utilisation,
  lag: {
    p50: Math.max(before.lag.p50, seen.lag.p50),
    p99: Math.max(before.lag.p99, seen.lag.p99),
    max: Math.max(before.lag.max, seen.lag.max),
  },
});
