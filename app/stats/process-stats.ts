/** Statistics and metrics of this process, for its own listeners and for a master that asks. */
import { z } from 'zod';
import { createMetrics, metricsType, metricValues, renderMetrics } from './prometheus.ts';
import { observe, type Sources, thisServer } from './snapshot.ts';
import { render, snapshot } from './uwsgi-json.ts';

/** What a worker sends to its master; the master checks it by this and joins several with `render` and `renderMetrics`. */
export const report = z.object({ snapshot, metrics: metricValues });
export type Report = z.infer<typeof report>;

/** What the listeners for statistics answer with; a master makes one from its workers' reports. */
export type Readings = {
  /** uWSGI's JSON. */
  stats(): Promise<string>;
  metrics(): Promise<{ type: string; text: string }>;
};

export type Reports = Readings & {
  /** For a master. */
  report(): Promise<{ snapshot: Report['snapshot']; metrics: object[] }>;
  /** One answer more, for the histogram of durations. */
  took(route: string, seconds: number): void;
  settled(seconds: number): void;
  stop(): void;
};

export const createReports = (sources: Sources, version: string): Reports => {
  const observer = observe(sources);
  const { values, took, settled } = createMetrics();
  return {
    took,
    settled,
    async stats() {
      const seen = observer.take();
      const { startedAt } = seen.usage;
      const self = { id: 1, pid: seen.pid, spawns: 1, lastSpawn: startedAt, hung: 0, snapshot: seen };
      return render(thisServer(version), [self]);
    },
    async metrics() {
      return { type: metricsType, text: await renderMetrics([await values(observer.take())]) };
    },
    async report() {
      const seen = observer.take();
      return { snapshot: seen, metrics: await values(seen) };
    },
    stop: () => observer.stop(),
  };
};
