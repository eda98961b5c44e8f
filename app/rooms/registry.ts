/** All rooms of one process: made by the first who enters, gone with the last who leaves. */
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { sweep } from './leaving.ts';
import { type Entry, Log, type LogLimits } from './log.ts';
import { type Portable, pack, unpack } from './portable.ts';
import { type Command, carryOut, emptyRoom, isOver, type Room, type RoomEvent, type Rules } from './room.ts';

export type RegistryLimits = { rooms: number; log: LogLimits; rules: Rules };
export type Done<T> = { seq: number; result: T; entries: Entry[] };
/** What the log of a room may still take of its bytes once memory is short. */
const shareWhenShort = 0.25;
type Hosted = { room: Room; log: Log };

export class Registry {
  readonly #rooms = new Map<RoomName, Hosted>();
  readonly #limits: RegistryLimits;

  constructor(limits: RegistryLimits) {
    this.#limits = limits;
  }

  /** Rooms and peers that there are now. */
  count(): { rooms: number; peers: number } {
    let peers = 0;
    for (const { room } of this.#rooms.values()) peers += room.peers.size;
    return { rooms: this.#rooms.size, peers };
  }

  /** Gives the command the room as it is, or an empty one, and keeps what it made of it. */
  commit<T>(name: RoomName, command: Command<T>, now: number): Done<T> | Refusal {
    const known = this.#rooms.get(name);
    const hosted = known ?? { room: emptyRoom(name), log: new Log(this.#limits.log) };
    const decision = carryOut(hosted.room, command, now);
    if ('refused' in decision) return decision;
    if (!known && !isOver(hosted.room)) {
      if (this.#rooms.size >= this.#limits.rooms) return refuse('too-many-rooms', `at most ${this.#limits.rooms}`);
      this.#rooms.set(name, hosted);
    }
    const entries = this.#record(hosted, decision.events, now);
    return { seq: hosted.log.seq, result: decision.result, entries };
  }

  /** The events of a room after a number; `gone` when they are not all there any more. */
  since(name: RoomName, after: number): Entry[] | 'gone' {
    return this.#rooms.get(name)?.log.since(after) ?? 'gone';
  }

  /** Makes room when memory is short: large logs are shortened, so that who was away for long has to join again. */
  shed(): void {
    for (const { log } of this.#rooms.values()) log.shrink(shareWhenShort);
  }

  /** All rooms, for another process to take over; one after the other, for each takes some times its memory meanwhile. */
  *pack(): Generator<Portable> {
    for (const { room, log } of this.#rooms.values()) yield pack(room, log.seq, log.kept());
  }

  /** Goes on with a room that another process had. @throws when it cannot be read */
  adopt(json: unknown): void {
    const { room, seq, events } = unpack(json);
    this.#rooms.set(room.name, { room, log: Log.from(this.#limits.log, seq, events) });
  }

  /** Lets time pass: returns, by room, what it did. */
  sweep(now: number): Map<RoomName, Entry[]> {
    const happened = new Map<RoomName, Entry[]>();
    for (const [name, hosted] of this.#rooms) {
      const decision = carryOut(hosted.room, this.#letTimePass, now);
      if ('events' in decision) happened.set(name, this.#record(hosted, decision.events, now));
    }
    return happened;
  }

  readonly #letTimePass: Command<void> = (room, now) => ({
    events: sweep(room, now, this.#limits.rules),
    result: undefined,
  });

  #record({ room, log }: Hosted, events: RoomEvent[], now: number): Entry[] {
    const entries = events.map((event) => log.append(event, now));
    if (isOver(room)) this.#rooms.delete(room.name);
    return entries;
  }
}
