/** How patient the supervisor is with its workers. */

/** ms and counts. */
export type RestartPolicy = {
  /** A worker that lived shorter died fast; so many in a row end everything. */
  fast: number;
  deaths: number;
  /** The first wait before a respawn; each fast death doubles it, up to the last. */
  firstWait: number;
  lastWait: number;
  /** For a worker to listen. */
  start: number;
  /** For a worker to begin to hand over its rooms: one that has not begun by then serves on. Once it has, between two rooms. */
  handOver: number;
  nextRoom: number;
  /** Between looks at the workers; between looks at their memory. */
  look: number;
  memory: number;
  /** Between replacements of a worker for its memory. */
  memoryPause: number;
  /** Before a replacement that failed is tried again. */
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
