/** The directory of a journal: private, and locked. */
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../config/result.ts';
import { newSuffix, oldSuffix } from './journal-file.ts';

/**
 * Makes the directory, and locks it for this process.
 * @param patience ms to wait for a process that still has it
 * @returns a function that releases the lock
 * @throws if it cannot be written, or is used by another process
 */
export const lockDirectory = async (directory: string, patience: number): Promise<() => void> => {
  for (const until = performance.now() + patience; ; await sleep(50)) {
    const unlock = tryToLock(directory);
    if (unlock) return unlock;
    if (performance.now() >= until) throw new Error(`${directory} is used by another process`);
  }
};

const tryToLock = (directory: string): (() => void) | undefined => {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { mode } = statSync(directory);
    if ((mode & 0o077) !== 0) chmodSync(directory, mode & 0o700);
    const unlock = lockFile(join(directory, 'lock'));
    // Files that a previous process has not completed, or not removed: it may be doing that.
    if (unlock)
      for (const name of readdirSync(directory).filter(isLeftover)) rmSync(join(directory, name), { force: true });
    return unlock;
  } catch (error) {
    throw new Error(`the state directory cannot be used: ${messageOf(error)}`, { cause: error });
  }
};

const isLeftover = (name: string): boolean => name.endsWith(newSuffix) || name.endsWith(oldSuffix);

/**
 * A lock that ends with the process, however that ends, and holds across containers. Node has no flock(), but SQLite has locks; the
 * file stays empty.
 */
const lockFile = (path: string): (() => void) | undefined => {
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path);
  try {
    // Without a file of its own for a transaction that never ends.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
};

/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;
