/** All rooms of one process. A room is created by its first peer and removed with its last. */
import { largestNetwork } from '../budgets/address.ts';
import type { Holding } from '../budgets/address-budgets.ts';
import { KeptBytes, type KeptLimits } from '../budgets/kept-bytes.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { EventLog, type LogLimits, type RoomLogEntry } from './event-log.ts';
import { sweep } from './leave.ts';
import { type Command, carryOut, emptyRoom, isEmpty, isOver, type Room, type RoomEvent, type Rules } from './room.ts';
import { deserialize, type RoomSnapshot, serialize } from './snapshot.ts';

export type RegistryLimits = { rooms: number; log: LogLimits; kept: KeptLimits; rules: Rules };
/** Called after each command and timeout that may have changed a room, with the events, which its log already has. */
export type OnChange = (room: Room, log: EventLog, entries: RoomLogEntry[]) => void;
export type Done<T> = { seq: number; result: T; entries: RoomLogEntry[] };
/** `from`: the network whose `owner` is charged. `state`: bytes of the room without its log, measured at the last sweep. */
type Hosted = {
  room: Room;
  log: EventLog;
  from: string | undefined;
  owner: string;
  state: number;
  bytes: number;
};
/** Share of its byte limit that a log may keep when memory is short. */
const shareWhenShort = 0.25;

export class Registry {
  readonly #rooms = new Map<RoomName, Hosted>();
  readonly #limits: RegistryLimits;
  readonly #kept: KeptBytes<Hosted>;
  readonly #onChange: OnChange | undefined;

  constructor(limits: RegistryLimits, onChange?: OnChange) {
    this.#limits = limits;
    this.#onChange = onChange;
    this.#kept = new KeptBytes(limits.kept);
  }

  count(): { rooms: number; peers: number } {
    let peers = 0;
    for (const { room } of this.#rooms.values()) peers += room.peers.size;
    return { rooms: this.#rooms.size, peers };
  }

  /** Bytes kept by all rooms. */
  keptBytes(): number {
    return this.#kept.total;
  }

  /** Rooms and seats by the network of the client that opened or took them. */
  holdings(): Map<string, Holding> {
    return holdingsOf([...this.#rooms.values()].map(({ room }) => room));
  }

  /** Runs a command on the room, or on a new empty one, and stores the outcome. */
  commit<T>(name: RoomName, command: Command<T>, now: number): Done<T> | Refusal {
    const known = this.#rooms.get(name);
    const hosted = known ?? this.#host(emptyRoom(name), new EventLog(this.#limits.log));
    const decision = carryOut(hosted.room, command, now);
    if ('refused' in decision) return decision;
    if (!known && !isOver(hosted.room)) {
      if (this.#rooms.size >= this.#limits.rooms && !this.#forgetEmpty(now))
        return refuse('too-many-rooms', `at most ${this.#limits.rooms}`);
      this.#rooms.set(name, hosted);
    }
    const entries = this.#record(hosted, decision.events, now);
    return { seq: hosted.log.seq, result: decision.result, entries };
  }

  /** The events of a room after a number; refused as `events-gone` if some are no longer kept. */
  since(name: RoomName, after: number): RoomLogEntry[] | Refusal {
    return this.#rooms.get(name)?.log.since(after) ?? refuse('events-gone');
  }

  /** Frees memory by shortening large logs; peers that were away for long then have to rejoin. */
  shed(): void {
    for (const { log } of this.#rooms.values()) log.shrinkTo(this.#limits.log.bytes * shareWhenShort);
  }

  /** Serializes all rooms for another process. One at a time, because each takes several times its memory meanwhile. */
  *pack(): Generator<RoomSnapshot> {
    for (const { room, log } of this.#rooms.values()) yield serialize(room, log.seq, log.kept());
  }

  /** Takes over a room of another process. @throws if it cannot be read */
  adopt(json: unknown): void {
    const { room, seq, events } = deserialize(json);
    this.restore(room, EventLog.from(this.#limits.log, seq, events));
  }

  /** Adds a room that a previous process had, or replaces one. */
  restore(room: Room, log: EventLog): void {
    const before = this.#rooms.get(room.name);
    if (before) this.#kept.set(before, 0);
    const hosted = this.#host(room, log);
    this.#rooms.set(room.name, hosted);
    this.#measure(hosted);
  }

  /** The room and its log, if there is one. Not for changes. */
  find(name: RoomName): { room: Room; log: EventLog } | undefined {
    return this.#rooms.get(name);
  }

  names(): Iterable<RoomName> {
    return this.#rooms.keys();
  }

  /** Applies timeouts in all rooms. @returns the resulting events by room */
  sweep(now: number): Map<RoomName, RoomLogEntry[]> {
    this.#kept.retry();
    const happened = new Map<RoomName, RoomLogEntry[]>();
    for (const [name, hosted] of this.#rooms) {
      const hadLobby = hosted.room.waiting.size > 0;
      const decision = carryOut(hosted.room, this.#letTimePass, now);
      if (!('events' in decision)) continue;
      // Without events, only the lobby may have changed, and what a room forgets by itself.
      if (decision.events.length > 0 || hadLobby || isOver(hosted.room))
        happened.set(name, this.#record(hosted, decision.events, now));
      hosted.log.age(now);
      if (this.#rooms.has(name)) this.#measure(hosted);
    }
    return happened;
  }

  /** Removes a room that only waits for a lost host. @returns whether there was one */
  #forgetEmpty(now: number): boolean {
    for (const hosted of this.#rooms.values())
      if (isEmpty(hosted.room)) {
        delete hosted.room.lostHosts;
        hosted.room.gone.clear();
        this.#record(hosted, [], now);
        return true;
      }
    return false;
  }

  readonly #letTimePass: Command<void> = (room, now) => ({
    events: sweep(room, now, this.#limits.rules),
    result: undefined,
  });

  #host(room: Room, log: EventLog): Hosted {
    return { room, log, from: room.from, owner: largestNetwork(room.from), state: 0, bytes: 0 };
  }

  #measure(hosted: Hosted): void {
    hosted.state = stateBytes(hosted.room);
    this.#keep(hosted);
  }

  /** Updates the room's share of the byte budget; over a limit, old events are dropped, of this room or of a larger user. */
  #keep(hosted: Hosted): void {
    const { room, from, owner, state, log, bytes } = hosted;
    const newOwner = room.from === from ? owner : largestNetwork(room.from);
    if (state + log.bytes === bytes && newOwner === owner) return;
    hosted.from = room.from;
    this.#kept.set(hosted, state + log.bytes, newOwner);
    if (this.#kept.isOver(hosted)) this.#kept.trim(shrink);
  }

  #record(hosted: Hosted, events: RoomEvent[], now: number): RoomLogEntry[] {
    const { room, log } = hosted;
    const entries = events.map((event) => log.append(event, now));
    numberTexts(room, entries);
    this.#onChange?.(room, log, entries);
    if (isOver(room)) {
      this.#rooms.delete(room.name);
      this.#kept.set(hosted, 0);
    } else this.#keep(hosted);
    return entries;
  }
}

/** Drops the older half of a room's events, and if that frees little, of its chat history. @returns bytes freed */
const shrink = (hosted: Hosted): number => {
  const { room, log } = hosted;
  const freed = log.shrinkTo(log.bytes / 2);
  if (freed >= hosted.state / 4) return freed;
  room.said = room.said.slice(Math.ceil(room.said.length / 2));
  const before = hosted.state;
  hosted.state = stateBytes(room);
  return freed + before - hosted.state;
};

/** Sets the event numbers of the chat messages that were added last. */
export const numberTexts = ({ said }: Room, entries: Pick<RoomLogEntry, 'seq' | 'event'>[]): void => {
  let at = said.length;
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const { seq, event } = entries[index] as RoomLogEntry;
    if (event.type !== 'chat' || event.to !== undefined) continue;
    at -= 1;
    const text = said[at];
    if (text) text.seq ??= seq;
  }
};

export const holdingsOf = (rooms: Room[]): Map<string, Holding> => {
  const holdings = new Map<string, Holding>();
  const holdingOf = (network: string): Holding => {
    const holding = holdings.get(network) ?? { rooms: 0, seats: 0 };
    holdings.set(network, holding);
    return holding;
  };
  for (const { from, peers, waiting } of rooms) {
    if (from !== undefined) holdingOf(from).rooms += 1;
    for (const peer of peers.values()) if (peer.from !== undefined) holdingOf(peer.from).seats += 1;
    for (const peer of waiting.values()) if (peer.from !== undefined) holdingOf(peer.from).seats += 1;
  }
  return holdings;
};

/** Estimated bytes of memory of a room without its log. */
const stateBytes = ({ peers, waiting, said, gone }: Room): number => {
  let bytes = 1024 + 1024 * (peers.size + waiting.size) + 128 * gone.size;
  for (const { text } of said) bytes += 256 + 2 * text.length;
  return bytes;
};
