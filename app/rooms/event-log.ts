/** The numbered, bounded log of a room's events, replayed to peers that resume. */
import { ByteRange, lastingOf, textOf } from '../protocol/byte-range.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomEvent } from './room.ts';

export type RoomLogEntry = { seq: number; at: number; event: RoomEvent };
/** Limits of a room's log: events, bytes of memory, age in ms. Age only bounds memory: some older events may still be there. */
export type LogLimits = { events: number; bytes: number; age: number };

type Gap = { from: number; to: number };
/** Each is left by a process that was killed. */
const maxGaps = 8;

/** Bytes of the first and of the largest segment: a quiet room stays small, a busy one has few segments. */
const segmentBytes = { first: 512, most: 65_536 };

/**
 * Events are kept as bytes in a few long segments and only decoded when a peer resumes. As objects they would burden the garbage
 * collector: nearly all of them outlive its first collections and would be copied.
 */
export class EventLog {
  #segments: Segment[] = [];
  #seq = 0;
  #bytes = 0;
  /** Numbers that were skipped and that a peer may have to cross, oldest first: an event after `from` has a number above `to`. */
  #gaps: Gap[] = [];
  /** Buffer of the last dropped segment, reused by the next one: a busy log allocates nothing. */
  #spare: Buffer | undefined;
  readonly #limits: LogLimits;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** The number of the last event, 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /** Bytes of memory in use. */
  get bytes(): number {
    return this.#bytes + (this.#spare?.length ?? 0);
  }

  /** A log that continues another one: `events` are its last ones, up to number `seq`. */
  static from(limits: LogLimits, seq: number, events: { at: number; event: RoomEvent }[] = []): EventLog {
    const log = new EventLog(limits);
    log.#seq = seq - events.length;
    for (const { at, event } of events) log.append(event, at);
    return log;
  }

  /** All events that are still kept. */
  kept(): RoomLogEntry[] {
    return this.#segments.flatMap((segment) => segment.read());
  }

  /** Drops events that are too old, even if nothing is appended. */
  age(now: number): void {
    if (this.#segments.length === 0) return;
    this.#trim(now);
    // Only a log in use needs a spare buffer.
    if (this.#segments.length === 0) this.#spare = undefined;
  }

  /** Drops the oldest events until the rest take at most `bytes`. @returns bytes freed */
  shrinkTo(bytes: number): number {
    const before = this.bytes;
    while (this.#segments.length > 0 && this.#bytes > bytes) this.#dropOldest();
    this.#spare = undefined;
    return before - this.bytes;
  }

  append(event: RoomEvent, now: number): RoomLogEntry {
    return { seq: this.#append(now, headOf(event), dataOf(event)), at: now, event };
  }

  /** Appends an event in its encoded form, which `split` returns. @returns its number */
  appendText(at: number, head: string, data: string): number {
    return this.#append(at, head, isBinaryHead(head) ? ByteRange.fromJsonText(data) : data);
  }

  #append(at: number, head: string, data: string | ByteRange): number {
    this.#seq += 1;
    if (!this.#segments.at(-1)?.append(at, head, data)) this.#addSegment(head, data).append(at, head, data);
    this.#trim(at);
    return this.#seq;
  }

  /** Leaves out numbers: the next event gets number `seq` + 1. A peer that knows the last event still misses none. */
  skipTo(seq: number): void {
    if (seq <= this.#seq) return;
    this.#gaps = [...this.#gaps.slice(1 - maxGaps), { from: this.#seq, to: seq }];
    this.#seq = seq;
    // A segment has consecutive numbers.
    const segment = new Segment(seq + 1, Buffer.allocUnsafeSlow(segmentBytes.first));
    this.#bytes += segment.size;
    this.#segments.push(segment);
  }

  /** The log as the numbers that it skips and the events in between; `base`: the number before the first of either. */
  *parts(): Generator<{ base: number } | { skipTo: number } | RoomLogEntry> {
    const first = this.#segments.find(({ isEmpty }) => !isEmpty)?.first ?? this.#seq + 1;
    const base = Math.min(first - 1, this.#gaps[0]?.from ?? Number.POSITIVE_INFINITY);
    yield { base };
    const gaps = [...this.#gaps];
    for (const entry of this.kept()) {
      while (gaps[0] && gaps[0].to < entry.seq) yield { skipTo: gaps.shift()?.to ?? 0 };
      yield entry;
    }
    for (const { to } of gaps) yield { skipTo: to };
  }

  /** All events after number `after`, oldest first; refused as `events-gone` if some are no longer kept or never existed. */
  since(after: number): RoomLogEntry[] | Refusal {
    const count = this.#countAfter(after);
    if (count < 0 || count > this.#limits.events) return refuse('events-gone');
    const recent = this.#segments.filter(({ last }) => last > after);
    const entries = recent.flatMap((segment) => segment.read()).filter(({ seq }) => seq > after);
    return entries.length === count ? entries : refuse('events-gone');
  }

  /** The number of events after number `after` that there have been. */
  #countAfter(after: number): number {
    let count = this.#seq - after;
    for (const { from, to } of this.#gaps) if (from >= after) count -= to - from;
    return count;
  }

  #addSegment(head: string, data: string | ByteRange): Segment {
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
      if (this.#bytes <= bytes && this.#countAfter(oldest.last) < events && oldest.youngest > now - age) break;
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    const oldest = this.#segments.shift();
    this.#bytes -= oldest?.size ?? 0;
    this.#spare = oldest?.bytes;
    // A peer before a gap needs every event since.
    if (oldest && !oldest.isEmpty) this.#gaps = this.#gaps.filter(({ from }) => from >= oldest.last);
  }
}

/** Consecutive events, each: time (8 bytes), lengths of head and data (4 and 4), head and data in UTF-8. */
class Segment {
  static readonly #overhead = 16;

  static sizeOf(head: string, data: string | ByteRange): number {
    const dataBytes = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
    return Segment.#overhead + Buffer.byteLength(head) + dataBytes;
  }

  readonly bytes: Buffer;
  readonly first: number;
  #count = 0;
  #end = 0;
  #youngest = 0;

  constructor(first: number, bytes: Buffer) {
    this.first = first;
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }

  /** The number of its last event. */
  get last(): number {
    return this.first + this.#count - 1;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get youngest(): number {
    return this.#youngest;
  }

  /** False if the segment is full. */
  append(at: number, head: string, data: string | ByteRange): boolean {
    const bytes = this.bytes;
    const start = this.#end + Segment.#overhead;
    // A UTF-16 code unit takes at most three bytes in UTF-8, so bytes are counted only near the end.
    const maxData = typeof data === 'string' ? 3 * data.length : data.byteLength;
    const surelyFits = start + 3 * head.length + maxData <= bytes.length;
    if (!surelyFits && this.#end + Segment.sizeOf(head, data) > bytes.length) return false;
    const headBytes = bytes.write(head, start);
    const dataAt = start + headBytes;
    const dataBytes = typeof data === 'string' ? bytes.write(data, dataAt) : data.copyTo(bytes, dataAt);
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
    for (let at = 0, seq = this.first; at < this.#end; seq += 1) {
      const start = at + Segment.#overhead;
      const middle = start + this.bytes.readUInt32LE(at + 8);
      const end = middle + this.bytes.readUInt32LE(at + 12);
      const head = this.bytes.toString('utf8', start, middle);
      const data = isBinaryHead(head)
        ? ByteRange.binaryCopy(this.bytes.subarray(middle, end))
        : this.bytes.toString('utf8', middle, end);
      const event = join(head, data);
      entries.push({ seq, at: this.bytes.readDoubleLE(at), event });
      at = end;
    }
    return entries;
  }
}

/**
 * An event as a line and the data of a signal: the text that was sent, or binary data as a JSON string. Everything else is our own JSON,
 * on one line.
 */
export const split = (event: RoomEvent): { head: string; data: string } => {
  const data = dataOf(event);
  return { head: headOf(event), data: isBinary(data) ? data.toJsonText() : textOf(data) };
};

export const join = (head: string, data: string | ByteRange): RoomEvent => {
  if (data === '') return JSON.parse(head);
  const [from = '', to = '', epoch, kind] = head.split(' ');
  const sent = kind === binary && typeof data === 'string' ? ByteRange.fromJsonText(data) : data;
  return { type: 'signal', from, to, epoch: Number(epoch), data: sent };
};

const headOf = (event: RoomEvent): string => {
  if (event.type !== 'signal') return JSON.stringify(event);
  const head = `${event.from} ${event.to} ${event.epoch}`;
  return isBinary(event.data) ? `${head} ${binary}` : head;
};
const binary = 'binary';
const isBinaryHead = (head: string): boolean => head.endsWith(` ${binary}`);

const dataOf = (event: RoomEvent): string | ByteRange => (event.type === 'signal' ? event.data : '');
const isBinary = (data: string | ByteRange): data is ByteRange => typeof data !== 'string' && data.isBinary;

/** The entry without received bytes, to be kept for longer than this turn of the event loop. */
export const lasting = (entry: RoomLogEntry): RoomLogEntry => {
  const { event } = entry;
  if (event.type !== 'signal' || typeof event.data === 'string') return entry;
  return { ...entry, event: { ...event, data: lastingOf(event.data) } };
};
