/** A token bucket, which starts full. */

/** Tokens in a burst, and milliseconds per further token. */
export type RateLimit = readonly [burst: number, interval: number];

export class TokenBucket {
  #burst: number;
  #interval: number;
  #tokens: number;
  #now: () => number;
  #refilledAt: number;

  /** @param now monotonic time in milliseconds */
  constructor([burst, interval]: RateLimit, now: () => number = () => performance.now()) {
    this.#burst = this.#tokens = burst;
    this.#interval = interval;
    this.#now = now;
    this.#refilledAt = now();
  }

  /** The tokens that are available. */
  get tokens(): number {
    this.#refill();
    return this.#tokens;
  }

  /** Takes `cost` tokens if they are available. @returns whether they were */
  take(cost = 1): boolean {
    this.#refill();
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Discards the tokens beyond `most`. */
  lower(most: number): void {
    this.#refill();
    this.#tokens = Math.min(most, this.#tokens);
  }

  /** Milliseconds until `cost` tokens are available; 0 = now. */
  wait(cost = 1): number {
    this.#refill();
    return Math.ceil(Math.max(0, cost - this.#tokens) * this.#interval);
  }

  #refill(): void {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#refilledAt) / this.#interval);
    this.#refilledAt = now;
  }
}
