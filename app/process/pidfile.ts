/** The pidfile: written once the server is ready, never over that of a running process, removed on exit. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { temporaryName } from './temporary-name.ts';

/** @throws when the file names a running process of this same program */
export const refuseRunning = (file: string): void => {
  const pid = pidIn(file);
  if (pid !== undefined && pid !== process.pid && isGenkan(pid))
    throw new Error(`${file}: process ${pid} is already running; stop it first`);
};

/** The pid in the file; undefined when there is none. */
export const pidIn = (file: string): number | undefined => {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
};

/** @returns a function that removes the file, unless it names another process by then. @throws when it cannot be written */
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

/** Pids are reused after a reboot: one that belongs to another program is stale. */
const isGenkan = (pid: number): boolean => {
  try {
    const program = process.argv[1];
    return program !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(program);
  } catch {
    return false;
  }
};
