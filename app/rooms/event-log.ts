/** A room's events, numbered and bounded: what a peer that comes back is told again. */
import type { RoomEvent } from './room.ts';

export type RoomLogEntry = { seq: number; at: number; event: RoomEvent };
/**
 * What a room's log holds at most: events, bytes of memory, and age in ms. Age is a limit of memory too: some events that are
 * older may still be there.
 */
export type LogLimits = { events: number; bytes: number; age: number };

/** Bytes of a log's first segment and of its largest: a quiet room stays small, a busy one has few segments. */
const segmentBytes = { first: 512, most: 65_536 };

/**
 * Events are kept as bytes in a few long segments and read back only by those who come back. As objects they would be what
 * the garbage collector copies around all day, since nearly every one of them outlives its first collections.
 */
export class EventLog {
  #segments: Segment[] = [];
  #seq = 0;
  #bytes = 0;
  /** Of the segment dropped last, for the next one: a busy log allocates nothing. */
  #spare: Buffer | undefined;
  readonly #limits: LogLimits;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** The number of the last event, 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#bytes + (this.#spare?.length ?? 0);
  }

  /** A log that goes on where another ended: `events` are the last ones up to number `seq`. */
  static from(limits: LogLimits, seq: number, events: { at: number; event: RoomEvent }[]): EventLog {
    const log = new EventLog(limits);
    log.#seq = seq - events.length;
    for (const { at, event } of events) log.append(event, at);
    return log;
  }

  /** The events that are still kept. */
  kept(): RoomLogEntry[] {
    return this.#segments.flatMap((segment) => segment.read());
  }

  /** Lets go of what is too old, also when nothing is appended. */
  age(now: number): void {
    if (this.#segments.length === 0) return;
    this.#trim(now);
    // A log that is appended to needs it; one that is empty does not.
    if (this.#segments.length === 0) this.#spare = undefined;
  }

  /** Lets go of the oldest events until the others take no more than so many bytes. @returns bytes that were freed */
  shrinkTo(bytes: number): number {
    const before = this.bytes;
    while (this.#segments.length > 0 && this.#bytes > bytes) this.#dropOldest();
    this.#spare = undefined;
    return before - this.bytes;
  }

  append(event: RoomEvent, now: number): RoomLogEntry {
    this.#seq += 1;
    const { head, data } = split(event);
    if (!this.#segments.at(-1)?.append(now, head, data)) this.#addSegment(head, data).append(now, head, data);
    this.#trim(now);
    return { seq: this.#seq, at: now, event };
  }

  /** Everything after number `after`, oldest first; `gone` when some of it is no longer kept or never was. */
  since(after: number): RoomLogEntry[] | 'gone' {
    if (after > this.#seq || after < this.#seq - this.#limits.events) return 'gone';
    const recent = this.#segments.filter(({ last }) => last > after);
    const entries = recent.flatMap((segment) => segment.read()).filter(({ seq }) => seq > after);
    return entries.length === this.#seq - after ? entries : 'gone';
  }

  #addSegment(head: string, data: string): Segment {
    const most = Math.min(segmentBytes.most, this.#limits.bytes / 4);
    const grown = 2 * (this.#segments.at(-1)?.size ?? segmentBytes.first / 2);
    const size = Math.max(Segment.sizeOf(head, data), Math.floor(Math.min(most, grown)));
    const bytes = this.#spare && this.#spare.length >= size ? this.#spare : Buffer.allocUnsafeSlow(size);
    const segment = new Segment(this.#seq, bytes);
    this.#spare = undefined;
    this.#bytes += segment.size;
    this.#segments.push(segment);
    return segment;
  }

  #trim(now: number): void {
    const { events, bytes, age } = this.#limits;
    for (let oldest = this.#segments[0]; oldest; oldest = this.#segments[0]) {
      if (this.#bytes <= bytes && oldest.last > this.#seq - events && oldest.youngest > now - age) break;
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    const oldest = this.#segments.shift();
    this.#bytes -= oldest?.size ?? 0;
    this.#spare = oldest?.bytes;
  }
}

/** Events one after the other: time (8 bytes), lengths of head and data (4 and 4), head and data in UTF-8. */
class Segment {
  static readonly #overhead = 16;

  static sizeOf(head: string, data: string): number {
    return Segment.#overhead + Buffer.byteLength(head) + Buffer.byteLength(data);
  }

  readonly bytes: Buffer;
  readonly #first: number;
  #count = 0;
  #end = 0;
  #youngest = 0;

  constructor(first: number, bytes: Buffer) {
    this.#first = first;
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  /** The number of its last event. */
  get last(): number {
    return this.#first + this.#count - 1;
  }

  get youngest(): number {
    return this.#youngest;
  }

  /** False when there is no room left. */
  append(at: number, head: string, data: string): boolean {
    const bytes = this.bytes;
    const start = this.#end + Segment.#overhead;
    // A character takes three bytes of UTF-8 at most: only near the end the bytes have to be counted.
    const surelyFits = start + 3 * (head.length + data.length) <= bytes.length;
    if (!surelyFits && this.#end + Segment.sizeOf(head, data) > bytes.length) return false;
    const headBytes = bytes.write(head, start);
    const dataBytes = bytes.write(data, start + headBytes);
    bytes.writeDoubleLE(at, this.#end);
    bytes.writeUInt32LE(headBytes, this.#end + 8);
    bytes.writeUInt32LE(dataBytes, this.#end + 12);
    this.#end = start + headBytes + dataBytes;
    this.#count += 1;
    this.#youngest = at;
    return true;
  }

  read(): RoomLogEntry[] {
    const entries: RoomLogEntry[] = [];
    for (let at = 0, seq = this.#first; at < this.#end; seq += 1) {
      const start = at + Segment.#overhead;
      const middle = start + this.bytes.readUInt32LE(at + 8);
      const end = middle + this.bytes.readUInt32LE(at + 12);
      const event = join(this.bytes.toString('utf8', start, middle), this.bytes.toString('utf8', middle, end));
      entries.push({ seq, at: this.bytes.readDoubleLE(at), event });
      at = end;
    }
    return entries;
  }
}

/** A signal's data stays the text it was; everything else is JSON of our own, on one line. */
export const split = (event: RoomEvent): { head: string; data: string } => {
  if (event.type !== 'signal') return { head: JSON.stringify(event), data: '' };
  const { from, to, epoch, data } = event;
  return { head: `${from} ${to} ${epoch}`, data };
};

export const join = (head: string, data: string): RoomEvent => {
  if (data === '') return JSON.parse(head);
  const [from = '', to = '', epoch] = head.split(' ');
  return { type: 'signal', from, to, epoch: Number(epoch), data };
};
