/** The server as a single process: without a supervisor, nothing respawns or reloads it. */
import type { Settings } from '../config/schema.ts';
import type { OpenLog } from '../logging/logger.ts';
import { serve } from '../serve.ts';
import { residentBytes } from '../stats/snapshot.ts';
import type { ListenEndpoint } from './bind-plan.ts';
import type { ServerControl, ServerInstance } from './lifecycle.ts';

export const startSingleProcess = async (
  settings: Settings,
  { logger, reopen }: OpenLog,
  endpoints: ListenEndpoint[],
  bound: () => void,
): Promise<ServerInstance> => {
  const since = performance.now();
  let paused = false;
  const running = await serve(settings, logger, { places: endpoints, accepting: () => !paused });
  bound();
  const control: ServerControl = {
    stop: () => running.stop({ delay: settings['drain-delay'] }),
    kill: running.kill,
    async reload() {
      logger.warn({}, 'cannot reload: there is no supervisor; start with --master');
      return { faults: ['there is no supervisor; start with --master to be able to reload'] };
    },
    reopen,
    get paused() {
      return paused;
    },
    set paused(wanted) {
      paused = wanted;
    },
    status: () => ({
      pid: process.pid,
      uptime: Math.round((performance.now() - since) / 1000),
      paused,
      ...running.count(),
      rss: residentBytes(),
      listening: running.listening,
    }),
    count: running.count,
  };
  return {
    life: control,
    listening: running.listening,
    readings: running.readings,
    ready: running.ready,
    // It never ends without a request.
    ended: new Promise<number>(() => {}),
    close: () => {},
  };
};
