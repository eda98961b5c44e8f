/** The file with the process's number: written once it serves, never over that of one that runs, removed at the end. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { temporaryName } from './temporary-name.ts';

/** @throws when the file names a process of this same program that runs */
export const refuseRunning = (file: string): void => {
  const pid = pidIn(file);
  if (pid !== undefined && pid !== process.pid && isGenkan(pid))
    throw new Error(`${file} names process ${pid}, which runs; stop that one first`);
};

/** The number in the file; undefined when there is none. */
export const pidIn = (file: string): number | undefined => {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
};

/** @returns what removes the file again, unless it names another process by then. @throws when it cannot be written */
export const writePidfile = (file: string): (() => void) => {
  const temporary = temporaryName(file);
  try {
    writeFileSync(temporary, `${process.pid}\n`, { mode: 0o644, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  return () => {
    if (pidIn(file) === process.pid) rmSync(file, { force: true });
  };
};

/** Numbers are used again after a restart of the machine: one that now belongs to another program is stale. */
const isGenkan = (pid: number): boolean => {
  try {
    const own = process.argv[1];
    return own !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(own);
  } catch {
    return false;
  }
};
