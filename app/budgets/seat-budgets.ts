/** What one seat may send and be sent again: the same budget over all connections and transports that the seat uses. */
import type { PeerId, RoomName } from '../protocol/messages.ts';
import { type RateLimits, TokenBucket } from './token-bucket.ts';

/** Messages as in `RateLimits`; bytes alike. */
export type SeatLimits = RateLimits & { byteRate: number; byteBurst: number };

export class SeatBudget {
  readonly #limits: SeatLimits;
  readonly #messages: TokenBucket;
  readonly #bytes: TokenBucket;
  /** Requests for events. They have a bucket of their own: who sends too much still hears that, and of the others. */
  readonly #requests: TokenBucket;
  /** Bytes of events that are sent again to a seat that asks for them: they cost it nothing to ask for. */
  readonly #replay: TokenBucket;

  /** @param seconds how many seconds' worth of its rates it begins with; full when not given */
  constructor(limits: SeatLimits, now: number, seconds = Number.POSITIVE_INFINITY) {
    const { rate, burst, byteRate, byteBurst } = limits;
    const bytes = { rate: byteRate, burst: byteBurst };
    this.#limits = limits;
    this.#messages = new TokenBucket(limits, now, Math.min(burst, rate * seconds));
    this.#bytes = new TokenBucket(bytes, now, Math.min(byteBurst, byteRate * seconds));
    this.#requests = new TokenBucket(limits, now, Math.min(burst, rate * seconds));
    this.#replay = new TokenBucket(bytes, now, Math.min(byteBurst, byteRate * seconds));
  }

  /** Counts a message of so many bytes. `far-over`: a whole burst is owed, so the peer does not respond to refusals. */
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

  /** Counts bytes that are sent again. */
  replay(bytes: number, now: number): void {
    this.#replay.take(now, bytes);
  }

  /** ms until more may be sent again; 0 = now. */
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

  /** @param shared whether a seat may have used its budget at another worker before */
  constructor(limits: SeatLimits, shared = false) {
    this.#limits = limits;
    this.#shared = shared;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** The budget of a seat, kept until it was released as often; `isNew`: the seat was not there before. */
  open(room: RoomName, peer: PeerId, now: number, isNew: boolean): SeatBudget {
    const key = keyOf(room, peer);
    const known = this.#seats.get(key);
    if (known) {
      known.users += 1;
      return known.budget;
    }
    // A seat that comes from another worker brings one second's worth: it may have used the rest there.
    const budget = new SeatBudget(this.#limits, now, this.#shared && !isNew ? 1 : undefined);
    this.#seats.set(key, { budget, users: 1 });
    return budget;
  }

  release(room: RoomName, peer: PeerId): void {
    const known = this.#seats.get(keyOf(room, peer));
    if (known) known.users -= 1;
  }

  /** Forgets the budgets that nobody uses and that are full again. */
  sweep(now: number): void {
    for (const [key, { budget, users }] of this.#seats) if (users <= 0 && budget.isFull(now)) this.#seats.delete(key);
  }
}

// Neither name nor id has a space.
const keyOf = (room: RoomName, peer: PeerId): string => `${room} ${peer}`;
