/** Limits the lines that clients can cause in the log of the listeners: one for each connection would let an attacker flood it. */
import type { ListenerLog } from './error-response.ts';

const linesPerSecond = 20;

/** Passes on `linesPerSecond`; the number of those left out is logged before the next one. @param clock ms */
export const limitedLog = (log: ListenerLog, clock: () => number = () => performance.now()): ListenerLog => {
  let until = Number.NEGATIVE_INFINITY;
  let lines = 0;
  return {
    warn(fields, message) {
      const now = clock();
      if (now >= until) {
        const omitted = lines - linesPerSecond;
        if (omitted > 0) log.warn({ omitted }, 'more lines about refused requests and connections were left out');
        until = now + 1000;
        lines = 0;
      }
      lines += 1;
      if (lines <= linesPerSecond) log.warn(fields, message);
    },
  };
};
