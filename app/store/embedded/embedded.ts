/**
 * Rooms in the memory of this process, and in a journal on disk. Memory changes first. Nobody learns of a change before it is written:
 * at the end of each turn of the event loop one batch is written, then its events are delivered and its callers answered.
 */
import { type Refusal, refuse } from '../../protocol/errors.ts';
import type { RoomName } from '../../protocol/messages.ts';
import { type EventLog, lasting, type RoomLogEntry } from '../../rooms/event-log.ts';
import { strandAll } from '../../rooms/leave.ts';
import { Registry, type RegistryLimits } from '../../rooms/registry.ts';
import type { Command, Room } from '../../rooms/room.ts';
import { atEndOfTurn } from '../../signaling/end-of-turn.ts';
import { Listeners } from '../memory.ts';
import type { Committed, Leaves, RoomListener, Store } from '../store.ts';
import { RecordedRooms, recordWhole } from './changes.ts';
import { type Disk, Journal } from './journal.ts';
import { lockDirectory } from './lock.ts';
import { Maintenance, type MaintenanceOptions } from './maintenance.ts';
import { joinsAfter, type Recovered, recover, skippedPerMs } from './recovery.ts';

export type EmbeddedOptions = MaintenanceOptions & {
  limits: RegistryLimits;
  /** ms to wait for a predecessor that still has the directory. */
  patience?: number;
  disk?: Disk;
};
type Log = { info(fields: object, message: string): void; error(fields: object, message: string): void };

/** Bytes of a batch that is written before the turn ends, and of a slice of the journal's rewriting. */
const maxBatch = 1_048_576;
const sliceBytes = 131_072;

// Its functions are properties, because a wrapped store is a copy.
export class EmbeddedStore implements Store {
  readonly #registry: Registry;
  readonly #listeners: Listeners;
  readonly #recorded = new RecordedRooms();
  readonly #claims = new Map<string, number>();
  readonly #options: EmbeddedOptions;
  readonly #clock: () => number;
  readonly #log: Log;
  /** Undefined before `open` and after the end. */
  #open: { journal: Journal; maintenance: Maintenance; unlock: () => void } | undefined;
  /** The last write failed. */
  #failed = false;
  #scheduled = false;
  /** Events whose batch is not written. */
  #unwritten: [RoomName, RoomLogEntry[]][] = [];
  /** Events that are being delivered. */
  readonly #due: [RoomName, RoomLogEntry[]][] = [];
  #isDelivering = false;
  /** Callers that wait for the batch. */
  #waiting: { insist: boolean; settle: (written: boolean) => void }[] = [];

  constructor(options: EmbeddedOptions, clock: () => number, log: Log, counts: Leaves) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#listeners = new Listeners(counts);
    this.#registry = new Registry(options.limits, this.#record);
  }

  /**
   * Reads what the directory has. From then on it is locked.
   * @throws if it cannot be written, is used by another process, or is damaged
   */
  readonly open = async (): Promise<void> => {
    const { directory, limits, disk, patience = 10_000 } = this.#options;
    const unlock = await lockDirectory(directory, patience);
    try {
      const recovered = recover(directory, limits.log);
      const journal = new Journal(directory, recovered, disk);
      const maintenance = new Maintenance(journal, this.#rewriting, this.#options, this.#log);
      this.#open = { journal, maintenance, unlock };
      await this.#restore(recovered, journal);
    } catch (error) {
      this.#open = undefined;
      unlock();
      throw error;
    }
  };

  readonly commitNow = <T>(room: RoomName, command: Command<T>): Committed<T> | Refusal =>
    this.#refusal() ?? this.#run(room, command);

  readonly commit = async <T>(
    room: RoomName,
    command: Command<T>,
    insist?: 'insist',
  ): Promise<Committed<T> | Refusal> => {
    const refusal = this.#refusal();
    if (refusal && (!this.#open || !insist)) return refusal;
    const outcome = this.#run(room, command);
    if ('refused' in outcome || (await this.#written(insist !== undefined))) return outcome;
    return refuse('store-unavailable');
  };

  /** Writes what was committed; it is delivered at the end of this turn. @returns false if it cannot be written now */
  readonly flush = (): boolean => {
    const { journal } = this.#open ?? {};
    if (!journal) return this.#waiting.length + this.#unwritten.length === 0;
    if (!journal.write()) return this.#writeFailed(journal);
    if (this.#failed) this.#log.info({}, 'the journal can be written again');
    this.#failed = false;
    this.#due.push(...this.#unwritten.splice(0));
    for (const { settle } of this.#waiting.splice(0)) settle(true);
    return true;
  };

  readonly since = async (room: RoomName, after: number): Promise<RoomLogEntry[] | Refusal> =>
    this.flush() ? this.#registry.since(room, after) : refuse('store-unavailable');

  readonly subscribe = (room: RoomName, listener: RoomListener): (() => void) => this.#listeners.add(room, listener);

  readonly claim = async (key: string, until: number): Promise<boolean | Refusal> => {
    const refusal = this.#refusal();
    if (refusal) return refusal;
    if ((this.#claims.get(key) ?? 0) > this.#clock()) return false;
    this.#setClaim(key, until);
    if (await this.#written(false)) return true;
    this.#setClaim(key, 0);
    return refuse('store-unavailable');
  };

  readonly release = async (key: string): Promise<void> => this.#setClaim(key, 0);

  readonly sweep = async (): Promise<void> => {
    const { maintenance } = this.#open ?? {};
    if (!maintenance) return;
    if (this.flush()) {
      this.#deliver();
      const now = this.#clock();
      for (const [key, until] of this.#claims) if (until <= now) this.#claims.delete(key);
      for (const [room, entries] of this.#registry.sweep(now)) this.#unwritten.push([room, entries]);
      this.#endTurn();
    }
    // Not awaited: a disk may be slow.
    maintenance
      .tick(performance.now())
      .catch((error: unknown) => this.#log.error({ err: error }, 'maintenance failed'));
  };

  readonly count = () => this.#registry.count();
  readonly keptBytes = () => this.#registry.keptBytes();
  readonly holdings = () => this.#registry.holdings();
  readonly shed = (): void => this.#registry.shed();

  readonly ready = (): boolean =>
    this.#open !== undefined && !this.#failed && !this.#open.maintenance.distrusted && this.shortage() === undefined;

  /** Why no room may be opened. */
  readonly shortage = (): Refusal | undefined =>
    this.#open?.maintenance.shortage === undefined ? undefined : refuse('store-unavailable', 'short of space');

  /** The successor reads the directory, which is free from then on. */
  readonly handOver = (): Iterable<unknown> => {
    this.#end();
    return [];
  };

  readonly close = async (): Promise<void> => {
    const { journal, maintenance } = this.#open ?? {};
    maintenance?.stop();
    this.#endTurn();
    await journal?.sync().catch(() => {});
    this.#end();
  };

  #refusal(): Refusal | undefined {
    if (!this.#open) return refuse('draining');
    return this.#failed ? refuse('store-unavailable') : undefined;
  }

  #run<T>(room: RoomName, command: Command<T>): Committed<T> | Refusal {
    const done = this.#registry.commit(room, command, this.#clock());
    if ('refused' in done) return done;
    if (done.entries.length > 0) this.#unwritten.push([room, done.entries]);
    if ((this.#open?.journal.batch.length ?? 0) > maxBatch) this.flush();
    return done;
  }

  readonly #record = (room: Room, log: EventLog, entries: RoomLogEntry[]): void => {
    if (!this.#open) return;
    this.#recorded.record(this.#open.journal.batch, room, log, entries);
    this.#schedule();
  };

  #setClaim(key: string, until: number): void {
    if (!this.#open) return;
    if (until > 0) this.#claims.set(key, until);
    else this.#claims.delete(key);
    this.#open.journal.batch.claim(key, until);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    atEndOfTurn(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false;
    if (!this.#failed) this.flush();
    this.#deliver();
  };

  /** Resolves with true when the batch is written; unless the caller insists, with false when it cannot be. */
  #written(insist: boolean): Promise<boolean> {
    const { journal } = this.#open ?? {};
    if (!journal || journal.batch.isEmpty) return Promise.resolve(journal !== undefined);
    return new Promise((settle) => this.#waiting.push({ insist, settle }));
  }

  #writeFailed({ failure }: Journal): false {
    if (!this.#failed)
      this.#log.error(
        { reason: failure?.message },
        'the journal cannot be written: joins and messages are refused until it can',
      );
    this.#failed = true;
    this.#unwritten = this.#unwritten.map(([room, entries]) => [room, entries.map(lasting)]);
    const refused = this.#waiting.filter(({ insist }) => !insist);
    this.#waiting = this.#waiting.filter(({ insist }) => insist);
    for (const { settle } of refused) settle(false);
    return false;
  }

  /** Events that a listener causes are delivered after those before them. */
  #deliver(): void {
    if (this.#due.length === 0 || this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      for (const [room, entries] of this.#due) this.#listeners.deliver(room, entries);
    } finally {
      this.#due.length = 0;
      this.#isDelivering = false;
    }
  }

  async #restore(recovered: Recovered, journal: Journal): Promise<void> {
    const { rooms, claims, clean, torn, files } = recovered;
    const now = this.#clock();
    for (const [key, until] of claims) if (until > now) this.#claims.set(key, until);
    if (!clean) {
      const to = numberAfter(rooms);
      for (const { room, log } of rooms) {
        log.skipTo(to);
        room.joins = Math.max(room.joins, joinsAfter(to));
      }
      journal.batch.skip(to);
      // On a full disk the server starts nevertheless, and refuses everything that has to be written.
      if (this.flush()) await journal.sync();
    }
    for (const { room, log } of rooms) {
      this.#recorded.add(room);
      strandAll(room, now, this.#options.limits.rules);
      this.#registry.restore(room, log);
    }
    if (files.size > 0)
      this.#log.info(
        { rooms: rooms.length, clean, ...(torn > 0 ? { torn } : {}) },
        'the rooms were read from the journal',
      );
  }

  #end(): void {
    if (!this.#open) return;
    const { journal, maintenance, unlock } = this.#open;
    maintenance.stop();
    this.#endTurn();
    if (!this.#failed) {
      journal.batch.mark('clean');
      this.flush();
    }
    this.#open = undefined;
    journal.close();
    unlock();
    for (const { settle } of this.#waiting.splice(0)) settle(false);
  }

  readonly #rewriting = {
    keptBytes: this.keptBytes,
    flush: this.flush,
    slices: (): Iterable<unknown> => this.#slices(),
  };

  *#slices(): Generator<unknown> {
    if (!this.#open) return;
    const { batch } = this.#open.journal;
    for (const [key, until] of this.#claims) batch.claim(key, until);
    for (const name of [...this.#registry.names()]) {
      const found = this.#registry.find(name);
      if (found) recordWhole(batch, found.room, found.log);
      if (batch.length > sliceBytes) yield name;
    }
    yield undefined;
  }
}

/** A number above all that were handed out, even if the end of the journal is lost. */
const numberAfter = (rooms: Recovered['rooms']): number => {
  let most = Date.now() * skippedPerMs;
  for (const { log } of rooms) most = Math.max(most, log.seq + 1_000_000);
  return most;
};
