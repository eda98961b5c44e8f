/** Rate limits for one peer: a token bucket per kind of input. They outlive the connections to that peer. */
import { type RateLimit, TokenBucket } from './token-bucket.ts';

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
  /** Data channels besides the one that both sides create; the connection is closed to a peer that opens more. */
  channel: [16, 10_000],
  /** File offers, and lists of them. */
  file: [16, 4_000],
  reaction: [8, 250],
  /** Chat messages of one sender, relayed by the server, to all or private: per 100 characters. */
  chat: [500, 100],
  /** Updates of its name, media, hand or presence; of several, the last is shown when a token is available again. */
  update: [20, 500],
} as const;

/**
 * Texts and frames beyond their limits until the connection is closed. An honest peer exceeds the limits if this page was busy for some
 * seconds, and then receives everything at once.
 */
export const floodLimit: RateLimit = [50_000, 1];

export class Allowance {
  #buckets: { [kind: string]: TokenBucket } = {};
  #excess = new TokenBucket(floodLimit);
  #isFlooding = false;

  take(kind: keyof typeof rateLimits): boolean {
    const taken = this.#bucket(kind).take();
    if (kind === 'text' || kind === 'frame') this.#isFlooding = !taken && !this.#excess.take();
    return taken;
  }

  /** Whether take() would succeed. */
  has(kind: keyof typeof rateLimits): boolean {
    return this.#bucket(kind).wait() === 0;
  }

  /** No connection to the peer is made any more. */
  block(): void {
    this.#buckets.connection = new TokenBucket([0, Number.POSITIVE_INFINITY]);
  }

  /** Whether the last text or frame was far beyond the limits: ignoring what it sends is not enough. */
  get isFlooding(): boolean {
    return this.#isFlooding;
  }

  #bucket(kind: keyof typeof rateLimits): TokenBucket {
    this.#buckets[kind] ??= new TokenBucket(rateLimits[kind]);
    return this.#buckets[kind];
  }
}

/** Chat messages of all senders together: peers that leave and rejoin get new ids. */
export const chatLimit: RateLimit = [1_500, 50];
/** Characters of a chat message that cost one token. */
export const chatUnit = 100;
/** Maximum senders whose allowance is kept, as many peers as a room may have. Beyond it, the oldest is dropped. */
const maxSenders = 1_000;

/**
 * The limits of the chat: of each sender, and of all together. Senders must leave a part of the common limit to others: the less is left of
 * their own limit, the more, up to half. A peer that has just joined has half of its own limit, so that any number of such peers leave a
 * quarter of the common one.
 */
export class ChatAllowance {
  #all = new TokenBucket(chatLimit);
  #senders = new Map<string, TokenBucket>();

  /** Whether a message of this length is within the limits. */
  take(sender: string, length: number): boolean {
    const own = this.#bucketOf(sender);
    const cost = Math.ceil(length / chatUnit);
    const reserve = (chatLimit[0] / 2) * (1 - own.tokens / rateLimits.chat[0]);
    return this.#all.tokens >= reserve + cost && own.take(cost) && this.#all.take(cost);
  }

  /** The peer has joined: unless it is known, it starts with half of its allowance. */
  joined(peer: string): void {
    if (!this.#senders.has(peer)) this.#bucketOf(peer).lower(rateLimits.chat[0] / 2);
  }

  #bucketOf(sender: string): TokenBucket {
    const known = this.#senders.get(sender);
    if (known) return known;
    const bucket = new TokenBucket(rateLimits.chat);
    this.#senders.set(sender, bucket);
    for (const [oldest] of this.#senders) if (this.#senders.size > maxSenders) this.#senders.delete(oldest);
    return bucket;
  }
}
