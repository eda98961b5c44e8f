/** One token bucket per key, such as a room. Bounded; time is an argument. */
import { type RateLimits, TokenBucket } from './token-bucket.ts';

export class KeyedBuckets {
  /** In order of last use. */
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limits: RateLimits;
  readonly #most: number;

  /** @param most maximum number of keys; beyond it the least recently used one is dropped */
  constructor(limits: RateLimits, most = 10_000) {
    this.#limits = limits;
    this.#most = most;
  }

  /** ms until this key has a token; 0 = now. */
  wait(key: string, now: number): number {
    return this.#buckets.get(key)?.wait(now) ?? 0;
  }

  /** Charges what has happened already. A key owes at most one burst, or many clients could block it for hours. */
  charge(key: string, now: number): void {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#limits, now);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (!bucket.isOverdrawn(now)) bucket.take(now);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#most) return;
      this.#buckets.delete(oldest);
    }
  }

  sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(key);
  }
}
