/** How many connections this process can accept within its limit of file descriptors, keeping some for files. */
import { readFileSync } from 'node:fs';

/**
 * `max`, limited by the file descriptors: an eighth of them, at most 256, is reserved for files, timers and the store. Without
 * this reserve a full process could open no page, log or socket, and could not even read its own memory usage.
 * @param limits text of /proc/self/limits (proc_pid_limits(5))
 */
export const connectionsWithin = (max: number, limits = readLimits()): number => {
  const descriptors = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(max, Math.max(1, descriptors - Math.max(32, Math.min(256, Math.floor(descriptors / 8)))));
};

/** Empty without /proc. */
const readLimits = (): string => {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
};
