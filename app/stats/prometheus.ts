/** Snapshots → Prometheus metrics, by its official client library; defines all names and help texts. */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { z } from 'zod';
import type { Snapshot } from './uwsgi-json.ts';

/** Metrics as a worker sends them to its supervisor, in JSON; only the fields that the supervisor reads. */
export const metricValues = z.array(
  z.looseObject({
    name: z.string(),
    values: z.array(z.looseObject({ labels: z.record(z.string(), z.union([z.string(), z.number()])) })),
  }),
);
type MetricValues = z.infer<typeof metricValues>;

export type Metrics = {
  /** Records the duration of a request. @param route the route pattern, never the URL that a client sent */
  took(route: string, seconds: number): void;
  /** Records how long a message took to settle; only a sample is timed. */
  settled(seconds: number): void;
  /** All metrics as of the snapshot, in the shape of `metricValues`. */
  values(snapshot: Snapshot): Promise<object[]>;
};

export const metricsType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metrics of one process, or of several labelled by `ofWorker`, as one text. */
export const renderMetrics = (processes: object[][]): Promise<string> => Registry.aggregate(processes).metrics();

/**
 * Labels metrics with their worker. They are not summed: the counters of a replaced worker restart at 0, and Prometheus would
 * treat the drop in the sum as a reset of the whole.
 */
export const ofWorker = (metrics: MetricValues, worker: number): MetricValues =>
  metrics.map((metric) => ({
    ...metric,
    values: metric.values.map((value) => ({ ...value, labels: { ...value.labels, worker: String(worker) } })),
  }));

type Labels = Record<string, string>;
/** `read` returns the values with their labels; label values never come from clients. */
type Reading = {
  kind: 'counter' | 'gauge';
  name: string;
  help: string;
  labels?: string[];
  read: (snapshot: Snapshot) => [Labels, number][];
};

/** Durations are recorded per route, so that long polls do not distort those of other routes. */
export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const series = readings.map((reading) => ({ reading, metric: register(registry, reading) }));
  const durations = new Histogram({
    name: 'genkan_request_duration_seconds',
    help: 'Request duration in seconds, by route; without WebSockets and event streams.',
    labelNames: ['route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  const settling = new Histogram({
    name: 'genkan_settle_duration_seconds',
    help: 'Seconds until a message is stored, sent to all local receivers and ready to acknowledge; 1 message in 64 is sampled.',
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
  // The process's own have the client library's default names, which stock dashboards for Node.js ask for.
  const fullName = /^(process|nodejs)_/.test(name) ? name : `genkan_${name}`;
  const configuration = { name: fullName, help, labelNames: labels, registers: [registry] };
  return kind === 'counter' ? new Counter(configuration) : new Gauge(configuration);
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
    help: 'Current rooms.',
    read: (snapshot) => one(snapshot.rooms),
  },
  {
    kind: 'gauge',
    name: 'peers',
    help: 'Current peers in rooms, including disconnected ones.',
    read: (snapshot) => one(snapshot.peers),
  },
  {
    kind: 'gauge',
    name: 'kept_bytes',
    help: 'Bytes kept by rooms, limited by max-kept-bytes.',
    read: (snapshot) => one(snapshot.keptBytes),
  },
  {
    kind: 'counter',
    name: 'joins_total',
    help: 'Peers that joined a room; resumes are not counted.',
    read: ({ counts }) => one(counts.joins),
  },
  {
    kind: 'counter',
    name: 'resumes_total',
    help: 'Sessions resumed after a lost connection; recovered="false" if missed events were no longer available.',
    labels: ['recovered'],
    read: ({ counts }) => each('recovered', { true: counts.resumes, false: counts.rejoins }),
  },
  {
    kind: 'counter',
    name: 'leaves_total',
    help: 'Peers that left a room; timeout: they did not reconnect in time.',
    labels: ['reason'],
    read: ({ counts }) => each('reason', counts.leaves),
  },
  {
    kind: 'counter',
    name: 'messages_relayed_total',
    help: 'Numbered messages that rooms accepted from peers; detected duplicates are counted again.',
    labels: ['type'],
    read: ({ counts }) => each('type', counts.relayed),
  },
  {
    kind: 'counter',
    name: 'errors_total',
    help: 'Errors and closes sent to clients, by error code.',
    labels: ['code'],
    read: ({ counts }) => each('code', counts.refused),
  },
  {
    kind: 'gauge',
    name: 'websockets_open',
    help: 'Open WebSockets.',
    read: (snapshot) => one(snapshot.webSockets.open),
  },
  {
    kind: 'counter',
    name: 'websockets_total',
    help: 'WebSockets opened.',
    read: ({ counts }) => one(counts.webSockets.opened),
  },
  {
    kind: 'counter',
    name: 'websocket_closes_total',
    help: 'WebSockets closed, by close code; codes that only clients use are "other".',
    labels: ['code'],
    read: ({ counts }) => each('code', counts.webSockets.closes),
  },
  {
    kind: 'counter',
    name: 'websocket_messages_total',
    help: 'WebSocket messages, from clients (in) and to clients (out).',
    labels: ['direction'],
    read: (snapshot) => each('direction', { in: snapshot.webSockets.messagesIn, out: snapshot.webSockets.messagesOut }),
  },
  {
    kind: 'counter',
    name: 'websocket_bytes_total',
    help: 'Bytes on WebSocket connections, including framing.',
    labels: ['direction'],
    read: (snapshot) => each('direction', { in: snapshot.webSockets.bytesIn, out: snapshot.webSockets.bytesOut }),
  },
  {
    kind: 'gauge',
    name: 'event_streams_open',
    help: 'Open event streams.',
    read: ({ counts: { streams } }) => one(streams.opened - streams.closed),
  },
  {
    kind: 'counter',
    name: 'event_streams_total',
    help: 'Event streams opened.',
    read: ({ counts }) => one(counts.streams.opened),
  },
  {
    kind: 'gauge',
    name: 'unsent_bytes',
    help: 'Bytes buffered for WebSocket peers until they read them.',
    read: (snapshot) => one(snapshot.webSockets.unsentBytes),
  },
  {
    kind: 'counter',
    name: 'requests_total',
    help: 'Requests, by listener and status class; 1xx are WebSockets.',
    labels: ['listener', 'status'],
    read: ({ counts }) =>
      Object.entries(counts.requests).flatMap(([listener, classes]) =>
        Object.entries(classes).map(([status, times]): [Labels, number] => [{ listener, status }, times]),
      ),
  },
  {
    kind: 'counter',
    name: 'listener_refusals_total',
    help: 'Requests rejected by the listener, by code.',
    labels: ['listener', 'code'],
    read: ({ counts }) =>
      Object.entries(counts.refusals).flatMap(([listener, codes]) =>
        Object.entries(codes).map(([code, times]): [Labels, number] => [{ listener, code }, times]),
      ),
  },
  {
    kind: 'counter',
    name: 'response_bytes_total',
    help: 'Bytes of response bodies with a known length.',
    read: ({ counts }) => one(counts.answers.bytes),
  },
  {
    kind: 'gauge',
    name: 'event_loop_lag_seconds',
    help: 'Event-loop delay over the last 10 seconds or more: median, 99th percentile, maximum.',
    labels: ['quantile'],
    read: ({ lag }) => each('quantile', { 0.5: lag.p50, 0.99: lag.p99, 1: lag.max }),
  },
  {
    kind: 'gauge',
    name: 'event_loop_utilization_ratio',
    help: 'Recent event-loop utilisation (0 to 1).',
    read: (snapshot) => one(snapshot.utilisation),
  },
  {
    kind: 'gauge',
    name: 'draining',
    help: '1 while no new clients are accepted.',
    read: (snapshot) => one(snapshot.accepting ? 0 : 1),
  },
  {
    kind: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'CPU time used, user and system.',
    read: (snapshot) => one(snapshot.usage.cpu),
  },
  {
    kind: 'gauge',
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    read: (snapshot) => one(snapshot.usage.rss),
  },
  {
    kind: 'gauge',
    name: 'process_virtual_memory_bytes',
    help: 'Address space; V8 reserves far more than it uses.',
    read: (snapshot) => one(snapshot.usage.vsz),
  },
  {
    kind: 'gauge',
    name: 'nodejs_heap_size_used_bytes',
    help: 'JavaScript heap in use.',
    read: (snapshot) => one(snapshot.usage.heap),
  },
  {
    kind: 'gauge',
    name: 'process_start_time_seconds',
    help: 'Start time of the process, in seconds since 1970.',
    read: (snapshot) => one(snapshot.usage.startedAt),
  },
];
