/** Token buckets by client address: what all who come from one place may do together. Bounded; time is an argument. */
import { type RateLimits, TokenBucket } from './rate.ts';

/** More places than this at a time, and the one not heard of for longest is forgotten: about 20 MB. */
const mostPlaces = 100_000;

export class Throttle {
  /** The order is that of the last use. */
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limits: RateLimits;
  readonly #most: number;

  constructor(limits: RateLimits, most = mostPlaces) {
    this.#limits = limits;
    this.#most = most;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one for this address: 0, or the ms until there is one. A refused try costs nothing. */
  take(address: string | undefined, now: number): number {
    const place = placeOf(address);
    const bucket = this.#buckets.get(place) ?? new TokenBucket(this.#limits, now);
    this.#buckets.delete(place);
    this.#buckets.set(place, bucket);
    if (this.#buckets.size > this.#most) this.#forgetOldest();
    const wait = bucket.wait(now);
    if (wait === 0) bucket.take(now);
    return wait;
  }

  /** Takes one back that was not used up. */
  giveBack(address: string | undefined, now: number): void {
    this.#buckets.get(placeOf(address))?.take(now, -1);
  }

  /** Lets time pass: forgets places whose bucket is full again. */
  sweep(now: number): void {
    for (const [place, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(place);
  }

  #forgetOldest(): void {
    for (const place of this.#buckets.keys()) {
      this.#buckets.delete(place);
      return;
    }
  }
}

/**
 * Whose bucket an address uses: an IPv4 address its own, an IPv6 address that of its /64, since one household or machine has
 * as many addresses as it likes in there. All whose address nobody told share one.
 */
export const placeOf = (address = ''): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail ? tail.split(':') : [];
  while (tail !== undefined && groups.length + behind.length < 8) groups.push('0');
  const network = [...groups, ...behind].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
};
