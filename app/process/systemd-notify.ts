/** Tells systemd how things are (sd_notify(3)), by its own program: Node has no datagram sockets of the unix kind. */
import { spawn } from 'node:child_process';
import type { Log } from './lifecycle.ts';

export type Notifier = {
  ready(): void;
  reloading(): void;
  stopping(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** Resolves when all that was told has arrived; ends the watchdog's beats. */
  close(): Promise<void>;
};

/**
 * Does nothing without NOTIFY_SOCKET. The unit needs `Type=notify` or `notify-reload`, and `NotifyAccess=all`, because
 * the words come from a child process. With WatchdogSec it says every half of that time that it lives.
 */
export const createNotifier = (environment: NodeJS.ProcessEnv, log: Pick<Log, 'warn'>): Notifier => {
  let missing = environment.NOTIFY_SOCKET === undefined;
  let told = Promise.resolve();
  let last = '';
  // One after the other, or READY=1 might overtake RELOADING=1.
  const tell = (...words: string[]): void => {
    told = told.then(async () => {
      if (missing) return;
      const problem = await notify(words, environment);
      if (problem === undefined) return;
      missing = problem.code === 'ENOENT';
      log.warn({ err: problem, words }, 'systemd-notify failed; systemd does not know how we are');
    });
  };
  const beats = watchdogInterval(environment);
  let timer: NodeJS.Timeout | undefined;
  return {
    ready() {
      tell('READY=1');
      if (beats !== undefined) timer ??= setInterval(() => tell('WATCHDOG=1'), beats);
    },
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => tell('STOPPING=1'),
    status(text) {
      if (text !== last) tell(`STATUS=${text}`);
      last = text;
    },
    close() {
      clearInterval(timer);
      return told;
    },
  };
};

/** What systemd told this process alone, and no child may believe to be meant for it. */
export const withoutSystemd = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, ...rest } = environment;
  return rest;
};

/** ms; undefined when the unit has no WatchdogSec, or means another process. */
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
