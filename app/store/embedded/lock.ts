/**
 * A lock on a directory: of all processes on this machine, in containers too, one has it. It ends with the process, however that ends.
 * Node has no flock(); SQLite locks an empty file.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** @returns a function that releases the lock; undefined if another process has it  @throws if the file cannot be written */
export const lockFile = (path: string): (() => void) | undefined => {
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path);
  try {
    // Without a file of its own for the transaction that never ends.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) return undefined;
    throw error;
  }
};
