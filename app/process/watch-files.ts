/** Notices files that were touched, for `touch-reload`: by looking, because bind mounts send no events. */
import { type Stats, statSync } from 'node:fs';

/** ms between looks. */
const usualInterval = 1000;

/**
 * Remembers how the files are now. The function returned looks at them from then on, and calls `touched` when one has
 * changed or appeared; one that is missing or goes is nothing. It returns what ends that.
 */
export const watchTouched = (files: string[], interval = usualInterval) => {
  const known = new Map(files.map((file) => [file, mark(file)]));
  return (touched: (file: string) => void): (() => void) => {
    const timer = setInterval(() => {
      for (const [file, before] of known) {
        const now = mark(file, before);
        known.set(file, now);
        if (now !== undefined && now !== before) touched(file);
      }
    }, interval);
    return () => clearInterval(timer);
  };
};

/**
 * The inode as well: a file renamed into place may be older than the one before. Undefined when there is none; `before` when
 * it cannot be looked at, for want of a permission or a working disk.
 */
const mark = (file: string, before?: string): string | undefined => {
  let found: Stats | undefined;
  try {
    found = statSync(file, { throwIfNoEntry: false });
  } catch {
    return before;
  }
  return found && `${found.ino} ${found.mtimeMs}`;
};
