/** Worker snapshots → statistics in uWSGI's JSON format, as read by uwsgitop and other tools. */
import { z } from 'zod';
import { counts, overdue, sumCounts } from './counters.ts';

const number = z.number().min(0);
/** The state of a worker at one moment; plain JSON, so that it can be sent to the supervisor. */
export const snapshot = z.object({
  pid: number,
  /** New clients are accepted. */
  accepting: z.boolean(),
  /** Recent event-loop utilisation, 0 to 1. */
  utilisation: number,
  /** Recent event-loop lag, in seconds. */
  lag: z.object({ p50: number, p99: number, max: number }),
  /** Bytes; CPU seconds since the process started; `startedAt` in seconds since 1970. */
  usage: z.object({ rss: number, vsz: number, heap: number, cpu: number, startedAt: number }),
  rooms: number,
  keptBytes: number,
  peers: number,
  webSockets: z.object({
    open: number,
    /** Bytes buffered until peers read them. */
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
      /** Connections waiting to be accepted, and their maximum. */
      queue: number,
      maxQueue: number,
    }),
  ),
  counts,
});
export type Snapshot = z.infer<typeof snapshot>;

/** A worker as the supervisor knows it. `snapshot` is absent if it is not running or has not answered. */
export type Worker = {
  /** From 1. */
  id: number;
  pid: number;
  /** Number of starts, and time of the last one (seconds since 1970). */
  spawns: number;
  lastSpawn: number;
  /** Number of times it was replaced because it hung. */
  hung: number;
  snapshot?: Snapshot;
};
/** The process that serves the statistics: the supervisor, or the only process. */
export type Server = { version: string; pid: number; uid: number; gid: number; cwd: string };

/** Indented by tabs, as in uWSGI. */
export const render = (server: Server, workers: Worker[]): string =>
  `${JSON.stringify(statistics(server, workers), null, '\t')}\n`;

/** Names, units and 0/1 flags are uWSGI's; our own values are below `rooms`. */
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
  const { id, pid, spawns, lastSpawn, hung, snapshot: current } = worker;
  const requests = requestsOf(current);
  const answers = current?.counts.answers;
  const exceptions = answers?.failed ?? 0;
  return {
    id,
    pid,
    accepting: current?.accepting ? 1 : 0,
    requests,
    delta_requests: requests,
    exceptions,
    harakiri_count: (current ? overdue(current.counts) : 0) + hung,
    signals: 0,
    signal_queue: 0,
    status: statusOf(current),
    rss: current?.usage.rss ?? 0,
    vsz: current?.usage.vsz ?? 0,
    running_time: answers?.micros ?? 0,
    last_spawn: lastSpawn,
    respawn_count: spawns,
    tx: (answers?.bytes ?? 0) + (current?.webSockets.bytesOut ?? 0),
    avg_rt: answers?.recentMicros ?? 0,
    apps: [{ id: 0, modifier1: 0, mountpoint: '', startup_time: 0, requests, exceptions, chdir: cwd }],
    cores: [coreStatistics(requests, statusOf(current) === 'busy')],
  };
};

/** A worker has one core: its event loop. Current requests are not shown, because they carry credentials. */
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

/** Answered requests plus opened WebSockets. */
const requestsOf = (current: Snapshot | undefined): number =>
  current ? current.counts.answers.count + current.counts.webSockets.opened : 0;

/** Judged by event-loop utilisation only: long polls wait without work and would make every worker look busy. */
const statusOf = (current: Snapshot | undefined): 'cheap' | 'pause' | 'busy' | 'idle' => {
  if (!current) return 'cheap';
  if (!current.accepting) return 'pause';
  return current.utilisation > 0.7 ? 'busy' : 'idle';
};

const roomStatistics = (workers: Worker[]) => {
  const snapshots = workers.flatMap((worker) => (worker.snapshot ? [worker.snapshot] : []));
  const sum = (read: (one: Snapshot) => number): number => snapshots.reduce((total, one) => total + read(one), 0);
  const totals = sumCounts(snapshots.map((one) => one.counts));
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
    draining: snapshots.filter((one) => !one.accepting).length,
    loop_lag_us: { p50: worst(snapshots, 'p50'), p99: worst(snapshots, 'p99'), max: worst(snapshots, 'max') },
    workers: workers.map(({ id, snapshot: one }) => ({ id, rooms: one?.rooms ?? 0, peers: one?.peers ?? 0 })),
  };
};

/** The lag of the slowest worker, in µs. */
const worst = (snapshots: Snapshot[], which: keyof Snapshot['lag']): number =>
  Math.round(Math.max(0, ...snapshots.map(({ lag }) => lag[which])) * 1e6);
