/** When a worker has to be replaced: it lives too long, needs too much memory, or no longer turns. Time is an argument. */
import { readFileSync } from 'node:fs';

/** Seconds and megabytes; 0 = no limit. */
export type Limits = {
  'max-worker-lifetime': number;
  'reload-on-rss': number;
  'evil-reload-on-rss': number;
  'loop-harakiri': number;
};

/** Times in ms of one clock, bytes of memory now and when it had just started, with the rooms that it took over. */
export type Vital = { since: number; heard: number; rss: number; baseline: number };

/**
 * `kill`: it does not turn, so it cannot be asked. `end`: too much memory to start a successor beside it. `replace`: a
 * successor first, then it drains.
 */
export type Verdict = { do: 'kill' | 'end' | 'replace'; limit: keyof Limits; reason: string };

/**
 * Of a limit of memory: by so much a worker must have grown since its start. A successor inherits the rooms; if they alone are
 * beyond the limit, it would be beyond it at once, and no replacement would help.
 */
const leastGrowth = 0.5;

/** @param spread 0 to 1: workers that started together do not end together, up to a tenth of the lifetime apart */
export const checkWorker = (
  limits: Limits,
  { since, heard, rss, baseline }: Vital,
  now: number,
  spread: number,
): Verdict | undefined => {
  const silent = (now - heard) / 1000;
  const megabytes = rss / 2 ** 20;
  const grown = (rss - baseline) / 2 ** 20;
  const isTooLarge = (limit: number): boolean => exceeds(megabytes, limit) && grown >= limit * leastGrowth;
  const lifetime = limits['max-worker-lifetime'] * (1 + spread / 10);
  if (exceeds(silent, limits['loop-harakiri']))
    return { do: 'kill', limit: 'loop-harakiri', reason: `its event loop has stood still for ${silent.toFixed(1)} s` };
  if (isTooLarge(limits['evil-reload-on-rss']))
    return {
      do: 'end',
      limit: 'evil-reload-on-rss',
      reason: `it uses ${megabytes.toFixed(0)} MB of memory, ${grown.toFixed(0)} more than at its start`,
    };
  if (isTooLarge(limits['reload-on-rss']))
    return {
      do: 'replace',
      limit: 'reload-on-rss',
      reason: `it uses ${megabytes.toFixed(0)} MB of memory, ${grown.toFixed(0)} more than at its start`,
    };
  if (exceeds((now - since) / 1000, lifetime))
    return {
      do: 'replace',
      limit: 'max-worker-lifetime',
      reason: `it has lived for ${Math.round((now - since) / 1000)} s`,
    };
  return undefined;
};

export const isOfMemory = (verdict: Verdict | undefined): boolean =>
  verdict?.limit === 'reload-on-rss' || verdict?.limit === 'evil-reload-on-rss';

const exceeds = (value: number, limit: number): boolean => limit > 0 && value >= limit;

/** R = it computes, D = it waits for a disk, T = it was stopped …: proc_pid_stat(5). Undefined where there is no /proc. */
export const processState = (pid: number): string | undefined => {
  try {
    return / ([A-Z]) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, ''))?.[1];
  } catch {
    return undefined;
  }
};
