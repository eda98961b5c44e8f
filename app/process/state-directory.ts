/** The directory in which the embedded store and the session key outlive the process. */
import { chownSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomKey } from '../auth/session.ts';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { isRoot } from './privileges.ts';

type StateSettings = Pick<Settings, 'store' | 'state-dir' | 'session-key'>;

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
  return { ...settings, 'state-dir': directory, 'session-key': settings['session-key'] ?? sessionKeyIn(directory) };
};

/** Gives the directory to the user to whom the process switches. */
export const giveState = (settings: StateSettings, { uid, gid }: { uid: number; gid: number }): void => {
  if (settings.store !== 'embedded' || !isRoot()) return;
  const directory = stateDirectory(settings);
  chownSync(directory, uid, gid);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    chownSync(join(directory, name), uid, gid);
};

/** Made at the first start. */
const sessionKeyIn = (directory: string): string => {
  const path = join(directory, 'session-key');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const found = readIfThere(path);
    if (found !== undefined) return found;
    const key = randomKey();
    writeFileSync(`${path}.new`, `${key}\n`, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    return key;
  } catch (error) {
    throw new Error(`the state directory cannot be used: ${messageOf(error)}`, { cause: error });
  }
};

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
