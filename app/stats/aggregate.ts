/** Collects and merges the statistics of all workers, for the supervisor's statistics listeners. */

import type { Supervisor } from '../process/supervisor/supervisor.ts';
import type { WorkerHandle } from '../process/supervisor/worker-handle.ts';
import { version } from '../process/version.ts';
import { type Readings, type Report, report } from './process-stats.ts';
import { metricsType, ofWorker, renderMetrics } from './prometheus.ts';
import { thisServer } from './snapshot.ts';
import { render, type Worker } from './uwsgi-json.ts';

/** A worker that is not running or does not answer in time is listed without its numbers. */
export const aggregateStats = (supervisor: Pick<Supervisor, 'workers'>): Readings => ({
  async stats() {
    const workers = supervisor.workers.map(async ({ number, respawns, hung, process }): Promise<Worker> => {
      const received = await reportOf(process);
      return {
        id: number,
        pid: process?.pid ?? 0,
        spawns: respawns + 1,
        lastSpawn: process ? Math.round((performance.timeOrigin + process.since) / 1000) : 0,
        hung,
        ...(received ? { snapshot: received.snapshot } : {}),
      };
    });
    return render(thisServer(version()), await Promise.all(workers));
  },
  async metrics() {
    const values = supervisor.workers.map(async ({ number, process }) => {
      const received = await reportOf(process);
      return received ? ofWorker(received.metrics, number) : [];
    });
    return { type: metricsType, text: await renderMetrics(await Promise.all(values)) };
  },
});

const reportOf = async (worker: WorkerHandle | undefined): Promise<Report | undefined> => {
  try {
    return report.parse(await worker?.report());
  } catch {
    return undefined;
  }
};
