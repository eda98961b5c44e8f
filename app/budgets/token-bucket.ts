/** Token buckets: how much may be used in the long run, and how much at once. Time is an argument. */

/** `rate` tokens come back each second, up to `burst`. */
export type RateLimits = { rate: number; burst: number };

export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #limits: RateLimits;

  /** @param tokens how many there are at the beginning; a full bucket when not given */
  constructor(limits: RateLimits, now: number, tokens = limits.burst) {
    this.#limits = limits;
    this.#tokens = Math.min(limits.burst, tokens);
    this.#at = now;
  }

  /** What is left, as of the last use; negative when tokens are owed. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Takes `cost` tokens; returns how many are owed when there were too few, else 0. A refused try costs as much. */
  take(now: number, cost = 1): number {
    this.#refill(now);
    this.#tokens -= cost;
    return this.#tokens < 0 ? -this.#tokens : 0;
  }

  /** Gives back what was taken and not used. */
  giveBack(now: number, amount: number): void {
    this.#refill(now);
    this.#tokens = Math.min(this.#limits.burst, this.#tokens + amount);
  }

  /** ms until `cost` tokens can be taken; 0 = now. A cost above the burst waits for a full bucket. */
  wait(now: number, cost = 1): number {
    this.#refill(now);
    if (this.#tokens >= cost) return 0;
    const missing = Math.min(cost, this.#limits.burst) - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil((missing * 1000) / this.#limits.rate);
  }

  /** Whether nothing has been used that has not come back. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#limits.burst;
  }

  #refill(now: number): void {
    if (now === this.#at) return;
    const { rate, burst } = this.#limits;
    // A clock that is set back costs nobody anything.
    const passed = Math.max(0, now - this.#at);
    this.#tokens = Math.min(burst, this.#tokens + (passed * rate) / 1000);
    this.#at = now;
  }
}
