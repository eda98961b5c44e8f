/** Timeouts and limits with which the supervisor restarts its workers. */

/** ms and counts. */
export type RestartPolicy = {
  /** A worker that ends within `fast` ms counts as a fast death; `deaths` of them in a row stop the supervisor. */
  fast: number;
  deaths: number;
  /** Wait before the first respawn; each fast death doubles it, up to `lastWait`. */
  firstWait: number;
  lastWait: number;
  /** Time for a worker to start listening. */
  start: number;
  /** `handOver`: time for a worker to begin its hand-over, or it keeps serving. `nextRoom`: then the time between two rooms. */
  handOver: number;
  nextRoom: number;
  /** Intervals between checks of the workers, and of their memory. */
  look: number;
  memory: number;
  /** Minimum time between replacements of a worker because of its memory. */
  memoryPause: number;
  /** Wait before a failed replacement is retried. */
  again: number;
};
export const defaultRestartPolicy: RestartPolicy = {
  fast: 10_000,
  deaths: 5,
  firstWait: 100,
  lastWait: 5000,
  start: 60_000,
  handOver: 30_000,
  nextRoom: 30_000,
  look: 500,
  memory: 5000,
  memoryPause: 300_000,
  again: 60_000,
};
