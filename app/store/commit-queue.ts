/**
 * Carries out commands on rooms of a shared store by compare and set: on a copy of the room as this worker knows it, written
 * only if that is still what the store has. What comes for a room while a commit is under way is the next commit together.
 */
import { largestNetwork } from '../budgets/address.ts';
import { KeptBytes } from '../budgets/kept-bytes.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { LogLimits } from '../rooms/event-log.ts';
import { sweep } from '../rooms/leave.ts';
import { numberTexts, type RegistryLimits } from '../rooms/registry.ts';
import { type Command, carryOut, type Decision, type Room, type RoomEvent } from '../rooms/room.ts';
import {
  absent,
  acceptedBy,
  changesOf,
  copyOf,
  format,
  readRecord,
  type StoredRoom,
  writeEntry,
} from './room-codec.ts';
import { commitScript, commitWhenFullScript, keysOf, type Script, trimScript } from './scripts.ts';
import type { Committed } from './store.ts';
import { StoreUnavailable } from './valkey-connection.ts';

/** What is done with what a command came to. */
type Task = {
  command: Command<unknown>;
  insist: boolean;
  /** It may be carried out in a store that is full: somebody leaves. */
  frees: boolean;
  resolve: (outcome: Committed<unknown> | Refusal) => void;
  reject: (error: unknown) => void;
};

/** `known`: the room as it was when this worker last heard of it. `due`: when time alone changes it next (ms since 1970). */
type Place = {
  /** The network that opened the room, as far as known, and bytes of the room's log: what is counted against a budget. */
  owner: string;
  bytes: number;
  name: RoomName;
  known: StoredRoom | undefined;
  due: number;
  touched: number;
  tasks: Task[];
  busy: boolean;
};

type Runner = { readonly ready: boolean; run(script: Script, keys: string[], args: string[]): Promise<unknown> };
export type Rooms = {
  link: Runner;
  clock: () => number;
  limits: RegistryLimits;
  /** Told of every room that this worker looks after from now on, or no longer. */
  keep(room: RoomName): void;
  drop(room: RoomName): void;
  /** Told of what this worker wrote. */
  wrote(event: RoomEvent): void;
};

/** Commands in one commit at most: while a script runs the store does nothing else. */
const most = 64;
/** ms that a room's keys outlive what is known of its peers, and between two times that this is put off. */
const margin = { life: 300_000, touch: 100_000 };

export class CommitQueue {
  readonly #places = new Map<RoomName, Place>();
  readonly #by: Rooms;
  readonly #kept: KeptBytes<Place>;

  constructor(by: Rooms) {
    this.#by = by;
    this.#kept = new KeptBytes(by.limits.kept);
  }

  /** Bytes of the logs that this worker writes. */
  get keptBytes(): number {
    return this.#kept.total;
  }

  commit<T>(name: RoomName, command: Command<T>, insist = false, frees = insist): Promise<Committed<T> | Refusal> {
    return new Promise((resolve, reject) => {
      // The outcome of a task is what its own command returned.
      const task: Task = { command, insist, frees, resolve: resolve as Task['resolve'], reject };
      const place = this.#places.get(name) ?? this.#open(name);
      place.tasks.push(task);
      if (!place.busy) void this.#work(place);
    });
  }

  /** The rooms that this worker looks after. */
  rooms(): StoredRoom['room'][] {
    return [...this.#places.values()].flatMap(({ known }) => (known && known.version !== '' ? [known.room] : []));
  }

  /** Lets time pass in the rooms it knows; `isOurs` tells those that others look after. */
  async sweep(isOurs: (room: Room) => boolean): Promise<void> {
    if (!this.#by.link.ready) return;
    const now = this.#by.clock();
    const pass: Command<void> = (room, at) => ({ events: sweep(room, at, this.#by.limits.rules), result: undefined });
    const done: Promise<unknown>[] = [];
    for (const place of this.#places.values()) {
      if (place.busy) continue;
      if (place.tasks.length > 0) void this.#work(place);
      else if (place.due <= now) done.push(this.commit(place.name, pass, false, true));
      else if (place.touched + margin.touch <= now) done.push(this.#touch(place, isOurs));
    }
    await Promise.all(done);
  }

  /** What is known may be of before the store was away. */
  doubt(): void {
    for (const place of this.#places.values()) {
      place.touched = 0;
      if (!place.busy && place.tasks.length > 0) void this.#work(place);
    }
  }

  #open(name: RoomName): Place {
    const due = Number.POSITIVE_INFINITY;
    const touched = this.#by.clock();
    const place = { name, known: undefined, due, touched, tasks: [], busy: false, owner: '', bytes: 0 };
    this.#places.set(name, place);
    return place;
  }

  async #touch(place: Place, isOurs: (room: Room) => boolean): Promise<void> {
    place.touched = 0;
    await this.commit(place.name, () => ({ events: [], result: undefined }));
    await this.#trim(place, this.#by.limits.log.bytes);
    if (place.known && place.known.version !== '' && !isOurs(place.known.room) && !place.busy) this.#forget(place);
  }

  /** Lets go of events that are too old, or more than `bytes`. */
  async #trim(place: Place, bytes: number): Promise<void> {
    const oldest = this.#by.clock() - this.#by.limits.log.age;
    try {
      const left = await this.#by.link.run(trimScript, keysOf(place.name), [String(Math.floor(bytes)), String(oldest)]);
      if (this.#places.get(place.name) === place) this.#kept.set(place, Number(left));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  /** Counts what the room's log takes; where that is too much, somebody's oldest events go. */
  #keep(place: Place, bytes: number): void {
    const owner = largestNetwork(place.known?.room.from);
    if (owner !== place.owner) {
      this.#kept.set(place, 0);
      place.owner = owner;
    }
    this.#kept.set(place, bytes);
    if (!this.#kept.isOver(place)) return;
    this.#kept.trim((one) => {
      const half = one.bytes / 2;
      void this.#trim(one, half);
      return one.bytes - half;
    });
  }

  async #work(place: Place): Promise<void> {
    place.busy = true;
    // What came in the same turn goes together.
    await undefined;
    while (place.tasks.length > 0 && this.#by.link.ready) {
      const batch = place.tasks.splice(0, most);
      try {
        await this.#settle(place, batch);
      } catch (error) {
        // What is not so any more is found out; but a room that cannot be read is not looked after.
        if (!(error instanceof StoreUnavailable)) place.known = undefined;
        this.#failed(place, batch, error);
        break;
      }
    }
    if (!this.#by.link.ready) this.#failed(place, place.tasks.splice(0), new StoreUnavailable('not connected'));
    place.busy = false;
    if (place.tasks.length === 0 && (place.known === undefined || place.known.version === '')) this.#forget(place);
  }

  /** Until the store has it. @throws Away */
  async #settle(place: Place, batch: Task[]): Promise<void> {
    for (let tasks = batch; tasks.length > 0; ) {
      const base = place.known ?? absent(place.name);
      const tried = attempt(base.room, tasks, this.#by.clock());
      tasks = tried.tasks;
      const changes = changesOf(base, tried.room);
      if (base.version === '' && changes.version !== '' && this.#isFull()) {
        if (place.known) return this.#refuseAll(tasks, tried.decisions);
        place.known = await this.#load(place);
        continue;
      }
      const reply = await this.#write(place, base, changes, tried);
      if (reply.kept === undefined) {
        this.#know(place, reply.now);
        continue;
      }
      this.#know(place, { version: changes.version, room: tried.room });
      this.#keep(place, reply.bytes);
      const first = reply.kept - tried.events.length + 1;
      numberTexts(
        tried.room,
        tried.events.map((event, at) => ({ seq: first + at, event })),
      );
      this.#answer(tasks, tried.decisions, reply.kept);
      return;
    }
  }

  async #write(
    place: Place,
    base: StoredRoom,
    { version, set, remove, said }: ReturnType<typeof changesOf>,
    { room, events, looked, at, tasks }: Attempt,
  ): Promise<Outcome> {
    const { log, rules } = this.#by.limits;
    const refresh = version !== base.version || place.touched === 0;
    const ttl = refresh ? lifeLeft(room, at) + rules.grace + margin.life : 0;
    const args = [
      format,
      base.version,
      version,
      String(Math.round(ttl)),
      ...limitsOf(log, at),
      ...list(acceptedBy(base, looked ? 'all' : room)),
      ...list(Object.entries(set).flat()),
      ...list(remove),
      ...list(said?.added ?? []),
      ...list(events.map((event) => writeEntry({ at, event }))),
      String(said?.kept ?? -1),
    ];
    const script = tasks.every(({ frees }) => frees) ? commitWhenFullScript : commitScript;
    const outcome = read(place.name, await this.#by.link.run(script, keysOf(place.name), args));
    if (refresh && outcome.kept !== undefined) place.touched = at;
    return outcome;
  }

  /** The room as the store has it. */
  async #load({ name }: Place): Promise<StoredRoom> {
    const nothing = [format, '', '', '0', '0', '0', '0', '0', '0', '0', '0', '0', '-1'];
    const outcome = read(name, await this.#by.link.run(commitScript, keysOf(name), nothing));
    return outcome.kept === undefined ? outcome.now : absent(name);
  }

  #know(place: Place, known: StoredRoom): void {
    const before = place.known?.version ?? '';
    place.known = known;
    place.due = dueOf(known.room);
    if (before === '' && known.version !== '') this.#by.keep(place.name);
    if (before !== '' && known.version === '') this.#by.drop(place.name);
  }

  #forget(place: Place): void {
    if (place.known && place.known.version !== '') this.#by.drop(place.name);
    this.#kept.set(place, 0);
    this.#places.delete(place.name);
  }

  #isFull(): boolean {
    return this.#places.size > this.#by.limits.rooms;
  }

  #refuseAll(tasks: Task[], decisions: Decision<unknown>[]): void {
    const full = refuse('too-many-rooms', `at most ${this.#by.limits.rooms}`);
    for (const [at, task] of tasks.entries()) {
      const decision = decisions[at];
      task.resolve(decision && 'refused' in decision ? decision : full);
    }
  }

  #answer(tasks: Task[], decisions: Decision<unknown>[], last: number): void {
    const events = decisions.flatMap((decision) => ('refused' in decision ? [] : decision.events));
    for (const event of events) this.#by.wrote(event);
    let seq = last - events.length;
    for (const [at, task] of tasks.entries()) {
      const decision = decisions[at];
      if (!decision) continue;
      if ('refused' in decision) task.resolve(decision);
      else {
        seq += decision.events.length;
        task.resolve({ seq, result: decision.result });
      }
    }
  }

  /** What must be done waits; all else is refused, and may have been done nevertheless: whoever repeats it will be told. */
  #failed(place: Place, batch: Task[], error: unknown): void {
    const away = error instanceof StoreUnavailable;
    place.tasks.unshift(...batch.filter(({ insist }) => away && insist));
    for (const { insist, resolve, reject } of batch) {
      if (!away) reject(error);
      else if (!insist) resolve(refuse('store-unavailable'));
    }
  }
}

/** `kept`: the number of the last event; `bytes`: of the log. Or the room has changed, and nothing was written. */
type Outcome = { kept: number; bytes: number } | { kept?: undefined; now: StoredRoom };

/** `looked`: a decision rests on what others may have changed without a new version. */
type Attempt = {
  at: number;
  room: Room;
  tasks: Task[];
  decisions: Decision<unknown>[];
  events: RoomEvent[];
  looked: boolean;
};

/** Carries the commands out on a copy, one after the other; one that throws is rejected, and all others begin anew. */
const attempt = (base: Room, tasks: Task[], at: number): Attempt => {
  const room = copyOf(base);
  const decisions: Decision<unknown>[] = [];
  for (const task of tasks) {
    try {
      decisions.push(carryOut(room, task.command, at));
    } catch (error) {
      task.reject(error);
      return attempt(
        base,
        tasks.filter((other) => other !== task),
        at,
      );
    }
  }
  const events = decisions.flatMap((decision) => ('refused' in decision ? [] : decision.events));
  const looked = decisions.some((decision) => 'refused' in decision || decision.events.length === 0);
  return { at, room, tasks, decisions, events, looked };
};

/** @throws when the room is of another format */
const read = (name: RoomName, reply: unknown): Outcome => {
  const [what, first, second] = Array.isArray(reply) ? reply : [];
  if (what === 'kept') return { kept: Number(first), bytes: Number(second) };
  if (what !== 'changed') throw otherFormat(name, first);
  const fields = new Map<string, string>();
  for (let at = 0; at < first.length; at += 2) fields.set(first[at], first[at + 1]);
  return { now: readRecord(name, fields, second) };
};

export const otherFormat = (name: RoomName, found: unknown): Error =>
  new Error(`the store keeps room "${name}" in format ${found}; this Genkan knows format ${format} alone`);

const list = (items: string[]): string[] => [String(items.length), ...items];

const limitsOf = ({ events, bytes, age }: LogLimits, at: number): string[] => [events, bytes, at - age].map(String);

/** ms that peers stay at most without being heard of; of those who are connected to a worker, it will be heard. */
const lifeLeft = ({ peers, waiting, gone }: Room, now: number): number => {
  const untils = [...peers.values(), ...waiting.values()].map(({ presence }) => presence.until);
  const finite = [...untils, ...[...gone.values()].map(({ until }) => until)].filter(Number.isFinite);
  return Math.max(0, ...finite.map((until) => until - now));
};

const dueOf = ({ peers, waiting, gone }: Room): number => {
  let due = Number.POSITIVE_INFINITY;
  for (const { presence } of peers.values()) due = Math.min(due, presence.until);
  for (const { presence } of waiting.values()) due = Math.min(due, presence.until);
  for (const { until } of gone.values()) due = Math.min(due, until);
  return due;
};
