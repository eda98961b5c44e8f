/** A running server, in this process or in workers, as `run` controls it. */
import type { Readings } from '../stats/process-stats.ts';
import type { ServerControl } from './lifecycle.ts';
import type { Listening } from './supervisor/ipc.ts';

export type ServerInstance = {
  life: ServerControl;
  listening: Listening[];
  readings: Readings;
  ready: () => boolean;
  /** Resolves with the exit code when it ends without a request. */
  ended: Promise<number>;
  /** Cleans up after the end. */
  close(): void;
};
