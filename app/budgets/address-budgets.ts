/** Budgets shared by all clients of one address. Bounded; time is an argument. */
import { addressLevels, networkScale } from './address.ts';
import { type RateLimits, TokenBucket } from './token-bucket.ts';

/**
 * `joins`: new joins, and returns to a room that the peer left. `resumes`: joins with the session of a seat or with proof of one.
 * `guesses`: wrong tokens and passcodes.
 * `lookups`: occupancy requests. `hashes`: passcodes hashed. `messages`: deliveries of messages (messages times receivers).
 * `bytes`: bytes of messages and request bodies. `replay`: bytes of replayed events.
 * `refusals`: refused requests and messages; `crossSiteRefusals`:
 * of those the requests that pages of other sites caused.
 */
export type AddressRate =
  | 'joins'
  | 'resumes'
  | 'guesses'
  | 'lookups'
  | 'hashes'
  | 'messages'
  | 'bytes'
  | 'replay'
  | 'refusals'
  | 'crossSiteRefusals';
/** `rooms`: rooms it opened. `seats`: peers and waiting peers. `connections`: WebSockets and event streams. */
type AddressHolding = 'rooms' | 'seats' | 'connections';
export type AddressLimits = { rates: Record<AddressRate, RateLimits>; held: Record<AddressHolding, number> };

/** Rooms and seats of one address, as a store counts them. */
export type Holding = { rooms: number; seats: number };

type Account = {
  scale: number;
  buckets: Map<AddressRate, TokenBucket>;
  held: Record<AddressHolding, number>;
};

/** Maximum number of accounts (about 30 MB); beyond it the least recently used one is dropped. */
const mostAccounts = 100_000;

export class AddressBudgets {
  /** In order of last use. */
  readonly #accounts = new Map<string, Account>();
  readonly #limits: AddressLimits;
  readonly #most: number;

  constructor(limits: AddressLimits, most = mostAccounts) {
    this.#limits = limits;
    this.#most = most;
  }

  get size(): number {
    return this.#accounts.size;
  }

  /** Takes `cost` from every level of the address. @returns 0, or ms until there is enough. A refused attempt costs nothing. */
  take(rate: AddressRate, address: string | undefined, now: number, cost = 1): number {
    const buckets = this.buckets(rate, address, now);
    const wait = Math.max(...buckets.map((bucket) => bucket.wait(now, cost)));
    if (wait === 0) for (const bucket of buckets) bucket.take(now, cost);
    return wait;
  }

  /** Charges what has happened already. A level owes at most one burst, and an address that owes that much charges no level. */
  charge(rate: AddressRate, address: string | undefined, now: number): void {
    const buckets = this.buckets(rate, address, now);
    if (!buckets.some((bucket) => bucket.isOverdrawn(now))) for (const bucket of buckets) bucket.take(now);
  }

  /** Whether any level is used up. */
  isSpent(rate: AddressRate, address: string | undefined, now: number): boolean {
    return addressLevels(address).some((key) => (this.#accounts.get(key)?.buckets.get(rate)?.wait(now) ?? 0) > 0);
  }

  /** Returns what was taken but not used. */
  giveBack(rate: AddressRate, address: string | undefined, now: number, amount = 1): void {
    for (const key of addressLevels(address)) this.#accounts.get(key)?.buckets.get(rate)?.giveBack(now, amount);
  }

  /** Whether the buckets are full at every level. */
  isUnused(rate: AddressRate, address: string | undefined, now: number): boolean {
    return addressLevels(address).every((key) => this.#accounts.get(key)?.buckets.get(rate)?.isFull(now) ?? true);
  }

  /** The buckets of an address, for frequent use. */
  buckets(rate: AddressRate, address: string | undefined, now: number): TokenBucket[] {
    return addressLevels(address).map((key, level) => {
      const { buckets, scale } = this.#account(key, level);
      const { rate: perSecond, burst } = this.#limits.rates[rate];
      const bucket = buckets.get(rate) ?? new TokenBucket({ rate: perSecond * scale, burst: burst * scale }, now);
      buckets.set(rate, bucket);
      return bucket;
    });
  }

  /** Whether the address may hold one more, at every level. */
  hasRoomFor(holding: AddressHolding, address: string | undefined): boolean {
    return addressLevels(address).every((key) => {
      const account = this.#accounts.get(key);
      return account === undefined || account.held[holding] < this.#limits.held[holding] * account.scale;
    });
  }

  /** Adds to what the address holds; negative amounts subtract. */
  hold(holding: AddressHolding, address: string | undefined, amount = 1): void {
    for (const [level, key] of addressLevels(address).entries()) this.#account(key, level).held[holding] += amount;
  }

  /** Corrects the counts of rooms and seats. They are counted when taken, but end in too many ways to count each end. */
  recount(holdings: Map<string, Holding>): void {
    for (const { held } of this.#accounts.values()) held.rooms = held.seats = 0;
    for (const [address, { rooms, seats }] of holdings) {
      this.hold('rooms', address, rooms);
      this.hold('seats', address, seats);
    }
  }

  /** Drops unused accounts. */
  sweep(now: number): void {
    for (const [key, { buckets, held }] of this.#accounts)
      if (held.rooms + held.seats + held.connections === 0 && [...buckets.values()].every((one) => one.isFull(now)))
        this.#accounts.delete(key);
  }

  #account(key: string, level: number): Account {
    const account = this.#accounts.get(key) ?? {
      scale: networkScale[level] ?? 1,
      buckets: new Map(),
      held: { rooms: 0, seats: 0, connections: 0 },
    };
    this.#accounts.delete(key);
    this.#accounts.set(key, account);
    if (this.#accounts.size > this.#most) this.#forgetOldest();
    return account;
  }

  #forgetOldest(): void {
    for (const [key, { held }] of this.#accounts) {
      if (held.connections > 0) continue;
      this.#accounts.delete(key);
      return;
    }
  }
}
