/** A token bucket for each of many keys, such as rooms. Bounded; time is an argument. */
import { type RateLimits, TokenBucket } from './token-bucket.ts';

export class KeyedBuckets {
  /** The order is that of the last use. */
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limits: RateLimits;
  readonly #most: number;

  /** @param most keys at a time; one more, and the key unused for longest is forgotten */
  constructor(limits: RateLimits, most = 10_000) {
    this.#limits = limits;
    this.#most = most;
  }

  /** ms until there is a token for this key; 0 = now. */
  wait(key: string, now: number): number {
    return this.#buckets.get(key)?.wait(now) ?? 0;
  }

  take(key: string, now: number): void {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#limits, now);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    bucket.take(now);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= this.#most) return;
      this.#buckets.delete(oldest);
    }
  }

  sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(key);
  }
}
