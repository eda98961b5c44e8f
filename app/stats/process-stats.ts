/** Statistics and metrics of this process, for its own listeners and for the supervisor. */
import { z } from 'zod';
import { type Metrics, metricsType, metricValues, renderMetrics } from './prometheus.ts';
import { observe, type Sources, thisServer } from './snapshot.ts';
import { render, snapshot } from './uwsgi-json.ts';

/** What a worker sends to its supervisor, which validates it and merges the workers' reports with `render` and `renderMetrics`. */
export const report = z.object({ snapshot, metrics: metricValues });
export type Report = z.infer<typeof report>;

/** Content of the statistics listeners; the supervisor creates it from its workers' reports. */
export type Readings = {
  /** uWSGI's JSON. */
  stats(): Promise<string>;
  metrics(): Promise<{ type: string; text: string }>;
};

export type Reports = Readings & {
  /** For the supervisor. */
  report(): Promise<{ snapshot: Report['snapshot']; metrics: object[] }>;
  stop(): void;
};

export const createReports = (sources: Sources, { values }: Pick<Metrics, 'values'>, version: string): Reports => {
  const observer = observe(sources);
  return {
    async stats() {
      const current = observer.take();
      const { startedAt } = current.usage;
      const self = { id: 1, pid: current.pid, spawns: 1, lastSpawn: startedAt, hung: 0, snapshot: current };
      return render(thisServer(version), [self]);
    },
    async metrics() {
      return { type: metricsType, text: await renderMetrics([await values(observer.take())]) };
    },
    async report() {
      const current = observer.take();
      return { snapshot: current, metrics: await values(current) };
    },
    stop: () => observer.stop(),
  };
};
