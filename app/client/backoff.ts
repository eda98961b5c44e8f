/** When something is tried again: a connection, a poll, a stream, a message. One rule for all of them, whatever the server asks for. */
import type { Clock } from './clock.ts';
import type { Timing } from './timeouts.ts';

/** The longest delay, milliseconds. */
const longestDelay = 600_000;

export class Backoff {
  #clock: Clock;
  #timing: Timing;
  #first: number;
  #failures = 0;
  #since = Number.POSITIVE_INFINITY;

  /** @param first milliseconds after the first failure; each further one doubles them, up to `timing.longest` */
  constructor(clock: Clock, timing: Timing, first = timing.backoff) {
    this.#clock = clock;
    this.#timing = timing;
    this.#first = first;
  }

  /** From now on it works. What works for `timing.opening` has recovered: the next failure counts as the first. */
  works(): void {
    this.#since = Math.min(this.#since, this.#clock.now);
  }

  /**
   * It failed.
   * @param asked what the server asks for, a finite number: believed above our own delay and below ten minutes
   * @returns milliseconds, spread, so that a whole room does not come back in the same millisecond
   */
  next(asked = 0): number {
    if (this.#clock.now - this.#since >= this.#timing.opening) this.#failures = 0;
    this.#since = Number.POSITIVE_INFINITY;
    const own = Math.min(this.#timing.longest, this.#first * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    const theirs = Math.min(asked, longestDelay / 1.5);
    const chance = this.#clock.random() / 2;
    return Math.max(own * (0.5 + chance), theirs * (1 + chance));
  }
}
