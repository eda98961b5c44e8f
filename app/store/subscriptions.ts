/** Hears the events of rooms as they are published, and closes gaps from the log: each event once, in order. */
import type { RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { lifeOf, readEntry } from './room-codec.ts';
import { keysOf } from './scripts.ts';
import type { RoomListener } from './store.ts';

/** A room's log after a number; no entries when some of them are gone. */
export type Tail = { version: string; seq: number; entries?: RoomLogEntry[] };
export type Source = {
  readonly ready: boolean;
  hear(channel: string, listener: (message: string) => void): Promise<void>;
  leave(channel: string, listener: (message: string) => void): void;
  head(room: RoomName): Promise<Reached>;
  tail(room: RoomName, after: number): Promise<Tail>;
};

/** Which room of its name it is (none: empty), and the number of its last event. */
export type Reached = { life: string; seq: number };

/** `reached`: what was told; unknown until it was asked for the first time. */
type Heard = {
  room: RoomName;
  listeners: Set<{ listener: RoomListener; lost: (() => void) | undefined }>;
  reached: Reached | undefined;
  /** What was published while the log is read, which is told first. */
  held: string[] | undefined;
  idleSince: number;
  /** What the room's channel is heard by. */
  receive: (message: string) => void;
};

/** ms that a room is still heard after its last listener went: one that asks for events again and again comes back. */
const linger = 15_000;

export class Subscriptions {
  readonly #rooms = new Map<RoomName, Heard>();
  readonly #source: Source;
  readonly #failed: (error: unknown) => void;

  constructor(source: Source, failed: (error: unknown) => void) {
    this.#source = source;
    this.#failed = failed;
  }

  subscribe(room: RoomName, listener: RoomListener, lost?: () => void): () => void {
    const heard = this.#rooms.get(room) ?? this.#open(room);
    const own = { listener, lost };
    heard.listeners.add(own);
    return () => {
      heard.listeners.delete(own);
      heard.idleSince = performance.now();
    };
  }

  isHeard(room: RoomName): boolean {
    return (this.#rooms.get(room)?.listeners.size ?? 0) > 0;
  }

  /** The connection is a new one: nothing is heard on it yet, and something may have been missed. */
  resume(): void {
    for (const heard of this.#rooms.values()) this.#listen(heard);
  }

  /** Stops hearing rooms that nobody listens to any more. */
  tick(): void {
    const before = performance.now() - linger;
    for (const [room, heard] of this.#rooms) {
      if (heard.listeners.size > 0 || heard.idleSince > before) continue;
      this.#source.leave(keysOf(room)[0], heard.receive);
      this.#rooms.delete(room);
    }
  }

  #open(room: RoomName): Heard {
    const heard: Heard = {
      room,
      listeners: new Set(),
      reached: undefined,
      held: [],
      idleSince: performance.now(),
      receive: (message) => this.#receive(heard, message),
    };
    this.#rooms.set(room, heard);
    if (this.#source.ready) this.#listen(heard);
    return heard;
  }

  #listen(heard: Heard): void {
    heard.held = [];
    const from = heard.reached ?? this.#source.head(heard.room);
    const active = this.#source.hear(keysOf(heard.room)[0], heard.receive);
    Promise.all([from, active])
      .then(([base]) => {
        heard.reached = base;
        return this.#catchUp(heard, base);
      })
      .catch(this.#failed);
  }

  async #catchUp(heard: Heard, { life, seq }: Reached): Promise<void> {
    // What was published before the log is read is in it.
    heard.held = [];
    const { version, seq: last, entries } = await this.#source.tail(heard.room, seq);
    const now = lifeOf(version);
    const held = heard.held ?? [];
    heard.held = undefined;
    if (entries && (life === '' || now === life)) for (const entry of entries) this.#tell(heard, now, entry);
    else if (life !== '') for (const { lost } of [...heard.listeners]) lost?.();
    heard.reached = { life: now, seq: last };
    for (const message of held) this.#receive(heard, message);
  }

  /** A message is the room's life, and an event after its number, each on a line; without event the room is over. */
  #receive(heard: Heard, message: string): void {
    const { reached } = heard;
    if (heard.held || !reached) {
      heard.held?.push(message);
      return;
    }
    const first = message.indexOf('\n');
    const second = message.indexOf('\n', first + 1);
    const life = message.slice(0, first);
    if (second < 0) {
      if (life === reached.life) heard.reached = { life: '', seq: 0 };
      return;
    }
    const seq = Number(message.slice(first + 1, second));
    const known = life === reached.life || (reached.life === '' && seq === 1);
    if (known && seq <= reached.seq) return;
    if (known && seq === reached.seq + 1) this.#tell(heard, life, readEntry(seq, message.slice(second + 1)));
    else this.#catchUp(heard, reached).catch(this.#failed);
  }

  #tell(heard: Heard, life: string, entry: RoomLogEntry): void {
    heard.reached = { life, seq: entry.seq };
    for (const { listener } of [...heard.listeners]) listener(entry);
  }
}
