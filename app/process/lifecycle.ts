/** The ticker, and what the signals of the process do. */

import type { Result } from '../config/result.ts';
import type { Readings } from '../stats/process-stats.ts';
import type { Listening } from './supervisor/ipc.ts';

type Say = (fields: object, message: string) => void;
export type LeveledLogger = { info: Say; warn: Say; error: Say };

/** A running server, of one process or of many, as signals and the control socket see it. */
export type ServerControl = {
  /** Drains and stops everything; later calls wait for the same stop. */
  stop(): Promise<void>;
  /** Stops everything at once. */
  kill(): void;
  /** Reads the configuration again and applies it; an invalid one changes nothing. */
  reload(): Promise<Result>;
  /** Reopens the log file after it was renamed. */
  reopen(): void;
  /** Whether new rooms are currently refused. */
  paused: boolean;
  /** JSON-serializable. */
  status(): object;
  count(): { rooms: number; peers: number };
};

/** A running server, in this process or in workers, as `run` controls it. */
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

/** ms between ticks, and so how late a deadline may be detected. */
const interval = 250;

/**
 * ms since 1970 by the system clock at the start of the process, monotonic from there. Deadlines must not follow changes of the
 * system clock: set back, lost peers would not time out; set forward, all peers would.
 */
export const steadyClock = (): number => Math.floor(performance.timeOrigin + performance.now());

/** Runs `tick` periodically, never concurrently; a failure is logged and does not stop the ticker. */
export const startTicker = (tick: () => Promise<void>, log: Pick<LeveledLogger, 'error'>): { stop(): void } => {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    await tick().catch((error: unknown) => log.error({ err: error }, 'a periodic task failed'));
    busy = false;
  }, interval);
  return { stop: () => clearInterval(timer) };
};

type Signals = {
  /** Handles signals, starting with those already received. @param ended resolves with the exit code, however it ended */
  obey(control: ServerControl, log: LeveledLogger, ended: Promise<number>): Promise<number>;
};

/**
 * From now on: HUP reloads, TSTP toggles pause, USR1 and USR2 log the status (without a listener Node would open its
 * inspector); signals received before `obey` are queued. From `obey` on: TERM and INT drain and exit, the second of them, or
 * QUIT, exits at once; before, they have their default action.
 */
export const handleSignals = (): Signals => {
  const early: NodeJS.Signals[] = [];
  let handle = (signal: NodeJS.Signals): unknown => early.push(signal);
  for (const signal of ['SIGHUP', 'SIGTSTP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => handle(signal));
  return {
    obey(control, log, ended) {
      handle = (signal) => handleSignal(signal, control, log);
      for (const signal of early) handle(signal);
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => drainOn(signal, control, log));
      process.on('SIGQUIT', () => control.kill());
      return ended;
    },
  };
};

const handleSignal = (signal: NodeJS.Signals, control: ServerControl, log: LeveledLogger): void => {
  if (signal === 'SIGHUP') reloadOn({ signal }, control, log);
  else if (signal === 'SIGTSTP') control.paused = !control.paused;
  else log.info({ status: control.status() }, 'status');
};

/** Reloads because of a signal or a touched file; nobody waits for the result, which `reload` logs. */
export const reloadOn = (
  cause: object,
  control: Pick<ServerControl, 'reload'>,
  log: Pick<LeveledLogger, 'error'>,
): void => {
  control.reload().catch((error: unknown) => log.error({ ...cause, err: error }, 'could not reload'));
};

const drainOn = (signal: NodeJS.Signals, control: ServerControl, log: LeveledLogger): void => {
  process.on('SIGTERM', () => control.kill());
  process.on('SIGINT', () => control.kill());
  log.info({ signal }, 'draining; send the same signal again to stop at once');
  control.stop().catch((error: unknown) => {
    log.error({ err: error }, 'could not stop cleanly');
    control.kill();
  });
};
