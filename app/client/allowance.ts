/** Rate limits for one peer: a token bucket per kind of input. They outlive the connections to that peer. */
import { TokenBucket } from './token-bucket.ts';

/** For each kind: the burst, and milliseconds per further token. Input beyond that is ignored. */
export const rateLimits = {
  /** New connections: each is an RTCPeerConnection, and a browser allows some hundreds for all its pages. */
  connection: [8, 10_000],
  /** Descriptions, and requests for a restart. */
  description: [10, 2_000],
  candidate: [128, 100],
  /** Text messages over the data channel; a fast file transfer sends four hundred a second. */
  text: [1_000, 1],
  /** Binary messages over the data channel: ten thousand full frames a second are 160 MB, faster than any data channel. */
  frame: [10_000, 0.1],
  /** File offers, and lists of them. */
  file: [16, 4_000],
  reaction: [8, 250],
  /** Chat messages, relayed by the server: to all or private. */
  chat: [500, 100],
  /** Updates of its name, media, hand or presence; of several, the last is shown when a token is available again. */
  update: [20, 500],
} as const;

export class Allowance {
  #buckets: { [kind: string]: TokenBucket } = {};

  take(kind: keyof typeof rateLimits): boolean {
    return this.#bucket(kind).take();
  }

  /** Whether take() would succeed. */
  has(kind: keyof typeof rateLimits): boolean {
    return this.#bucket(kind).wait() === 0;
  }

  #bucket(kind: keyof typeof rateLimits): TokenBucket {
    this.#buckets[kind] ??= new TokenBucket(rateLimits[kind]);
    return this.#buckets[kind];
  }
}

/** Maximum peers whose allowance is kept, as many as a room may have. Beyond it, the oldest is dropped. */
const maxKept = 1_000;

/** The allowances of peers that need not have a link. */
export class Allowances {
  #all = new Map<string, Allowance>();

  take(peer: string, kind: keyof typeof rateLimits): boolean {
    const allowance = this.#all.get(peer) ?? new Allowance();
    this.#all.set(peer, allowance);
    for (const [oldest] of this.#all) if (this.#all.size > maxKept) this.#all.delete(oldest);
    return allowance.take(kind);
  }
}
