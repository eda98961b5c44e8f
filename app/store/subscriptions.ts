/** Receives the published events of rooms and fills gaps from the log: each event once, in order. */
import type { RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { lifeOf, readEntry } from './room-codec.ts';
import { keysOf } from './scripts.ts';
import type { RoomListener } from './store.ts';
import { logUnreadable, type StoreLog } from './valkey-connection.ts';

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

/**
 * `reading`: the log; `buffered` are the messages published meanwhile, to be delivered after it. `following`: messages are delivered
 * as they arrive. `behind`: to be read at `retryAt`, because a read has failed; the log has what is published until then.
 */
type Progress =
  | { state: 'reading'; buffered: string[] }
  | { state: 'following' }
  | { state: 'behind'; retryAt: number };

/** `reached`: what has been delivered; unknown until the first read. */
type Subscription = {
  room: RoomName;
  listeners: Set<{ listener: RoomListener; lost: (() => void) | undefined }>;
  reached: Reached | undefined;
  progress: Progress;
  /** Failed reads since the last that succeeded. */
  failures: number;
  idleSince: number;
  /** The listener of the room's channel. */
  receive: (message: string) => void;
};

/** Unsubscribe delay (ms): long-polling peers resubscribe with every request. */
const linger = 15_000;
/** First and longest delay before a read is repeated, in ms. */
const backOff = { first: 250, most: 30_000 };
/** For a room whose first read has failed: events may have been missed, so no log continues from here. */
const unknown: Reached = { life: '?', seq: Number.MAX_SAFE_INTEGER };

export class Subscriptions {
  readonly #rooms = new Map<RoomName, Subscription>();
  readonly #source: Source;
  readonly #log: StoreLog;
  /** How many rooms could not be read, as last logged. */
  #reported = 0;
  #lastError = '';

  constructor(source: Source, log: StoreLog) {
    this.#source = source;
    this.#log = log;
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

  /** Unsubscribes from rooms without listeners, and repeats reads that have failed. */
  tick(): void {
    const now = performance.now();
    for (const [room, subscription] of this.#rooms) {
      const { listeners, idleSince, progress } = subscription;
      if (listeners.size === 0 && idleSince <= now - linger) {
        this.#source.unsubscribe(keysOf(room)[0], subscription.receive);
        this.#rooms.delete(room);
      } else if (this.#source.ready && progress.state === 'behind' && progress.retryAt <= now)
        this.#listen(subscription);
    }
    this.#report();
  }

  /** Logs how many rooms cannot be read, when the number rises and when it is zero again. */
  #report(): void {
    const failing = [...this.#rooms.values()].filter(({ failures }) => failures > 0);
    if (failing.length > this.#reported)
      this.#log.warn({ rooms: failing.length, err: this.#lastError }, 'the events of rooms cannot be read; retrying');
    if (failing.length === 0 && this.#reported > 0) this.#log.info({}, 'the events of all rooms are read again');
    this.#reported = failing.length;
  }

  #open(room: RoomName): Subscription {
    const subscription: Subscription = {
      room,
      listeners: new Set(),
      reached: undefined,
      progress: { state: 'behind', retryAt: 0 },
      failures: 0,
      idleSince: performance.now(),
      receive: (message) => {
        // An error thrown here would end the connection, and with it the events of all rooms.
        try {
          this.#receive(subscription, message);
        } catch (error) {
          this.#fail(subscription, error);
        }
      },
    };
    this.#rooms.set(room, subscription);
    if (this.#source.ready) this.#listen(subscription);
    return subscription;
  }

  #listen(subscription: Subscription): void {
    const { room, reached, receive } = subscription;
    const setReached = (head: Reached): void => {
      subscription.reached = head;
    };
    const base = reached ? undefined : this.#source.head(room).then(setReached);
    this.#catchUp(subscription, Promise.all([base, this.#source.subscribe(keysOf(room)[0], receive)]));
  }

  /** Delivers what the log has after the last event delivered, once `prepared` resolves. */
  #catchUp(subscription: Subscription, prepared: Promise<unknown> = Promise.resolve()): void {
    const reading: Progress = { state: 'reading', buffered: [] };
    subscription.progress = reading;
    // After a reconnect, another read has taken over.
    const isCurrent = (): boolean => subscription.progress === reading;
    prepared
      .then(() => {
        // The log includes everything that was published before it is read.
        reading.buffered.length = 0;
        return this.#source.tail(subscription.room, (subscription.reached ?? unknown).seq);
      })
      .then((tail) => {
        if (isCurrent()) this.#follow(subscription, tail, reading.buffered);
      })
      .catch((error: unknown) => {
        if (isCurrent()) this.#fail(subscription, error);
      });
  }

  /** Delivers the log, then the messages published while it was read. */
  #follow(subscription: Subscription, { version, seq, entries }: Tail, buffered: string[]): void {
    const { life } = subscription.reached ?? unknown;
    const now = lifeOf(version);
    if (entries && (life === '' || now === life)) for (const entry of entries) this.#deliver(subscription, now, entry);
    else if (life !== '' || now !== '') for (const { lost } of [...subscription.listeners]) lost?.();
    subscription.reached = { life: now, seq };
    subscription.progress = { state: 'following' };
    subscription.failures = 0;
    for (const message of buffered) subscription.receive(message);
  }

  #fail(subscription: Subscription, error: unknown): void {
    const wait = Math.min(backOff.most, backOff.first * 2 ** subscription.failures);
    subscription.progress = { state: 'behind', retryAt: performance.now() + wait };
    subscription.reached ??= unknown;
    // A lost connection is logged already, and ends with `resume`.
    if (!this.#source.ready) return;
    if (subscription.failures === 0) logUnreadable(this.#log, error);
    subscription.failures += 1;
    this.#lastError = String(error);
  }

  /** A message is the room's life, the event's number and the event, on separate lines; a life alone means that the room has ended. */
  #receive(subscription: Subscription, message: string): void {
    const { reached, progress } = subscription;
    if (progress.state === 'reading') progress.buffered.push(message);
    if (progress.state !== 'following' || !reached) return;
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
    else this.#catchUp(subscription);
  }

  #deliver(subscription: Subscription, life: string, entry: RoomLogEntry): void {
    subscription.reached = { life, seq: entry.seq };
    for (const { listener } of [...subscription.listeners]) listener(entry);
  }
}
