/** A token bucket: how many messages a session may send. Time is an argument. */

/** `rate` tokens come back each second, up to `burst`. */
export type RateLimits = { rate: number; burst: number };

export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #limits: RateLimits;

  constructor(limits: RateLimits, now: number) {
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#at = now;
  }

  /** Takes one token; the answer is how many are owed when there was none, else 0. A refused try costs one too. */
  take(now: number): number {
    const { rate, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * rate) / 1000) - 1;
    this.#at = now;
    return this.#tokens < 0 ? -this.#tokens : 0;
  }
}
