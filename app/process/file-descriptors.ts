/** How many connections fit into the descriptors that the system grants this process, with some left for files. */
import { readFileSync } from 'node:fs';

/**
 * Of `max` connections as many as can be had: an eighth of the descriptors, 256 at most, is kept for files, timers and the
 * store. Without it a process that is full could open no page, no log and no socket, and not even read how much memory it uses.
 * @param limits text of /proc/self/limits (proc_pid_limits(5))
 */
export const connectionsWithin = (max: number, limits = ownLimits()): number => {
  const descriptors = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(max, Math.max(1, descriptors - Math.max(32, Math.min(256, Math.floor(descriptors / 8)))));
};

/** Empty where there is no /proc. */
const ownLimits = (): string => {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
};
