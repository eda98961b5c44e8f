/** `genkan status | reload | stop | pause | resume`: sends the command to a running server and reports the result. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { ask } from '../process/control-socket.ts';
import { pidIn } from '../process/pidfile.ts';
import { processState } from '../process/supervisor/watchdog.ts';
import type { CommandResult } from './command-result.ts';

const commandNames = ['status', 'reload', 'stop', 'pause', 'resume'] as const;
export type CommandName = (typeof commandNames)[number];

/** Uses the control socket when the settings name one, else a signal to the process in the pidfile. Exit code 1: failed, or no server. */
export const command = async (
  name: CommandName,
  settings: Pick<Settings, 'control-socket' | 'pidfile' | 'drain-timeout'>,
): Promise<CommandResult> => {
  const { 'control-socket': path, pidfile } = settings;
  if (path !== undefined) return viaControlSocket(name, path);
  if (pidfile !== undefined) return viaSignal(name, pidfile, settings['drain-timeout']);
  return { faults: [`${name}: no server specified; pass --control-socket or --pidfile`] };
};

const viaControlSocket = async (name: CommandName, path: string): Promise<CommandResult> => {
  try {
    const { ok, error, status } = await ask(path, name);
    if (!ok) return failed(`${name}: ${error ?? 'failed'}`);
    return { text: status === undefined ? done[name] : JSON.stringify(status, null, 2) };
  } catch (error) {
    return failed(`${name}: no response from ${path}: ${messageOf(error)}`);
  }
};

const failed = (fault: string): CommandResult => ({ faults: [fault], code: 1 });

const done: Record<CommandName, string> = {
  status: 'Running.',
  reload: 'Reloaded.',
  stop: 'Stopped.',
  pause: 'Paused: new rooms are refused.',
  resume: 'Resumed: new rooms are accepted.',
};

const signals = { reload: 'SIGHUP', stop: 'SIGTERM', pause: 'SIGTSTP' } as const;

const viaSignal = async (name: CommandName, pidfile: string, drain: number): Promise<CommandResult> => {
  const pid = pidIn(pidfile);
  const absent = `${name}: no running process with the PID in ${pidfile}`;
  if (pid === undefined || !isAlive(pid)) return failed(absent);
  if (name === 'status') return { text: `Running as process ${pid}; use --control-socket for details.` };
  if (name === 'resume') return { faults: ['resume: a signal can only toggle pause and resume; use --control-socket'] };
  try {
    process.kill(pid, signals[name]);
  } catch (error) {
    // Without EPERM it has exited since the check.
    if (!isForbidden(error)) return failed(absent);
    return failed(`${name}: process ${pid} belongs to another user; run the command as that user or as root`);
  }
  if (name !== 'stop') return { text: `${name}: signal sent to process ${pid}; see its log for the result` };
  return (await hasExited(pid, drain)) ? { text: done.stop } : failed(`stop: process ${pid} is still running`);
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie has exited; its parent has not waited for it yet.
    return processState(pid) !== 'Z';
  } catch (error) {
    return isForbidden(error);
  }
};

/** The process exists, but belongs to another user. */
const isForbidden = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EPERM';

/** Waits for the drain timeout plus 5 seconds. */
const hasExited = async (pid: number, drain: number): Promise<boolean> => {
  for (let tries = 0; tries < (drain + 5) * 10; tries += 1) {
    if (!isAlive(pid)) return true;
    await sleep(100);
  }
  return false;
};
