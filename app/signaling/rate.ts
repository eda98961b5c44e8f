/** Token buckets: how much may be done in the long run, and how much at once. Time is an argument. */

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

  /** Takes `cost` tokens; the answer is how many are owed when there were too few, else 0. A refused try costs as much. */
  take(now: number, cost = 1): number {
    this.#refill(now);
    this.#tokens -= cost;
    return this.#tokens < 0 ? -this.#tokens : 0;
  }

  /** ms until there is a token to take; 0 = there is one. */
  wait(now: number): number {
    this.#refill(now);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#limits.rate);
  }

  /** Whether it is as good as new. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#limits.burst;
  }

  #refill(now: number): void {
    const { rate, burst } = this.#limits;
    // A clock that is set back costs nobody anything.
    const passed = Math.max(0, now - this.#at);
    this.#tokens = Math.min(burst, this.#tokens + (passed * rate) / 1000);
    this.#at = now;
  }
}

/** Messages as in `RateLimits`; bytes alike. */
export type AllowanceLimits = RateLimits & { byteRate: number; byteBurst: number };

/** What one session may send: messages, and the bytes in them. */
export class Allowance {
  readonly #limits: AllowanceLimits;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(limits: AllowanceLimits, now: number) {
    this.#limits = limits;
    this.#messages = new TokenBucket(limits, now);
    this.#bytes = new TokenBucket({ rate: limits.byteRate, burst: limits.byteBurst }, now);
  }

  /** Counts a message of so many bytes. `far-over`: a whole burst is owed, so that nobody there listens to refusals. */
  take(bytes: number, now: number): 'within' | 'over' | 'far-over' {
    const messages = this.#messages.take(now);
    const owed = this.#bytes.take(now, bytes);
    if (messages > this.#limits.burst || owed > this.#limits.byteBurst) return 'far-over';
    return messages > 0 || owed > 0 ? 'over' : 'within';
  }
}
