/** The place of one worker among others: who serves there, who is about to, and how often its workers ended. */
import type { Log } from '../lifecycle.ts';
import type { RestartPolicy } from './restart-policy.ts';
import type { Verdict } from './watchdog.ts';
import type { Assignment, WorkerHandle } from './worker-handle.ts';

/** `current` serves, `next` is about to; a slot has neither while it waits for a respawn. Times are of performance.now(). */
export type WorkerSlot = {
  assignment: Assignment;
  current?: WorkerHandle | undefined;
  next?: WorkerHandle | undefined;
  /** What a predecessor left that no worker has yet. */
  legacy?: unknown[] | undefined;
  /** Whether a worker ever served here. */
  served: boolean;
  /** Fast ones in a row that nobody asked for. */
  deaths: number;
  respawns: number;
  hung: number;
  /** Who was beyond its limit of memory at the last look. */
  large?: WorkerHandle | undefined;
  /** When a worker was last replaced for its memory. */
  lastReplaced: number;
  wait?: NodeJS.Timeout | undefined;
};

export const newSlot = (assignment: Assignment): WorkerSlot => ({
  ...{ assignment, served: false, deaths: 0, respawns: 0, hung: 0, lastReplaced: Number.NEGATIVE_INFINITY },
});

/** `lived`: ms. `ordered`: by the supervisor. */
export type WorkerEnd = { lived: number; ordered: boolean; unstartable?: string | undefined };

/**
 * Counts an end. One that was asked for, or a start that the system did not allow, says nothing about the worker: whoever can
 * drive it to a limit must not be able to end everything.
 * @returns ms to wait before the next start, or that it makes no sense any more
 */
export const countEnd = (
  slot: WorkerSlot,
  { lived, ordered, unstartable }: WorkerEnd,
  { fast, deaths, firstWait, lastWait }: RestartPolicy,
): number | 'give up' => {
  if (unstartable !== undefined) return lastWait;
  if (lived >= fast) slot.deaths = 0;
  else if (ordered) return 0;
  else slot.deaths += 1;
  if (slot.deaths >= deaths) return 'give up';
  return slot.deaths === 0 ? 0 : Math.min(firstWait * 2 ** (slot.deaths - 1), lastWait);
};

/**
 * Whether a worker that is too large has to go. It lets go of memory first, and has until the next look for it. Everyone inside
 * has to come back when it is replaced, so that this happens only so often.
 */
export const hasToGo = (
  slot: WorkerSlot,
  worker: WorkerHandle,
  verdict: Verdict,
  now: number,
  { memoryPause }: RestartPolicy,
): boolean => {
  const wasLarge = slot.large === worker;
  slot.large = worker;
  const isSoon = verdict.do === 'replace' && now - slot.lastReplaced < memoryPause;
  if (!wasLarge || isSoon) return false;
  slot.lastReplaced = now;
  return true;
};

/**
 * Gives the slot's rooms to a worker that starts. From the predecessor's end to the heir's beginning visitors wait in the queue of
 * the socket that this process holds.
 * @throws when the heir is not ready in time, or the predecessor does not begin to hand over and so serves on
 */
export const transferState = async (
  slot: WorkerSlot,
  old: WorkerHandle | undefined,
  heir: WorkerHandle,
  pace: RestartPolicy,
  log: Log,
): Promise<void> => {
  await heir.inTime(heir.ready, pace.start);
  if (!slot.legacy && old) {
    const left = await old.handOver(pace);
    if (left === 'kept') throw new Error('the worker before it did not hand over its rooms in time');
    slot.legacy = left.parts;
    const parts = left.parts.length;
    if (!left.whole)
      log.error({ worker: old.number, pid: old.pid, parts }, 'rooms were lost: not all were handed over');
  }
  slot.legacy ??= [];
  log.info({ worker: heir.number, pid: heir.pid, parts: slot.legacy.length }, 'worker takes over');
  heir.inherit(slot.legacy);
};
