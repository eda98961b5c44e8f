/** `genkan status | reload | stop | pause | resume`: asks a running server, waits for the result, and says how it went. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../config/schema.ts';
import { ask } from '../process/control-socket.ts';
import { pidIn } from '../process/pidfile.ts';
import { processState } from '../process/supervisor/watchdog.ts';

export const commandNames = ['status', 'reload', 'stop', 'pause', 'resume'] as const;
export type CommandName = (typeof commandNames)[number];
/** What is to be said, and the exit code: 0 done, 1 not done or nobody there, 2 asked in vain. */
export type CommandResult = { code: 0 | 1 | 2; text: string };

/** By the control socket when the settings name one, else by a signal to the process of the pidfile. */
export const command = async (
  name: CommandName,
  settings: Pick<Settings, 'control-socket' | 'pidfile' | 'drain-timeout'>,
): Promise<CommandResult> => {
  const { 'control-socket': path, pidfile } = settings;
  if (path !== undefined) return byControl(name, path);
  if (pidfile !== undefined) return bySignal(name, pidfile, settings['drain-timeout']);
  return { code: 2, text: `${name}: whom? Give --control-socket PATH or --pidfile PATH` };
};

const byControl = async (name: CommandName, path: string): Promise<CommandResult> => {
  try {
    const { ok, error, status } = await ask(path, name);
    if (!ok) return { code: 1, text: `${name}: ${error ?? 'it was not done'}` };
    return { code: 0, text: status === undefined ? done[name] : JSON.stringify(status, null, 2) };
  } catch (error) {
    return { code: 1, text: `${name}: nobody answers at ${path}: ${error instanceof Error ? error.message : error}` };
  }
};

const done: Record<CommandName, string> = {
  status: 'It runs.',
  reload: 'Reloaded.',
  stop: 'Stopped.',
  pause: 'Paused: new rooms are refused.',
  resume: 'New rooms are taken again.',
};

const signals = { reload: 'SIGHUP', stop: 'SIGTERM', pause: 'SIGTSTP' } as const;

const bySignal = async (name: CommandName, pidfile: string, drain: number): Promise<CommandResult> => {
  const pid = pidIn(pidfile);
  if (pid === undefined || !isAlive(pid)) return { code: 1, text: `${name}: ${pidfile} names nobody who runs` };
  if (name === 'status') return { code: 0, text: `It runs, as process ${pid}; more is told by --control-socket.` };
  if (name === 'resume')
    return { code: 2, text: 'resume: a signal can only change pause to resume and back; use --control-socket' };
  process.kill(pid, signals[name]);
  if (name !== 'stop')
    return { code: 0, text: `${name}: process ${pid} was asked; how it went is in its log, or use --control-socket` };
  return (await isGone(pid, drain))
    ? { code: 0, text: done.stop }
    : { code: 1, text: `stop: process ${pid} still runs` };
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // One that has ended and whose parent has not asked how is only a name.
    return processState(pid) !== 'Z';
  } catch (error) {
    // It is there, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Waits for as long as draining may take, and some seconds. */
const isGone = async (pid: number, drain: number): Promise<boolean> => {
  for (let tries = 0; tries < (drain + 5) * 10; tries += 1) {
    if (!isAlive(pid)) return true;
    await sleep(100);
  }
  return false;
};
