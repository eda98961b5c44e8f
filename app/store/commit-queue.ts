/**
 * Runs commands on rooms of a shared store by compare and set: on a copy of the room as this worker knows it, written only if the
 * store still has that version. Commands that arrive during a commit are batched into the next one.
 */
import { largestNetwork } from '../budgets/address.ts';
import { KeptBytes } from '../budgets/kept-bytes.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { sweep } from '../rooms/leave.ts';
import { numberTexts, type RegistryLimits } from '../rooms/registry.ts';
import { type Command, type Decision, lobbyDue, type Room, type RoomEvent } from '../rooms/room.ts';
import { type Attempt, attempt, type Task } from './command-batch.ts';
import { commitArguments, loadArguments, type Outcome, readReply } from './commit-script.ts';
import { absent, changesOf, type RoomChanges, type StoredRoom } from './room-codec.ts';
import { commitScript, commitWhenFullScript, keysOf, type Script, trimScript } from './scripts.ts';
import type { Committed } from './store.ts';
import { StoreUnavailable } from './valkey-connection.ts';

/** `known`: the room as this worker last saw it. `due`: its next timeout (ms since 1970). */
type RoomQueue = {
  /** The network that opened the room, if known, and bytes of the room's log, for the budget of kept bytes. */
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
  /** Called when this worker becomes responsible for a room, and when it no longer is. */
  keep(room: RoomName): void;
  drop(room: RoomName): void;
  /** Called for every event that this worker wrote. */
  wrote(event: RoomEvent): void;
  /** Called with the error of work on a room that no caller waits for. */
  failed(error: unknown): void;
};

/** Maximum commands per commit: a running script blocks the store. */
const maxBatch = 64;
/** `life`: ms that a room's keys outlive its last known deadline; `touch`: ms between two renewals of their TTL. */
const margin = { life: 300_000, touch: 100_000 };

export class CommitQueue {
  readonly #queues = new Map<RoomName, RoomQueue>();
  readonly #deps: Rooms;
  readonly #kept: KeptBytes<RoomQueue>;

  constructor(deps: Rooms) {
    this.#deps = deps;
    this.#kept = new KeptBytes(deps.limits.kept);
  }

  /** Bytes of the logs written by this worker. */
  get keptBytes(): number {
    return this.#kept.total;
  }

  commit<T>(name: RoomName, command: Command<T>, insist = false, frees = insist): Promise<Committed<T> | Refusal> {
    return new Promise((resolve, reject) => {
      // Safe cast: a task resolves with the outcome of its own command.
      const task: Task = { command, insist, frees, resolve: resolve as Task['resolve'], reject };
      const queue = this.#queues.get(name) ?? this.#open(name);
      queue.tasks.push(task);
      this.#start(queue);
    });
  }

  /** The rooms that this worker is responsible for. */
  rooms(): StoredRoom['room'][] {
    return [...this.#queues.values()].flatMap(({ known }) => (known && known.version !== '' ? [known.room] : []));
  }

  /**
   * Applies timeouts in the known rooms; a failure of one does not delay the others.
   * @param isOurs false for rooms that other workers are responsible for
   */
  async sweep(isOurs: (room: Room) => boolean): Promise<void> {
    if (!this.#deps.link.ready) return;
    const now = this.#deps.clock();
    const pass: Command<void> = (room, at) => ({ events: sweep(room, at, this.#deps.limits.rules), result: undefined });
    const done: Promise<unknown>[] = [];
    for (const queue of this.#queues.values()) {
      if (queue.busy) continue;
      if (queue.tasks.length > 0) this.#start(queue);
      else if (queue.due <= now) done.push(this.commit(queue.name, pass, false, true));
      else if (queue.touched + margin.touch <= now) done.push(this.#touch(queue, isOurs));
    }
    await Promise.all(done.map((one) => one.catch(this.#deps.failed)));
  }

  /** After a reconnect: the known state may be outdated. */
  revalidate(): void {
    for (const queue of this.#queues.values()) {
      queue.touched = 0;
      this.#start(queue);
    }
  }

  #open(name: RoomName): RoomQueue {
    const due = Number.POSITIVE_INFINITY;
    const touched = this.#deps.clock();
    const queue = { name, known: undefined, due, touched, tasks: [], busy: false, owner: '', bytes: 0 };
    this.#queues.set(name, queue);
    return queue;
  }

  async #touch(queue: RoomQueue, isOurs: (room: Room) => boolean): Promise<void> {
    queue.touched = 0;
    await this.commit(queue.name, () => ({ events: [], result: undefined }));
    await this.#trim(queue, this.#deps.limits.log.bytes);
    if (queue.known && queue.known.version !== '' && !isOurs(queue.known.room) && !queue.busy) this.#forget(queue);
  }

  /** Drops events that are too old or exceed `bytes`. @throws StoreUnavailable */
  async #trim(queue: RoomQueue, bytes: number): Promise<void> {
    const oldest = this.#deps.clock() - this.#deps.limits.log.age;
    const keys = keysOf(queue.name);
    const left = await this.#deps.link.run(trimScript, keys, [String(Math.floor(bytes)), String(oldest)]);
    if (this.#queues.get(queue.name) === queue) this.#kept.set(queue, Number(left));
  }

  /** Updates the room's share of the byte budget; over a limit, old events are dropped, of this room or of a larger user. */
  #keep(queue: RoomQueue, bytes: number): void {
    this.#kept.set(queue, bytes, largestNetwork(queue.known?.room.from));
    if (!this.#kept.isOver(queue)) return;
    this.#kept.trim((one) => {
      const half = one.bytes / 2;
      this.#trim(one, half).catch(this.#deps.failed);
      return one.bytes - half;
    });
  }

  #start(queue: RoomQueue): void {
    if (!queue.busy && queue.tasks.length > 0) this.#process(queue).catch(this.#deps.failed);
  }

  async #process(queue: RoomQueue): Promise<void> {
    queue.busy = true;
    // Batches commands of the same turn of the event loop.
    await undefined;
    while (queue.tasks.length > 0 && this.#deps.link.ready) {
      const batch = queue.tasks.splice(0, maxBatch);
      try {
        await this.#settle(queue, batch);
      } catch (error) {
        // Outdated state is detected by the next commit; but a room that cannot be read is given up.
        if (!(error instanceof StoreUnavailable)) queue.known = undefined;
        this.#failed(queue, batch, error);
        break;
      }
    }
    if (!this.#deps.link.ready) this.#failed(queue, queue.tasks.splice(0), new StoreUnavailable('not connected'));
    queue.busy = false;
    if (queue.tasks.length === 0 && (queue.known === undefined || queue.known.version === '')) this.#forget(queue);
  }

  /** Retries until the store has committed the batch. @throws StoreUnavailable */
  async #settle(queue: RoomQueue, batch: Task[]): Promise<void> {
    for (let tasks = batch; tasks.length > 0; ) {
      const base = queue.known ?? absent(queue.name);
      const result = attempt(base.room, tasks, this.#deps.clock());
      tasks = result.tasks;
      const changes = changesOf(base, result.room);
      if (base.version === '' && changes.version !== '' && this.#isFull()) {
        if (queue.known) return this.#refuseAll(tasks, result.decisions);
        queue.known = await this.#load(queue);
        continue;
      }
      const reply = await this.#write(queue, base, changes, result);
      if (reply.kept === undefined) {
        this.#setKnown(queue, reply.now);
        continue;
      }
      this.#setKnown(queue, { version: changes.version, room: result.room });
      this.#keep(queue, reply.bytes);
      const first = reply.kept - result.events.length + 1;
      numberTexts(
        result.room,
        result.events.map((event, at) => ({ seq: first + at, event })),
      );
      this.#resolveAll(tasks, result.decisions, reply.kept);
      return;
    }
  }

  async #write(queue: RoomQueue, base: StoredRoom, changes: RoomChanges, result: Attempt): Promise<Outcome> {
    const { log, rules } = this.#deps.limits;
    const refresh = changes.version !== base.version || queue.touched === 0;
    const ttl = refresh ? timeLeft(result.room, result.at) + rules.grace + margin.life : 0;
    const args = commitArguments(base, changes, result, ttl, log);
    const script = result.tasks.every(({ frees }) => frees) ? commitWhenFullScript : commitScript;
    const outcome = readReply(queue.name, await this.#deps.link.run(script, keysOf(queue.name), args));
    if (refresh && outcome.kept !== undefined) queue.touched = result.at;
    return outcome;
  }

  /** Reads the room from the store. */
  async #load({ name }: RoomQueue): Promise<StoredRoom> {
    const outcome = readReply(name, await this.#deps.link.run(commitScript, keysOf(name), loadArguments));
    return outcome.kept === undefined ? outcome.now : absent(name);
  }

  #setKnown(queue: RoomQueue, known: StoredRoom): void {
    const before = queue.known?.version ?? '';
    queue.known = known;
    queue.due = dueOf(known.room);
    if (before === '' && known.version !== '') this.#deps.keep(queue.name);
    if (before !== '' && known.version === '') this.#deps.drop(queue.name);
  }

  #forget(queue: RoomQueue): void {
    if (queue.known && queue.known.version !== '') this.#deps.drop(queue.name);
    this.#kept.set(queue, 0);
    this.#queues.delete(queue.name);
  }

  #isFull(): boolean {
    return this.#queues.size > this.#deps.limits.rooms;
  }

  #refuseAll(tasks: Task[], decisions: Decision<unknown>[]): void {
    const full = refuse('too-many-rooms', `at most ${this.#deps.limits.rooms}`);
    for (const [at, task] of tasks.entries()) {
      const decision = decisions[at];
      task.resolve(decision && 'refused' in decision ? decision : full);
    }
  }

  #resolveAll(tasks: Task[], decisions: Decision<unknown>[], last: number): void {
    const events = decisions.flatMap((decision) => ('refused' in decision ? [] : decision.events));
    for (const event of events) this.#deps.wrote(event);
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

  /** Tasks with `insist` wait; all others are refused, though they may have been committed: a repeat will tell the client. */
  #failed(queue: RoomQueue, batch: Task[], error: unknown): void {
    const away = error instanceof StoreUnavailable;
    queue.tasks.unshift(...batch.filter(({ insist }) => away && insist));
    for (const { insist, resolve, reject } of batch) {
      if (!away) reject(error);
      else if (!insist) resolve(refuse('store-unavailable'));
    }
  }
}

/** ms until the last finite deadline of the room. Connected peers have none: their worker renews the TTL. */
const timeLeft = ({ peers, waiting, gone, lostHosts = [] }: Room, now: number): number => {
  const untils = [...peers.values(), ...waiting.values()].map(({ presence }) => presence.until);
  const finite = [...untils, ...[...gone.values(), ...lostHosts].map(({ until }) => until)].filter(Number.isFinite);
  return Math.max(0, ...finite.map((until) => until - now));
};

const dueOf = (room: Room): number => {
  const { peers, waiting, gone, lostHosts = [] } = room;
  let due = lobbyDue(room);
  for (const { presence } of peers.values()) due = Math.min(due, presence.until);
  for (const { presence } of waiting.values()) due = Math.min(due, presence.until);
  for (const { until } of [...gone.values(), ...lostHosts]) due = Math.min(due, until);
  return due;
};
