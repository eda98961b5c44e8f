/** Detects touched files, for `touch-reload`: by polling, because bind mounts send no events. */
import { type Stats, statSync } from 'node:fs';

/** ms between polls. */
const defaultInterval = 1000;

/**
 * Records the state of the files now. The returned function starts polling and calls `touched` when a file has changed or
 * appeared; a missing or removed file is ignored. It returns a function that stops polling.
 */
export const watchTouched = (files: string[], interval = defaultInterval) => {
  const known = new Map(files.map((file) => [file, stateOf(file)]));
  return (touched: (file: string) => void): (() => void) => {
    const timer = setInterval(() => {
      for (const [file, before] of known) {
        const now = stateOf(file, before);
        known.set(file, now);
        if (now !== undefined && now !== before) touched(file);
      }
    }, interval);
    return () => clearInterval(timer);
  };
};

/**
 * Includes the inode: a file renamed into place may be older than the previous one. Undefined when there is no file; `before`
 * when stat fails (permission, I/O error).
 */
const stateOf = (file: string, before?: string): string | undefined => {
  let stats: Stats | undefined;
  try {
    stats = statSync(file, { throwIfNoEntry: false });
  } catch {
    return before;
  }
  return stats && `${stats.ino} ${stats.mtimeMs}`;
};
