/** What one peer may cost this page: a token bucket for each kind of thing. It outlives the connections to that peer. */

/** Of each kind: how many at once, and milliseconds until one more is allowed. What is beyond that is ignored. */
export const prices = {
  /** Fresh connections: each is an RTCPeerConnection, of which a browser has some hundreds for all its pages. */
  connection: [8, 10_000],
  /** Descriptions, and requests for a restart. */
  description: [10, 2_000],
  candidate: [128, 100],
  /** Texts over the data channel, of which a fast file has four hundred a second. */
  text: [1_000, 1],
  /** Offers of files, and lists of them. */
  file: [16, 4_000],
  reaction: [8, 250],
  /** What it tells of itself: the last of several is shown when there is a token again. */
  update: [20, 500],
} as const;

/** A bucket of tokens: `take()` says whether there was one. */
export class Bucket {
  #burst: number;
  #refill: number;
  #tokens: number;
  #at = performance.now();

  constructor([burst, refill]: readonly [burst: number, refill: number]) {
    this.#burst = this.#tokens = burst;
    this.#refill = refill;
  }

  take(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#refill);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

export class Allowance {
  #buckets: { [kind: string]: Bucket } = {};

  take(kind: keyof typeof prices): boolean {
    this.#buckets[kind] ??= new Bucket(prices[kind]);
    return this.#buckets[kind].take();
  }
}
