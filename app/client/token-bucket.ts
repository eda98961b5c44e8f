/** A token bucket, which starts full. */

/** Tokens in a burst, and milliseconds per further token. */
export type Price = readonly [burst: number, refill: number];

export class TokenBucket {
  #burst: number;
  #refill: number;
  #tokens: number;
  #now: () => number;
  #refilledAt: number;

  /** @param now monotonic time in milliseconds */
  constructor([burst, refill]: Price, now: () => number = () => performance.now()) {
    this.#burst = this.#tokens = burst;
    this.#refill = refill;
    this.#now = now;
    this.#refilledAt = now();
  }

  /** Takes `cost` tokens if they are available. @returns whether they were */
  take(cost = 1): boolean {
    if (this.wait(cost) > 0) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Milliseconds until `cost` tokens are available; 0 = now. */
  wait(cost = 1): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#refilledAt) / this.#refill);
    this.#refilledAt = now;
    return Math.ceil(Math.max(0, cost - this.#tokens) * this.#refill);
  }
}
