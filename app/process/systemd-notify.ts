/** Reports the state to systemd (sd_notify(3)) with systemd-notify, because Node has no unix datagram sockets. */
import { spawn } from 'node:child_process';
import type { LeveledLogger } from './lifecycle.ts';

export type Notifier = {
  ready(): void;
  reloading(): void;
  stopping(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** Stops the watchdog messages; resolves when all notifications have been sent. */
  close(): Promise<void>;
};

/**
 * Does nothing without NOTIFY_SOCKET. The unit needs `Type=notify` or `notify-reload`, and `NotifyAccess=all`, because
 * a child process sends the messages. With WatchdogSec it sends WATCHDOG=1 at half that interval.
 */
export const createNotifier = (environment: NodeJS.ProcessEnv, log: Pick<LeveledLogger, 'warn'>): Notifier => {
  let disabled = environment.NOTIFY_SOCKET === undefined;
  let queue = Promise.resolve();
  let lastStatus = '';
  // One at a time, or READY=1 might overtake RELOADING=1.
  const send = (...words: string[]): void => {
    queue = queue.then(async () => {
      if (disabled) return;
      const problem = await notify(words, environment);
      if (problem === undefined) return;
      disabled = problem.code === 'ENOENT';
      log.warn({ err: problem, words }, 'systemd-notify failed; systemd was not notified');
    });
  };
  const interval = watchdogInterval(environment);
  let timer: NodeJS.Timeout | undefined;
  return {
    ready() {
      send('READY=1');
      if (interval !== undefined) timer ??= setInterval(() => send('WATCHDOG=1'), interval);
    },
    reloading: () => send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => send('STOPPING=1'),
    status(text) {
      if (text !== lastStatus) send(`STATUS=${text}`);
      lastStatus = text;
    },
    close() {
      clearInterval(timer);
      return queue;
    },
  };
};

/** The environment for children, without the variables that systemd addressed to this process only. */
export const withoutSystemd = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, ...rest } = environment;
  return rest;
};

/** ms; undefined when the unit has no WatchdogSec, or when it is meant for another process. */
const watchdogInterval = ({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined => {
  const micros = Number(WATCHDOG_USEC);
  if (!(micros > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid)) return undefined;
  return micros / 2000;
};

const notify = (words: string[], environment: NodeJS.ProcessEnv): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    const child = spawn('systemd-notify', words, { env: environment, stdio: 'ignore' });
    child.once('error', resolve);
    child.once('exit', (code) => resolve(code === 0 ? undefined : new Error(`it ended with code ${code}`)));
  });
