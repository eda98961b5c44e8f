/** The directory in which the embedded store and the session key outlive the process. */
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomKey } from '../auth/session.ts';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { isRoot } from './privileges.ts';

type StateSettings = Pick<Settings, 'store' | 'state-dir' | 'session-key' | 'processes'>;

/** By the setting, systemd, or the XDG base directory specification. */
export const stateDirectory = (settings: Pick<Settings, 'state-dir'>, environment = process.env): string => {
  // https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html: several are separated by colons.
  const ofSystemd = environment.STATE_DIRECTORY?.split(':')[0];
  const ofUser = environment.XDG_STATE_HOME || join(homedir(), '.local/state');
  return resolve(settings['state-dir'] ?? (ofSystemd || join(ofUser, 'genkan')));
};

/** Each worker has its own rooms. */
export const workerDirectory = (directory: string, worker: number): string => join(directory, `worker-${worker}`);

/**
 * With the embedded store: the settings with the directory and the session key that workers use.
 * @throws if the directory cannot be used
 */
export const withState = <T extends StateSettings>(settings: T): T => {
  if (settings.store !== 'embedded') return settings;
  const directory = stateDirectory(settings);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    checkWorkers(directory, settings.processes);
    const key = settings['session-key'] ?? (readIfThere(join(directory, 'session-key')) || newSessionKey(directory));
    return { ...settings, 'state-dir': directory, 'session-key': key };
  } catch (error) {
    throw new Error(`the state directory cannot be used: ${messageOf(error)}`, { cause: error });
  }
};

/** nginx sends a room to another worker when their number changes, and that worker does not have it. @throws if it has changed */
const checkWorkers = (directory: string, processes: number): void => {
  const path = join(directory, 'processes');
  const text = readIfThere(path);
  if (text === undefined) return write(path, `${processes}`);
  // Only as a number: a link may lead to a file that only root can read, and the message is logged.
  const before = Number(text);
  if (before !== processes)
    throw new Error(
      `${directory} has the rooms of ${before} workers, and processes is ${processes}. Set processes to ${before}, or remove the directory to start without its rooms`,
    );
};

/** Gives the directory to the user to whom the process switches. */
export const giveState = (settings: StateSettings, { uid, gid }: { uid: number; gid: number }): void => {
  if (settings.store !== 'embedded' || !isRoot()) return;
  // It may itself be a link, by the operator.
  give(realpathSync(stateDirectory(settings)), { uid, gid });
};

/**
 * Follows no symbolic link, and leaves files with another hard link as they are: the user may have made them, on a previous start, of
 * files that belong to root.
 */
const give = (path: string, { uid, gid }: { uid: number; gid: number }): void => {
  const stats = lstatSync(path);
  if (stats.isDirectory()) for (const name of readdirSync(path)) give(join(path, name), { uid, gid });
  if (stats.isDirectory() || stats.nlink === 1) lchownSync(path, uid, gid);
};

const newSessionKey = (directory: string): string => {
  const key = randomKey();
  write(join(directory, 'session-key'), key);
  return key;
};

/** Whole or not at all, and through no link that the user may have made: this is done as root. */
const write = (path: string, text: string): void => {
  rmSync(`${path}.new`, { force: true });
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(`${path}.new`, path);
};

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
