/** Reads a journal: the rooms and claims as they were when its last batch was written. */
import type { RoomName } from '../../protocol/messages.ts';
import { EventLog, type LogLimits } from '../../rooms/event-log.ts';
import type { Room } from '../../rooms/room.ts';
import { readRecord } from '../room-codec.ts';
import { type Changes, type RecordReader, recordTypes } from './batch.ts';
import { damaged, fileName, JournalFile, journalFiles } from './journal-file.ts';

export type Recovered = {
  rooms: { room: Room; log: EventLog }[];
  claims: Map<string, number>;
  /** Whether the process that wrote it ended on request: then no number was handed out that is not in it. */
  clean: boolean;
  /** Sizes in bytes by number, the newest last; none if there was no journal. */
  files: Map<number, number>;
  /** Of the newest file. */
  generation: number;
  /** Bytes of an unfinished write at the end of the newest file, which were not read. */
  torn: number;
};

/** `joins`: the least number of the last join; higher than any that is not in the journal. */
type Replayed = { fields: Map<string, string>; said: string[]; log: EventLog; joins: number };

/** @throws if a file is missing, damaged or of another format; the message names it */
export const recover = (directory: string, limits: LogLimits): Recovered => {
  const replay = new Replay(limits);
  const numbers = journalFiles(directory);
  const newest = numbers.at(-1);
  const recovered = { files: new Map<number, number>(), generation: 0, torn: 0 };
  let oldest: JournalFile | undefined;
  let previous: JournalFile | undefined;
  for (const number of numbers) {
    const file = new JournalFile(directory, number);
    oldest ??= file;
    try {
      if (previous && file.header.follows !== previous.number) throw missing(file);
      if (previous && file.header.length !== previous.end) throw damaged(previous.path, previous.end);
      for (const { records, offset } of file.frames(number === newest))
        replay.apply(records, `${file.path}, ${offset}`);
      recovered.files.set(number, file.end);
      Object.assign(recovered, { generation: file.generation, torn: file.torn });
    } finally {
      file.close();
    }
    previous = file;
  }
  if (oldest && oldest.header.follows !== 0 && !replay.complete) throw missing(oldest);
  return { ...recovered, rooms: replay.rooms(), claims: replay.claims, clean: replay.clean };
};

const missing = ({ path, header }: JournalFile): Error =>
  new Error(
    `${path} continues ${fileName(header.follows)}, which is missing: the directory is an incomplete copy. Restore it from a backup`,
  );

class Replay {
  readonly claims = new Map<string, number>();
  /** One of the files needs no earlier one. */
  complete = false;
  /** True without any record: then there is nothing to lose. */
  clean = true;
  readonly #rooms = new Map<RoomName, Replayed>();
  readonly #limits: LogLimits;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** @param where for the message @throws if it cannot be read */
  apply(records: RecordReader, where: string): void {
    try {
      while (!records.isAtEnd) this.#applyRecord(records);
    } catch (error) {
      throw new Error(`${where}: a record cannot be read`, { cause: error });
    }
  }

  rooms(): Recovered['rooms'] {
    return [...this.#rooms].map(([name, { fields, said, log, joins }]) => {
      const { room } = readRecord(name, fields, said);
      room.joins = Math.max(room.joins, joins);
      return { room, log };
    });
  }

  #applyRecord(records: RecordReader): void {
    const type = records.byte();
    this.clean = type === recordTypes.clean;
    switch (type) {
      case recordTypes.relay:
        return this.#relay(records);
      case recordTypes.change:
        return this.#change(records);
      case recordTypes.room: {
        const name = records.text();
        const log = EventLog.from(this.#limits, records.number());
        this.#rooms.set(name, { fields: new Map(), said: [], log, joins: 0 });
        return this.#applyChanges(this.#roomOf(name), records.text());
      }
      case recordTypes.removed:
        this.#rooms.delete(records.text());
        return;
      case recordTypes.claim: {
        const [key, until] = [records.text(), records.number()];
        if (until > 0) this.claims.set(key, until);
        else this.claims.delete(key);
        return;
      }
      case recordTypes.skip: {
        const to = records.number();
        for (const room of this.#rooms.values()) {
          room.log.skipTo(to);
          room.joins = joinsAfter(to);
        }
        return;
      }
      case recordTypes.complete:
        this.complete = true;
        return;
      case recordTypes.clean:
        return;
      default:
        throw new Error(`record of unknown type ${type}`);
    }
  }

  #relay(records: RecordReader): void {
    const room = this.#roomOf(records.text());
    const seq = records.number();
    const accepted = records.number();
    room.log.skipTo(seq - 1);
    const [at, head, data] = [records.number(), records.text(), records.text()];
    room.log.appendText(at, head, data);
    room.fields.set(`a:${head.slice(0, head.indexOf(' '))}`, String(accepted));
  }

  #change(records: RecordReader): void {
    const room = this.#roomOf(records.text());
    const seq = records.number();
    this.#applyChanges(room, records.text());
    const count = records.number();
    room.log.skipTo(seq - count);
    for (let nth = 0; nth < count; nth += 1) room.log.appendText(records.number(), records.text(), records.text());
  }

  #applyChanges({ fields, said }: Replayed, json: string): void {
    const changes: Changes = JSON.parse(json);
    for (const [field, value] of Object.entries(changes.set ?? {})) fields.set(field, value);
    for (const field of changes.remove ?? []) fields.delete(field);
    if (!changes.said) return;
    said.push(...changes.said.added);
    said.splice(0, said.length - changes.said.kept);
  }

  #roomOf(name: RoomName): Replayed {
    const known = this.#rooms.get(name) ?? { fields: new Map(), said: [], log: new EventLog(this.#limits), joins: 0 };
    this.#rooms.set(name, known);
    return known;
  }
}

/**
 * How many numbers a room skips for each ms since 1970, so that no number comes twice: a room has fewer events in that time, and
 * numbers stay below 2^53.
 */
export const skippedPerMs = 100;

/** The least number of the last join in a room that skips to `seq`: it is of the same time. */
export const joinsAfter = (seq: number): number => Math.ceil(seq / skippedPerMs);
