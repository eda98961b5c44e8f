/** Exponential backoff with jitter for all retries: connections, polls, streams and messages. */
import type { Clock } from './clock.ts';
import type { Timing } from './timeouts.ts';

/** The longest delay, milliseconds. */
const longestDelay = 600_000;

export class Backoff {
  #clock: Clock;
  #timing: Timing;
  #firstDelay: number;
  #failures = 0;
  #succeededAt = Number.POSITIVE_INFINITY;

  /** @param first delay after the first failure, in milliseconds; doubles with each further failure, up to `timing.longest` */
  constructor(clock: Clock, timing: Timing, first = timing.backoff) {
    this.#clock = clock;
    this.#timing = timing;
    this.#firstDelay = first;
  }

  /** The operation succeeded. After `timing.opening` without failure it has recovered, and the next failure counts as the first. */
  succeeded(): void {
    this.#succeededAt = Math.min(this.#succeededAt, this.#clock.now);
  }

  /**
   * The operation failed.
   * @param retryAfter finite delay requested by the server, in milliseconds; used if longer than our own, up to ten minutes
   * @returns milliseconds with jitter, so that a whole room does not reconnect in the same millisecond
   */
  next(retryAfter = 0): number {
    if (this.#clock.now - this.#succeededAt >= this.#timing.opening) this.#failures = 0;
    this.#succeededAt = Number.POSITIVE_INFINITY;
    const delay = Math.min(this.#timing.longest, this.#firstDelay * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    const requested = Math.min(retryAfter, longestDelay / 1.5);
    const jitter = this.#clock.random() / 2;
    return Math.max(delay * (0.5 + jitter), requested * (1 + jitter));
  }
}
