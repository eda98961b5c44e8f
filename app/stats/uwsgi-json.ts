/** Snapshots of the workers → statistics in the form of uWSGI's, which uwsgitop and other tools read. */
import { z } from 'zod';
import { counts, overdue, sumCounts } from './counters.ts';

const number = z.number().min(0);
/** What a worker tells of itself at one moment; plain JSON, so that it can be sent to the master. */
export const snapshot = z.object({
  pid: number,
  /** New visitors are taken. */
  accepting: z.boolean(),
  /** Share of the time, of late, that the event loop was at work; 0 to 1. */
  utilisation: number,
  /** How late (s) the event loop came to its timers, of late. */
  lag: z.object({ p50: number, p99: number, max: number }),
  /** Bytes; CPU seconds since the process began; `startedAt` in seconds since 1970. */
  usage: z.object({ rss: number, vsz: number, heap: number, cpu: number, startedAt: number }),
  rooms: number,
  keptBytes: number,
  peers: number,
  webSockets: z.object({
    open: number,
    /** Bytes that wait for peers to read them. */
    unsentBytes: number,
    messagesIn: number,
    messagesOut: number,
    /** On the connection, framing included. */
    bytesIn: number,
    bytesOut: number,
  }),
  sockets: z.array(
    z.object({
      name: z.string(),
      protocol: z.enum(['uwsgi', 'http']),
      /** Connections that wait to be accepted, and how many may. */
      queue: number,
      maxQueue: number,
    }),
  ),
  counts,
});
export type Snapshot = z.infer<typeof snapshot>;

/** What only the master knows of a worker. `snapshot` is absent while it does not run, or has not answered. */
export type Worker = {
  /** From 1. */
  id: number;
  pid: number;
  /** How often it was started, and when last (seconds since 1970). */
  spawns: number;
  lastSpawn: number;
  /** How often it was replaced because it hung. */
  hung: number;
  snapshot?: Snapshot;
};
/** The process that answers: the master, or the only one. */
export type Server = { version: string; pid: number; uid: number; gid: number; cwd: string };

/** Indented by tabs, as uWSGI writes it. */
export const render = (server: Server, workers: Worker[]): string =>
  `${JSON.stringify(statistics(server, workers), null, '\t')}\n`;

/** Names, units and 0/1 for flags are uWSGI's; what is ours stands below `rooms`. */
export const statistics = (server: Server, workers: Worker[]) => {
  const sockets = workers.flatMap((worker) => worker.snapshot?.sockets ?? []);
  const queue = sockets.reduce((sum, socket) => sum + socket.queue, 0);
  return {
    version: server.version,
    listen_queue: queue,
    listen_queue_errors: 0,
    signal_queue: 0,
    load: queue,
    pid: server.pid,
    uid: server.uid,
    gid: server.gid,
    cwd: server.cwd,
    locks: [],
    sockets: sockets.map(({ name, protocol, queue: waiting, maxQueue }) => ({
      name,
      proto: protocol,
      queue: waiting,
      max_queue: maxQueue,
      shared: 0,
      can_offload: 0,
    })),
    workers: workers.map((worker) => workerStatistics(worker, server.cwd)),
    rooms: roomStatistics(workers),
  };
};

const workerStatistics = (worker: Worker, cwd: string) => {
  const { id, pid, spawns, lastSpawn, hung, snapshot: seen } = worker;
  const requests = requestsOf(seen);
  const answers = seen?.counts.answers;
  const exceptions = answers?.failed ?? 0;
  return {
    id,
    pid,
    accepting: seen?.accepting ? 1 : 0,
    requests,
    delta_requests: requests,
    exceptions,
    harakiri_count: (seen ? overdue(seen.counts) : 0) + hung,
    signals: 0,
    signal_queue: 0,
    status: statusOf(seen),
    rss: seen?.usage.rss ?? 0,
    vsz: seen?.usage.vsz ?? 0,
    running_time: answers?.micros ?? 0,
    last_spawn: lastSpawn,
    respawn_count: spawns,
    tx: (answers?.bytes ?? 0) + (seen?.webSockets.bytesOut ?? 0),
    avg_rt: answers?.recentMicros ?? 0,
    apps: [{ id: 0, modifier1: 0, mountpoint: '', startup_time: 0, requests, exceptions, chdir: cwd }],
    cores: [coreStatistics(requests, statusOf(seen) === 'busy')],
  };
};

/** A worker has one core: its event loop. Of the requests under way nothing is shown, for they carry credentials. */
const coreStatistics = (requests: number, busy: boolean) => ({
  id: 0,
  requests,
  static_requests: 0,
  routed_requests: 0,
  offloaded_requests: 0,
  write_errors: 0,
  read_errors: 0,
  in_request: busy ? 1 : 0,
  vars: [],
  req_info: {},
});

/** Requests that were answered, and WebSockets that were opened. */
const requestsOf = (seen: Snapshot | undefined): number =>
  seen ? seen.counts.answers.count + seen.counts.webSockets.opened : 0;

/** By the event loop alone: a request for events waits without work, and would make every worker look busy. */
const statusOf = (seen: Snapshot | undefined): 'cheap' | 'pause' | 'busy' | 'idle' => {
  if (!seen) return 'cheap';
  if (!seen.accepting) return 'pause';
  return seen.utilisation > 0.7 ? 'busy' : 'idle';
};

const roomStatistics = (workers: Worker[]) => {
  const seen = workers.flatMap((worker) => (worker.snapshot ? [worker.snapshot] : []));
  const sum = (read: (one: Snapshot) => number): number => seen.reduce((total, one) => total + read(one), 0);
  const totals = sumCounts(seen.map((one) => one.counts));
  return {
    rooms: sum((one) => one.rooms),
    peers: sum((one) => one.peers),
    joins: totals.joins,
    resumes: totals.resumes,
    rejoins: totals.rejoins,
    leaves: totals.leaves,
    relayed: totals.relayed,
    refused: Object.fromEntries(Object.entries(totals.refused).filter(([, times]) => times > 0)),
    websockets: {
      open: sum((one) => one.webSockets.open),
      opened: totals.webSockets.opened,
      messages_in: sum((one) => one.webSockets.messagesIn),
      messages_out: sum((one) => one.webSockets.messagesOut),
      unsent_bytes: sum((one) => one.webSockets.unsentBytes),
    },
    draining: seen.filter((one) => !one.accepting).length,
    loop_lag_us: { p50: worst(seen, 'p50'), p99: worst(seen, 'p99'), max: worst(seen, 'max') },
    workers: workers.map(({ id, snapshot: one }) => ({ id, rooms: one?.rooms ?? 0, peers: one?.peers ?? 0 })),
  };
};

/** The lag of the slowest worker, in µs. */
const worst = (seen: Snapshot[], which: keyof Snapshot['lag']): number =>
  Math.round(Math.max(0, ...seen.map(({ lag }) => lag[which])) * 1e6);
