/** The slot of one worker: the current worker, its starting successor, and how often workers of the slot ended. */
import type { LeveledLogger } from '../lifecycle.ts';
import type { RestartPolicy } from './restart-policy.ts';
import type { Verdict } from './watchdog.ts';
import type { Assignment, WorkerHandle } from './worker-handle.ts';

/** `current` serves, `next` is starting; a slot has neither while it waits for a respawn. Times are of performance.now(). */
export type WorkerSlot = {
  assignment: Assignment;
  current?: WorkerHandle | undefined;
  next?: WorkerHandle | undefined;
  /** State handed over by a predecessor that no worker has taken over yet. */
  pendingState?: unknown[] | undefined;
  /** Whether a worker has ever served in this slot. */
  served: boolean;
  /** Consecutive fast deaths, without ordered ends. */
  deaths: number;
  respawns: number;
  hung: number;
  /** The worker that exceeded its memory limit at the last check. */
  large?: WorkerHandle | undefined;
  /** When a worker was last replaced because of its memory. */
  lastReplaced: number;
  wait?: NodeJS.Timeout | undefined;
};

export const newSlot = (assignment: Assignment): WorkerSlot => ({
  ...{ assignment, served: false, deaths: 0, respawns: 0, hung: 0, lastReplaced: Number.NEGATIVE_INFINITY },
});

/** `lived`: ms. `ordered`: the supervisor requested it. */
export type WorkerEnd = { lived: number; ordered: boolean; unstartable?: string | undefined };

/**
 * Counts an end. An ordered end, or a start that the system denied, is not counted as a death: a client that can drive a worker
 * to a limit must not be able to stop the whole server.
 * @returns ms to wait before the next start, or that the supervisor should give up
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
 * Whether a worker beyond its memory limit has to be replaced. First it gets an order to free memory, and has until the next check.
 * Replacements are rate-limited, because all peers of the worker must reconnect.
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
 * Transfers the slot's rooms to a starting worker. Between the predecessor's end and the successor's start, connections wait in
 * the accept queue of the socket that this process keeps open.
 * @throws when the successor is not ready in time, or when the predecessor does not begin the hand-over and keeps serving
 */
export const transferState = async (
  slot: WorkerSlot,
  old: WorkerHandle | undefined,
  successor: WorkerHandle,
  policy: RestartPolicy,
  log: LeveledLogger,
): Promise<void> => {
  await successor.inTime(successor.ready, policy.start);
  if (!slot.pendingState && old) {
    const left = await old.handOver(policy);
    if (left === 'kept') throw new Error('the old worker did not hand over its rooms in time');
    slot.pendingState = left.parts;
    const parts = left.parts.length;
    if (!left.whole)
      log.error({ worker: old.number, pid: old.pid, parts }, 'some rooms were lost: the hand-over is incomplete');
  }
  slot.pendingState ??= [];
  log.info({ worker: successor.number, pid: successor.pid, parts: slot.pendingState.length }, 'worker takes over');
  successor.inherit(slot.pendingState);
};
