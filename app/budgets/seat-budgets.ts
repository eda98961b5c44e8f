/** Budgets of a seat for sending and for replay, shared by all connections and transports of the seat. */
import type { PeerId, RoomName } from '../protocol/messages.ts';
import { type RateLimits, TokenBucket } from './token-bucket.ts';

/** `rate`, `burst`: messages, as in `RateLimits`. `byteRate`, `byteBurst`: the same for bytes. */
export type SeatLimits = RateLimits & { byteRate: number; byteBurst: number };

export class SeatBudget {
  readonly #limits: SeatLimits;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  /** Requests for events. A separate bucket, so that a peer that sends too much still receives the refusals and events. */
  readonly #requests: TokenBucket;
  /** Bytes of replayed events. Limited because requesting a replay costs the client almost nothing. */
  readonly #replay: TokenBucket;

  /** @param seconds initial fill, in seconds' worth of the rates; full if omitted */
  constructor(limits: SeatLimits, now: number, seconds = Number.POSITIVE_INFINITY) {
    const { rate, burst, byteRate, byteBurst } = limits;
    const bytes = { rate: byteRate, burst: byteBurst };
    this.#limits = limits;
    this.#messages = new TokenBucket(limits, now, Math.min(burst, rate * seconds));
    this.#bytes = new TokenBucket(bytes, now, Math.min(byteBurst, byteRate * seconds));
    this.#requests = new TokenBucket(limits, now, Math.min(burst, rate * seconds));
    this.#replay = new TokenBucket(bytes, now, Math.min(byteBurst, byteRate * seconds));
  }

  /** Counts a message. `far-over`: a whole burst is owed, so the peer ignores refusals. */
  take(bytes: number, now: number): 'within' | 'over' | 'far-over' {
    const messages = this.#messages.take(now);
    const owed = this.#bytes.take(now, bytes);
    if (messages === 0 && owed === 0) return 'within';
    return messages > this.#limits.burst || owed > this.#limits.byteBurst ? 'far-over' : 'over';
  }

  /** Counts a request for events. @returns whether it may be answered */
  request(now: number): boolean {
    return this.#requests.take(now) === 0;
  }

  /** Counts replayed bytes. */
  replay(bytes: number, now: number): void {
    this.#replay.take(now, bytes);
  }

  /** ms until more may be replayed; 0 = now. */
  replayWait(now: number): number {
    return this.#replay.wait(now);
  }

  isFull(now: number): boolean {
    const buckets = [this.#messages, this.#bytes, this.#requests, this.#replay];
    return buckets.every((bucket) => bucket.isFull(now));
  }
}

type Used = { budget: SeatBudget; users: number };

/** The budgets of the seats that this process serves. */
export class SeatBudgets {
  readonly #seats = new Map<string, Used>();
  readonly #limits: SeatLimits;
  readonly #shared: boolean;

  /** @param shared whether seats may come from another worker */
  constructor(limits: SeatLimits, shared = false) {
    this.#limits = limits;
    this.#shared = shared;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** The budget of a seat, kept until each `open` is released; `isNew`: the seat did not exist before. */
  open(room: RoomName, peer: PeerId, now: number, isNew: boolean): SeatBudget {
    const key = keyOf(room, peer);
    const known = this.#seats.get(key);
    if (known) {
      known.users += 1;
      return known.budget;
    }
    // A seat from another worker starts with one second's worth: it may have used up the rest there.
    const budget = new SeatBudget(this.#limits, now, this.#shared && !isNew ? 1 : undefined);
    this.#seats.set(key, { budget, users: 1 });
    return budget;
  }

  release(room: RoomName, peer: PeerId): void {
    const known = this.#seats.get(keyOf(room, peer));
    if (known) known.users -= 1;
  }

  /** Drops budgets that are not in use and full again. */
  sweep(now: number): void {
    for (const [key, { budget, users }] of this.#seats) if (users <= 0 && budget.isFull(now)) this.#seats.delete(key);
  }
}

// Neither contains a space.
const keyOf = (room: RoomName, peer: PeerId): string => `${room} ${peer}`;
