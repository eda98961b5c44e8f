/** The process's life: the one ticker, and what its signals mean. */

type Log = { info(fields: object, message: string): void; error(fields: object, message: string): void };

/** ms between ticks: how late a deadline may be noticed. */
const interval = 250;

/** Runs `tick` again and again, never twice at a time; a failure is logged and the next one comes all the same. */
export const startTicker = (tick: () => Promise<void>, log: Log): { stop(): void } => {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    await tick().catch((error: unknown) => log.error({ err: error }, 'a tick failed'));
    busy = false;
  }, interval);
  return { stop: () => clearInterval(timer) };
};

/** TERM and INT drain and end; the second of them, or QUIT, ends at once. Resolves with the exit code. */
export const untilStopped = (stop: () => Promise<void>, log: Log): Promise<number> =>
  new Promise((resolve) => {
    let draining = false;
    const drain = async (signal: NodeJS.Signals) => {
      if (draining) return resolve(1);
      draining = true;
      log.info({ signal }, 'draining; the same signal again ends at once');
      await stop().catch((error: unknown) => log.error({ err: error }, 'could not stop cleanly'));
      resolve(0);
    };
    process.on('SIGTERM', drain);
    process.on('SIGINT', drain);
    process.on('SIGQUIT', () => resolve(1));
  });
