/** Token buckets: limits for the average rate and for bursts. Time is an argument. */

/** `rate` tokens are added per second, up to `burst`. */
export type RateLimits = { rate: number; burst: number };

export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #limits: RateLimits;

  /** @param tokens initial number; a full bucket if omitted */
  constructor(limits: RateLimits, now: number, tokens = limits.burst) {
    this.#limits = limits;
    this.#tokens = Math.min(limits.burst, tokens);
    this.#at = now;
  }

  /** Tokens left at the last use; negative if tokens are owed. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Takes `cost` tokens. @returns tokens owed, 0 if there were enough. A refused attempt costs as much. */
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

  /** Whether a whole burst is owed. */
  isOverdrawn(now: number): boolean {
    this.#refill(now);
    return this.#tokens <= -this.#limits.burst;
  }

  /** Whether the bucket is full. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#limits.burst;
  }

  #refill(now: number): void {
    if (now === this.#at) return;
    const { rate, burst } = this.#limits;
    // A clock that is set back must not remove tokens.
    const passed = Math.max(0, now - this.#at);
    this.#tokens = Math.min(burst, this.#tokens + (passed * rate) / 1000);
    this.#at = now;
  }
}
