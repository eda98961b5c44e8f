/** The process's life: the one ticker, and what its signals mean. */

type Say = (fields: object, message: string) => void;
export type Log = { info: Say; warn: Say; error: Say };

/** How a command went, and why it did not. */
export type Outcome = { ok: true } | { ok: false; reason: string };

/** A running server, of one process or of many, as signals and the control socket see it. */
export type ServerControl = {
  /** Drains and ends everything; asked again, it is the same end. */
  stop(): Promise<void>;
  /** Ends everything at once. */
  kill(): void;
  /** Reads the configuration again and changes over to it; what is not sound changes nothing. */
  reload(): Promise<Outcome>;
  /** Opens the log file anew, after it was moved away. */
  reopen(): void;
  /** Whether new rooms are refused for now. */
  paused: boolean;
  /** Values that JSON can hold. */
  status(): object;
  count(): { rooms: number; peers: number };
};

/** ms between ticks: how late a deadline may be noticed. */
const interval = 250;

/**
 * ms since 1970 as the system's clock said when this process began, going on evenly whatever becomes of that clock: were it
 * set back, the lost would not be missed, and were it set on, everyone would be lost.
 */
export const steadyClock = (): number => Math.floor(performance.timeOrigin + performance.now());

/** Runs `tick` again and again, never twice at a time; a failure is logged and the next one comes all the same. */
export const startTicker = (tick: () => Promise<void>, log: Pick<Log, 'error'>): { stop(): void } => {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    await tick().catch((error: unknown) => log.error({ err: error }, 'a tick failed'));
    busy = false;
  }, interval);
  return { stop: () => clearInterval(timer) };
};

export type Signals = {
  /** Obeys signals, those that came before first. @param ended resolves with the exit code, whoever asked for the end */
  obey(life: ServerControl, log: Log, ended: Promise<number>): Promise<number>;
};

/**
 * From now on: HUP reloads, TSTP pauses and resumes, USR1 and USR2 write the status to the log (without a listener Node
 * would open its inspector); those that come before there is a life wait for it. From `obey` on: TERM and INT drain and
 * end, the second of them, or QUIT, ends at once; before, they end the process as they always do.
 */
export const handleSignals = (): Signals => {
  const early: NodeJS.Signals[] = [];
  let hear = (signal: NodeJS.Signals): unknown => early.push(signal);
  for (const signal of ['SIGHUP', 'SIGTSTP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => hear(signal));
  return {
    obey(life, log, ended) {
      hear = (signal) => obeyOne(signal, life, log);
      for (const signal of early) hear(signal);
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => drainOn(signal, life, log));
      process.on('SIGQUIT', () => life.kill());
      return ended;
    },
  };
};

const obeyOne = (signal: NodeJS.Signals, life: ServerControl, log: Log): void => {
  if (signal === 'SIGHUP') void life.reload();
  else if (signal === 'SIGTSTP') life.paused = !life.paused;
  else log.info({ status: life.status() }, 'status');
};

const drainOn = (signal: NodeJS.Signals, life: ServerControl, log: Log): void => {
  process.on('SIGTERM', () => life.kill());
  process.on('SIGINT', () => life.kill());
  log.info({ signal }, 'draining; the same signal again ends at once');
  life.stop().catch((error: unknown) => {
    log.error({ err: error }, 'could not stop cleanly');
    life.kill();
  });
};
