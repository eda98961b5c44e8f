/** Brings a room's events to those of its peers that are connected to this process. */
import type { PeerId, RoomName } from '../protocol/messages.ts';
import type { Entry } from '../rooms/log.ts';
import { concerns } from '../rooms/room.ts';
import type { Store } from '../store/store.ts';
import { encode } from './encode.ts';

/** A connection that a peer listens on. */
export interface Receiver {
  deliver(entry: Entry, text: string): void;
  /** The room has reached this number, by events of which the last ones were for others. */
  reached(seq: number): void;
  /** A newer connection of the same session has come: this one is to end without a trace in the room. */
  replaced(): void;
}

type Audience = { receivers: Map<PeerId, Receiver>; unsubscribe: () => void };

export class Fanout {
  readonly #rooms = new Map<RoomName, Audience>();
  readonly #store: Pick<Store, 'subscribe'>;
  readonly #markEvery: number;

  /** @param markEvery events after which everyone is told what the room has reached, well before the log forgets them */
  constructor(store: Pick<Store, 'subscribe'>, markEvery: number) {
    this.#store = store;
    this.#markEvery = markEvery;
  }

  /** From now on `receiver` gets the peer's events; whoever had them before is told that it is replaced. */
  attach(room: RoomName, peer: PeerId, receiver: Receiver): void {
    const audience = this.#rooms.get(room) ?? this.#open(room);
    const before = audience.receivers.get(peer);
    audience.receivers.set(peer, receiver);
    if (before && before !== receiver) before.replaced();
  }

  detach(room: RoomName, peer: PeerId, receiver: Receiver): void {
    const audience = this.#rooms.get(room);
    if (audience?.receivers.get(peer) !== receiver) return;
    audience.receivers.delete(peer);
    if (audience.receivers.size > 0) return;
    audience.unsubscribe();
    this.#rooms.delete(room);
  }

  /** Ends whatever connection the peer has here, because it has taken another way. */
  displace(room: RoomName, peer: PeerId): void {
    const receiver = this.#rooms.get(room)?.receivers.get(peer);
    if (!receiver) return;
    this.detach(room, peer, receiver);
    receiver.replaced();
  }

  #open(room: RoomName): Audience {
    const receivers = new Map<PeerId, Receiver>();
    const unsubscribe = this.#store.subscribe(room, (entry) => {
      spread(receivers, entry);
      // Who is told nothing for long would fall off the end of the log without knowing.
      if (entry.seq % this.#markEvery === 0) for (const receiver of receivers.values()) receiver.reached(entry.seq);
    });
    const audience = { receivers, unsubscribe };
    this.#rooms.set(room, audience);
    return audience;
  }
}

const spread = (receivers: Map<PeerId, Receiver>, entry: Entry): void => {
  const { event } = entry;
  if ('to' in event && event.to !== undefined) return receivers.get(event.to)?.deliver(entry, encode(entry));
  const text = encode(entry);
  for (const [peer, receiver] of receivers) if (concerns(event, peer)) receiver.deliver(entry, text);
};
