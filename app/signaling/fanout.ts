/** Brings a room's events to those of its peers that are connected to this process. */
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { PeerId, RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { concerns, isElsewhere } from '../rooms/room.ts';
import type { Store } from '../store/store.ts';
import { encode } from './encode.ts';

export type Displaced = 'replaced' | 'left';

/** A connection that a peer listens on. */
export interface Receiver {
  deliver(entry: RoomLogEntry, text: string): void;
  /** The room has reached this number, by events of which the last ones were for others. */
  reached(seq: number): void;
  /** It is to end without a trace in the room: a newer connection of the same session has come, or the peer leaves by another request. */
  displaced(why: Displaced): void;
  /** The seat is no longer the peer's, or nobody knows whether it is. */
  end(refusal: Refusal): void;
  /** The peer was taken for lost, while its connection is here. */
  takenForLost?(): void;
}

type Rooms = Pick<Store, 'subscribe' | 'commit' | 'worker'>;

type Audience = { receivers: Map<PeerId, Receiver>; unsubscribe: () => void };

export class Fanout {
  readonly #rooms = new Map<RoomName, Audience>();
  readonly #store: Rooms;
  readonly #markEvery: number;

  /** @param markEvery events after which everyone is told what the room has reached, well before the log forgets them */
  constructor(store: Rooms, markEvery: number) {
    this.#store = store;
    this.#markEvery = markEvery;
  }

  /** From now on `receiver` gets the peer's events; whoever had them before is told that it is replaced. */
  attach(room: RoomName, peer: PeerId, receiver: Receiver): void {
    const audience = this.#rooms.get(room) ?? this.#open(room);
    const before = audience.receivers.get(peer);
    audience.receivers.set(peer, receiver);
    if (before && before !== receiver) before.displaced('replaced');
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

  /** Ends whatever connection the peer has here, because it has taken another way or leaves. */
  displace(room: RoomName, peer: PeerId, why: Displaced = 'replaced'): void {
    const receiver = this.#rooms.get(room)?.receivers.get(peer);
    if (!receiver) return;
    this.detach(room, peer, receiver);
    receiver.displaced(why);
  }

  #open(room: RoomName): Audience {
    const receivers = new Map<PeerId, Receiver>();
    const listener = (entry: RoomLogEntry): void => {
      this.#hearOfOwn(room, receivers, entry);
      spread(receivers, entry);
      // Who is told nothing for long would fall off the end of the log without knowing.
      if (entry.seq % this.#markEvery === 0) for (const receiver of receivers.values()) receiver.reached(entry.seq);
    };
    const lost = (): void => {
      for (const receiver of [...receivers.values()]) receiver.end(lostSession());
    };
    const audience = { receivers, unsubscribe: this.#store.subscribe(room, listener, lost) };
    this.#rooms.set(room, audience);
    return audience;
  }

  /** What another worker did to a peer that is connected here. */
  #hearOfOwn(room: RoomName, receivers: Map<PeerId, Receiver>, { event }: RoomLogEntry): void {
    if (event.type === 'peer-away') receivers.get(event.peer)?.takenForLost?.();
    else if (event.type === 'moved' && event.worker !== this.#store.worker)
      this.#letGo(room, event.peer).catch(() => {});
    else if (event.type === 'peer-left' && event.reason !== 'kicked')
      receivers.get(event.peer)?.end(event.reason === 'left' ? refuse('left') : lostSession());
  }

  /** It may have come back here meanwhile: the room is asked, after what was given for it before. */
  async #letGo(room: RoomName, peer: PeerId): Promise<void> {
    const receiver = this.#rooms.get(room)?.receivers.get(peer);
    if (!receiver) return;
    const asked = await this.#store.commit(room, (place) => ({
      events: [],
      result: isElsewhere(place, peer, this.#store.worker),
    }));
    if ('refused' in asked || !asked.result || this.#rooms.get(room)?.receivers.get(peer) !== receiver) return;
    this.displace(room, peer);
  }
}

/** Many may have lost theirs at once: they are not to come back at once. */
const lostSession = (): Refusal => ({
  ...refuse('session-lost'),
  retry: Math.round(errors['session-lost'].retry * (1 + 4 * Math.random())),
});

const spread = (receivers: Map<PeerId, Receiver>, entry: RoomLogEntry): void => {
  const { event } = entry;
  if (event.type === 'moved') return;
  if ('to' in event && event.to !== undefined) return receivers.get(event.to)?.deliver(entry, encode(entry));
  const text = encode(entry);
  for (const [peer, receiver] of receivers) if (concerns(event, peer)) receiver.deliver(entry, text);
};
