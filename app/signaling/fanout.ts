/** Delivers a room's events to its peers that are connected to this process. */
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { PeerId, RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { concerns, isElsewhere } from '../rooms/room.ts';
import type { Store } from '../store/store.ts';
import { encode } from './encode.ts';

export type Displaced = 'replaced' | 'left';

/** The connection on which a peer receives events. */
export interface Receiver {
  /** @param text the event as message text, if it was encoded for several receivers */
  deliver(entry: RoomLogEntry, text?: string): void;
  /** The room has reached this `seq`; the last events were for other peers. */
  reached(seq: number): void;
  /** Closes without changing the room: a newer connection of the session replaces this one, or the peer left by another request. */
  displaced(why: Displaced): void;
  /** Closes because the peer has lost its seat, or may have lost it. */
  end(refusal: Refusal): void;
  /** The peer was marked as away although it is connected here. */
  takenForLost?(): void;
}

type Rooms = Pick<Store, 'subscribe' | 'commit' | 'worker'>;

type Audience = { receivers: Map<PeerId, Receiver>; unsubscribe: () => void };

export class Fanout {
  readonly #rooms = new Map<RoomName, Audience>();
  readonly #store: Rooms;
  readonly #markEvery: number;

  /** @param markEvery number of events after which every receiver gets `reached`, well before the log drops them */
  constructor(store: Rooms, markEvery: number) {
    this.#store = store;
    this.#markEvery = markEvery;
  }

  /** Sends the peer's events to `receiver` and closes its previous receiver as replaced. */
  attach(room: RoomName, peer: PeerId, receiver: Receiver): void {
    const audience = this.#rooms.get(room) ?? this.#open(room);
    const previous = audience.receivers.get(peer);
    audience.receivers.set(peer, receiver);
    if (previous && previous !== receiver) previous.displaced('replaced');
  }

  detach(room: RoomName, peer: PeerId, receiver: Receiver): void {
    const audience = this.#rooms.get(room);
    if (audience?.receivers.get(peer) !== receiver) return;
    audience.receivers.delete(peer);
    if (audience.receivers.size > 0) return;
    audience.unsubscribe();
    this.#rooms.delete(room);
  }

  /** How many peers of a room are connected here. */
  receiversIn(room: RoomName): number {
    return this.#rooms.get(room)?.receivers.size ?? 0;
  }

  /** Closes the peer's connection to this process, because the peer uses another one or leaves. */
  displace(room: RoomName, peer: PeerId, why: Displaced = 'replaced'): void {
    const receiver = this.#rooms.get(room)?.receivers.get(peer);
    if (!receiver) return;
    this.detach(room, peer, receiver);
    receiver.displaced(why);
  }

  #open(room: RoomName): Audience {
    const receivers = new Map<PeerId, Receiver>();
    const listener = (entry: RoomLogEntry): void => {
      this.#applyRemoteChange(room, receivers, entry);
      dispatch(receivers, entry);
      // A peer that gets no event for long would otherwise resume from a number that the log no longer has.
      if (entry.seq % this.#markEvery === 0) for (const receiver of receivers.values()) receiver.reached(entry.seq);
    };
    const lost = (): void => {
      for (const receiver of [...receivers.values()]) receiver.end(lostSession());
    };
    const audience = { receivers, unsubscribe: this.#store.subscribe(room, listener, lost) };
    this.#rooms.set(room, audience);
    return audience;
  }

  /** Handles what another worker did to a peer that is connected here. */
  #applyRemoteChange(room: RoomName, receivers: Map<PeerId, Receiver>, { event }: RoomLogEntry): void {
    if (event.type === 'peer-away') receivers.get(event.peer)?.takenForLost?.();
    else if (event.type === 'moved' && event.worker !== this.#store.worker)
      this.#displaceIfMoved(room, event.peer).catch(() => {});
    else if (event.type === 'peer-left' && event.reason !== 'kicked')
      receivers.get(event.peer)?.end(event.reason === 'left' ? refuse('left') : lostSession());
  }

  /** Asks the room, in the order of its commands, because the peer may have returned to this worker meanwhile. */
  async #displaceIfMoved(room: RoomName, peer: PeerId): Promise<void> {
    const receiver = this.#rooms.get(room)?.receivers.get(peer);
    if (!receiver) return;
    const moved = await this.#store.commit(room, (current) => ({
      events: [],
      result: isElsewhere(current, peer, this.#store.worker),
    }));
    if ('refused' in moved || !moved.result || this.#rooms.get(room)?.receivers.get(peer) !== receiver) return;
    this.displace(room, peer);
  }
}

/** Many sessions may be lost at once. The random `retry` spreads their reconnects. */
const lostSession = (): Refusal => ({
  ...refuse('session-lost'),
  retry: Math.round(errors['session-lost'].retry * (1 + 4 * Math.random())),
});

const dispatch = (receivers: Map<PeerId, Receiver>, entry: RoomLogEntry): void => {
  const { event } = entry;
  if (event.type === 'moved') return;
  if ('to' in event && event.to !== undefined) return receivers.get(event.to)?.deliver(entry);
  const text = encode(entry);
  for (const [peer, receiver] of receivers) if (concerns(event, peer)) receiver.deliver(entry, text);
};
