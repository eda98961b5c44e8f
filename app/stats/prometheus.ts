/** Snapshots → metrics for Prometheus, by its own client library; names and help texts are here, once. */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { z } from 'zod';
import type { Snapshot } from './uwsgi-json.ts';

/** What a worker tells its master, as far as the master looks into it; plain JSON. */
export const metricValues = z.array(
  z.looseObject({
    name: z.string(),
    values: z.array(z.looseObject({ labels: z.record(z.string(), z.union([z.string(), z.number()])) })),
  }),
);
export type MetricValues = z.infer<typeof metricValues>;

export type Metrics = {
  /** One answer more. @param route as the program names it, never as a client wrote it */
  took(route: string, seconds: number): void;
  /** One message settled, of those that are timed. */
  settled(seconds: number): void;
  /** Everything, as of the snapshot, in the form of `metricValues`. */
  values(snapshot: Snapshot): Promise<object[]>;
};

export const metricsType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metrics of the only process, or of all, each marked by `ofWorker`, as one text. */
export const renderMetrics = (processes: object[][]): Promise<string> => Registry.aggregate(processes).metrics();

/**
 * Marks a worker's metrics as its own. They are not added up: the counts of a worker that is replaced begin anew, and
 * Prometheus would take the sum's fall for a new beginning of the whole.
 */
export const ofWorker = (metrics: MetricValues, worker: number): MetricValues =>
  metrics.map((metric) => ({
    ...metric,
    values: metric.values.map((value) => ({ ...value, labels: { ...value.labels, worker: String(worker) } })),
  }));

type Labels = Record<string, string>;
/** `read` gives each value with its labels, whose values are the program's own words. */
type Reading = {
  kind: 'counter' | 'gauge';
  name: string;
  help: string;
  labels?: string[];
  read: (seen: Snapshot) => [Labels, number][];
};

/** Each measurement of requests is of one route; long polls have one of their own and so spoil no other's. */
export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const series = readings.map((reading) => ({ reading, metric: register(registry, reading) }));
  const durations = new Histogram({
    name: 'genkan_request_duration_seconds',
    help: 'Seconds from a request to the end of its answer, by route; WebSockets and event streams apart.',
    labelNames: ['route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  const settling = new Histogram({
    name: 'genkan_settle_duration_seconds',
    help: 'Seconds from a message to its acknowledgement being due, the store and every receiver here told; one message of 64.',
    buckets: [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [registry],
  });
  return {
    took: (route, seconds) => durations.observe({ route }, seconds),
    settled: (seconds) => settling.observe(seconds),
    values(snapshot) {
      for (const { reading, metric } of series) fill(metric, reading.read(snapshot));
      return registry.getMetricsAsJSON();
    },
  };
};

const register = (registry: Registry, { kind, name, help, labels = [] }: Reading) => {
  const about = { name: `genkan_${name}`, help, labelNames: labels, registers: [registry] };
  return kind === 'counter' ? new Counter(about) : new Gauge(about);
};

const fill = (metric: Counter<string> | Gauge<string>, values: [Labels, number][]): void => {
  metric.reset();
  for (const [labels, value] of values) metric.inc(labels, value);
};

const one = (value: number): [Labels, number][] => [[{}, value]];
const each = (label: string, values: Record<string, number>): [Labels, number][] =>
  Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);

const readings: Reading[] = [
  {
    kind: 'gauge',
    name: 'rooms',
    help: 'Rooms that there are now.',
    read: (seen) => one(seen.rooms),
  },
  {
    kind: 'gauge',
    name: 'peers',
    help: 'Peers in rooms now, those who are away included.',
    read: (seen) => one(seen.peers),
  },
  {
    kind: 'gauge',
    name: 'kept_bytes',
    help: 'Bytes that rooms keep, of those that max-kept-bytes allows.',
    read: (seen) => one(seen.keptBytes),
  },
  {
    kind: 'counter',
    name: 'joins_total',
    help: 'Peers that came into a room anew.',
    read: ({ counts }) => one(counts.joins),
  },
  {
    kind: 'counter',
    name: 'resumes_total',
    help: 'Sessions that came back after a lost connection; recovered="false" if the events they had missed were gone.',
    labels: ['recovered'],
    read: ({ counts }) => each('recovered', { true: counts.resumes, false: counts.rejoins }),
  },
  {
    kind: 'counter',
    name: 'leaves_total',
    help: 'Peers that left a room; timeout: they did not come back in time.',
    labels: ['reason'],
    read: ({ counts }) => each('reason', counts.leaves),
  },
  {
    kind: 'counter',
    name: 'messages_relayed_total',
    help: 'Numbered messages that rooms accepted from peers; a recognised repeat counts again.',
    labels: ['type'],
    read: ({ counts }) => each('type', counts.relayed),
  },
  {
    kind: 'counter',
    name: 'errors_total',
    help: 'Refusals and closes told to clients, by the code of the error table.',
    labels: ['code'],
    read: ({ counts }) => each('code', counts.refused),
  },
  {
    kind: 'gauge',
    name: 'websockets_open',
    help: 'WebSockets that are open now.',
    read: (seen) => one(seen.webSockets.open),
  },
  {
    kind: 'counter',
    name: 'websockets_total',
    help: 'WebSockets that were opened.',
    read: ({ counts }) => one(counts.webSockets.opened),
  },
  {
    kind: 'counter',
    name: 'websocket_closes_total',
    help: 'WebSockets that ended, by close code; codes that only clients use are "other".',
    labels: ['code'],
    read: ({ counts }) => each('code', counts.webSockets.closes),
  },
  {
    kind: 'counter',
    name: 'websocket_messages_total',
    help: 'Messages on WebSockets, from clients (in) and to them (out).',
    labels: ['direction'],
    read: (seen) => each('direction', { in: seen.webSockets.messagesIn, out: seen.webSockets.messagesOut }),
  },
  {
    kind: 'counter',
    name: 'websocket_bytes_total',
    help: 'Bytes on the connections of WebSockets, framing included.',
    labels: ['direction'],
    read: (seen) => each('direction', { in: seen.webSockets.bytesIn, out: seen.webSockets.bytesOut }),
  },
  {
    kind: 'gauge',
    name: 'event_streams_open',
    help: 'Event streams that are open now.',
    read: ({ counts: { streams } }) => one(streams.opened - streams.closed),
  },
  {
    kind: 'counter',
    name: 'event_streams_total',
    help: 'Event streams that were opened.',
    read: ({ counts }) => one(counts.streams.opened),
  },
  {
    kind: 'gauge',
    name: 'unsent_bytes',
    help: 'Bytes that wait for peers on WebSockets to read them.',
    read: (seen) => one(seen.webSockets.unsentBytes),
  },
  {
    kind: 'counter',
    name: 'requests_total',
    help: 'Requests by the setting whose listener they came to and by status class; 1xx are WebSockets.',
    labels: ['listener', 'status'],
    read: ({ counts }) =>
      Object.entries(counts.requests).flatMap(([listener, classes]) =>
        Object.entries(classes).map(([status, times]): [Labels, number] => [{ listener, status }, times]),
      ),
  },
  {
    kind: 'counter',
    name: 'listener_refusals_total',
    help: 'What listeners answered by themselves: too long, too late, not understood.',
    labels: ['listener', 'code'],
    read: ({ counts }) =>
      Object.entries(counts.refusals).flatMap(([listener, codes]) =>
        Object.entries(codes).map(([code, times]): [Labels, number] => [{ listener, code }, times]),
      ),
  },
  {
    kind: 'counter',
    name: 'response_bytes_total',
    help: 'Bytes of bodies of answers whose length was told.',
    read: ({ counts }) => one(counts.answers.bytes),
  },
  {
    kind: 'gauge',
    name: 'event_loop_lag_seconds',
    help: 'How late the event loop came to its timers in the last 10 seconds or more: median, 99th percentile, most.',
    labels: ['quantile'],
    read: ({ lag }) => each('quantile', { 0.5: lag.p50, 0.99: lag.p99, 1: lag.max }),
  },
  {
    kind: 'gauge',
    name: 'event_loop_utilization_ratio',
    help: 'Share of the time, of late, that the event loop was at work.',
    read: (seen) => one(seen.utilisation),
  },
  {
    kind: 'gauge',
    name: 'draining',
    help: '1 while no new visitors are taken.',
    read: (seen) => one(seen.accepting ? 0 : 1),
  },
  {
    kind: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'CPU time used, user and system.',
    read: (seen) => one(seen.usage.cpu),
  },
  {
    kind: 'gauge',
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    read: (seen) => one(seen.usage.rss),
  },
  {
    kind: 'gauge',
    name: 'process_virtual_memory_bytes',
    help: 'Address space; V8 reserves far more than it uses.',
    read: (seen) => one(seen.usage.vsz),
  },
  {
    kind: 'gauge',
    name: 'process_heap_bytes',
    help: 'JavaScript heap in use.',
    read: (seen) => one(seen.usage.heap),
  },
  {
    kind: 'gauge',
    name: 'process_start_time_seconds',
    help: 'When the process began, in seconds since 1970.',
    read: (seen) => one(seen.usage.startedAt),
  },
];
