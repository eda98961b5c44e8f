/** When a worker has to be replaced: too old, too much memory, or a blocked event loop. Time is an argument. */
import { readFileSync } from 'node:fs';

/** Seconds and megabytes; 0 = no limit. */
export type Limits = {
  'max-worker-lifetime': number;
  'reload-on-rss': number;
  'evil-reload-on-rss': number;
  'loop-harakiri': number;
};

/** Times in ms of one clock; bytes of memory now, and just after its start (including the rooms that it took over). */
type Vital = { since: number; heard: number; rss: number; baseline: number };

/**
 * `kill`: its event loop is blocked, so it cannot drain. `end`: it uses too much memory to start a successor next to it.
 * `replace`: start a successor, then drain it.
 */
export type Verdict = { do: 'kill' | 'end' | 'replace'; limit: keyof Limits; reason: string };

/**
 * Fraction of a memory limit by which a worker must have grown since its start. A successor takes over the rooms; if they alone
 * exceed the limit, it would exceed it at once, and a replacement would not help.
 */
const minGrowth = 0.5;

/** @param spread 0 to 1: extends the lifetime by up to a tenth, so that workers started together do not end together */
export const checkWorker = (
  limits: Limits,
  { since, heard, rss, baseline }: Vital,
  now: number,
  spread: number,
): Verdict | undefined => {
  const silent = (now - heard) / 1000;
  const megabytes = rss / 2 ** 20;
  const grown = (rss - baseline) / 2 ** 20;
  const isTooLarge = (limit: number): boolean => exceeds(megabytes, limit) && grown >= limit * minGrowth;
  const lifetime = limits['max-worker-lifetime'] * (1 + spread / 10);
  if (exceeds(silent, limits['loop-harakiri']))
    return { do: 'kill', limit: 'loop-harakiri', reason: `its event loop has been blocked for ${silent.toFixed(1)} s` };
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
      reason: `it has run for ${Math.round((now - since) / 1000)} s`,
    };
  return undefined;
};

export const isOfMemory = (verdict: Verdict | undefined): boolean =>
  verdict?.limit === 'reload-on-rss' || verdict?.limit === 'evil-reload-on-rss';

const exceeds = (value: number, limit: number): boolean => limit > 0 && value >= limit;

/** R = running, D = waiting for a disk, T = stopped …: proc_pid_stat(5). Undefined without /proc. */
export const processState = (pid: number): string | undefined => {
  try {
    return / ([A-Z]) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, ''))?.[1];
  } catch {
    return undefined;
  }
};
