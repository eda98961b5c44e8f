/** Receives the published events of rooms and fills gaps from the log: each event once, in order. */
import type { RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { lifeOf, readEntry } from './room-codec.ts';
import { keysOf } from './scripts.ts';
import type { RoomListener } from './store.ts';

/** A room's log after a number; `entries` is absent if some are gone. */
export type Tail = { version: string; seq: number; entries?: RoomLogEntry[] };
type Source = {
  readonly ready: boolean;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string, listener: (message: string) => void): void;
  head(room: RoomName): Promise<Reached>;
  tail(room: RoomName, after: number): Promise<Tail>;
};

/** `life`: id of the room among rooms of the same name (empty: no room); `seq`: number of its last event. */
export type Reached = { life: string; seq: number };

/** `reached`: what has been delivered; unknown until the first read. */
type Subscription = {
  room: RoomName;
  listeners: Set<{ listener: RoomListener; lost: (() => void) | undefined }>;
  reached: Reached | undefined;
  /** Messages published while the log is read; delivered after it. */
  buffered: string[] | undefined;
  idleSince: number;
  /** The listener of the room's channel. */
  receive: (message: string) => void;
};

/** Unsubscribe delay (ms): long-polling peers resubscribe with every request. */
const linger = 15_000;

export class Subscriptions {
  readonly #rooms = new Map<RoomName, Subscription>();
  readonly #source: Source;
  readonly #failed: (error: unknown) => void;

  constructor(source: Source, failed: (error: unknown) => void) {
    this.#source = source;
    this.#failed = failed;
  }

  subscribe(room: RoomName, listener: RoomListener, lost?: () => void): () => void {
    const subscription = this.#rooms.get(room) ?? this.#open(room);
    const entry = { listener, lost };
    subscription.listeners.add(entry);
    return () => {
      subscription.listeners.delete(entry);
      subscription.idleSince = performance.now();
    };
  }

  hasListeners(room: RoomName): boolean {
    return (this.#rooms.get(room)?.listeners.size ?? 0) > 0;
  }

  /** After a reconnect: subscribes again, and reads what may have been missed. */
  resume(): void {
    for (const subscription of this.#rooms.values()) this.#listen(subscription);
  }

  /** Unsubscribes from rooms without listeners. */
  tick(): void {
    const before = performance.now() - linger;
    for (const [room, subscription] of this.#rooms) {
      if (subscription.listeners.size > 0 || subscription.idleSince > before) continue;
      this.#source.unsubscribe(keysOf(room)[0], subscription.receive);
      this.#rooms.delete(room);
    }
  }

  #open(room: RoomName): Subscription {
    const subscription: Subscription = {
      room,
      listeners: new Set(),
      reached: undefined,
      buffered: [],
      idleSince: performance.now(),
      receive: (message) => this.#receive(subscription, message),
    };
    this.#rooms.set(room, subscription);
    if (this.#source.ready) this.#listen(subscription);
    return subscription;
  }

  #listen(subscription: Subscription): void {
    subscription.buffered = [];
    const from = subscription.reached ?? this.#source.head(subscription.room);
    const active = this.#source.subscribe(keysOf(subscription.room)[0], subscription.receive);
    Promise.all([from, active])
      .then(([base]) => {
        subscription.reached = base;
        return this.#catchUp(subscription, base);
      })
      .catch(this.#failed);
  }

  async #catchUp(subscription: Subscription, { life, seq }: Reached): Promise<void> {
    // The log includes everything that was published before it is read.
    subscription.buffered = [];
    const { version, seq: last, entries } = await this.#source.tail(subscription.room, seq);
    const now = lifeOf(version);
    const buffered = subscription.buffered ?? [];
    subscription.buffered = undefined;
    if (entries && (life === '' || now === life)) for (const entry of entries) this.#deliver(subscription, now, entry);
    else if (life !== '') for (const { lost } of [...subscription.listeners]) lost?.();
    subscription.reached = { life: now, seq: last };
    for (const message of buffered) this.#receive(subscription, message);
  }

  /** A message is the room's life, the event's number and the event, on separate lines; a life alone means that the room has ended. */
  #receive(subscription: Subscription, message: string): void {
    const { reached } = subscription;
    if (subscription.buffered || !reached) {
      subscription.buffered?.push(message);
      return;
    }
    const first = message.indexOf('\n');
    const second = message.indexOf('\n', first + 1);
    const life = message.slice(0, first);
    if (second < 0) {
      if (life === reached.life) subscription.reached = { life: '', seq: 0 };
      return;
    }
    const seq = Number(message.slice(first + 1, second));
    const known = life === reached.life || (reached.life === '' && seq === 1);
    if (known && seq <= reached.seq) return;
    if (known && seq === reached.seq + 1) this.#deliver(subscription, life, readEntry(seq, message.slice(second + 1)));
    else this.#catchUp(subscription, reached).catch(this.#failed);
  }

  #deliver(subscription: Subscription, life: string, entry: RoomLogEntry): void {
    subscription.reached = { life, seq: entry.seq };
    for (const { listener } of [...subscription.listeners]) listener(entry);
  }
}
