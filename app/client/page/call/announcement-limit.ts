/**
 * Limits how often other peers are announced. A peer could send ten texts a second and raise its hand twice a second: users of a
 * screen reader would hear nothing else. What is not announced still shows in the call.
 */
import { type RateLimit, TokenBucket } from '../../token-bucket.ts';

/** What one peer does and what it writes, each; and who joins, leaves or waits, of all of them together. */
export const announcementLimits = { peer: [5, 3_000], presence: [10, 3_000] } as const satisfies Record<
  string,
  RateLimit
>;

const kinds = ['change', 'text'] as const;

export class AnnouncementLimit {
  #peers = new Map<string, TokenBucket>();
  #presence = new TokenBucket(announcementLimits.presence);

  /** Whether something that the peer has done or written may be announced. */
  take(kind: (typeof kinds)[number], peer: string): boolean {
    const key = `${kind} ${peer}`;
    const bucket = this.#peers.get(key) ?? new TokenBucket(announcementLimits.peer);
    this.#peers.set(key, bucket);
    return bucket.take();
  }

  /** Whether it may be announced that somebody has joined or left, or waits. */
  takePresence(): boolean {
    return this.#presence.take();
  }

  /** The peer has left. */
  forget(peer: string): void {
    for (const kind of kinds) this.#peers.delete(`${kind} ${peer}`);
  }
}
