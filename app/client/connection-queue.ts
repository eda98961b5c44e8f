/**
 * Paces the new RTCPeerConnections of a page, over all peers: strangers may join and leave at any rate. Links wait in order, and one
 * that is closed or has connected meanwhile gets no connection.
 */
import { Alarm, type Clock } from './clock.ts';
import { type RateLimit, TokenBucket } from './token-bucket.ts';

/** The burst is enough for every link of a room. */
export const connectionLimit: RateLimit = [64, 250];

export class ConnectionQueue {
  #bucket: TokenBucket;
  #alarm: Alarm;
  /** What to call when a connection is available, in order of arrival. */
  #waiting = new Map<object, () => void>();
  /** Links whose turn has come and that have not made their connection yet. */
  #ready = new Set<object>();

  constructor(clock: Clock) {
    this.#bucket = new TokenBucket(connectionLimit, () => clock.now);
    this.#alarm = new Alarm(clock);
  }

  /** @returns whether `link` may make a connection now; if not, `ready` is called when it may */
  take(link: object, ready: () => void): boolean {
    if (this.#ready.delete(link) || (this.#waiting.size === 0 && this.#bucket.take())) return true;
    this.#waiting.set(link, ready);
    this.#schedule();
    return false;
  }

  /** The link is closed, or has connected: a connection that waits would replace the one that works. */
  remove(link: object): void {
    this.#ready.delete(link);
    this.#waiting.delete(link);
    if (this.#waiting.size === 0) this.#alarm.disarm();
  }

  #schedule(): void {
    if (this.#waiting.size > 0 && !this.#alarm.armed) this.#alarm.arm(this.#bucket.wait(), () => this.#next());
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first && this.#bucket.take()) {
      const [link, ready] = first;
      this.#waiting.delete(link);
      this.#ready.add(link);
      ready();
    }
    this.#schedule();
  }
}
