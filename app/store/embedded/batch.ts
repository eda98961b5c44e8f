/**
 * The records of a journal, and the frames in which they are written: one for each batch, so that a batch is there as a whole or not
 * at all.
 *
 * A frame: length of the records (4 bytes), CRC-32 (4) of all that follows, generation (4), records. Numbers are little-endian.
 * The generation is a random number of the file. It tells frames of this file from anything else, such as zeros.
 *
 * | record | after its type (1 byte) |
 * | --- | --- |
 * | header | JSON: `number` of the file, of the one that it `follows` (0: none), and the `length` of that one |
 * | relay | room, `seq`, the sender's last settled number, event |
 * | change | room, `seq`, JSON: changed fields (`room-codec.ts`), events; `seq` is the number of the last one |
 * | room | room, number before its first event, JSON: all fields; replaces what is known of the room |
 * | removed | room |
 * | claim | key, until when; 0: released |
 * | skip | number to which every room skips |
 * | complete | all that earlier files contain is now in this one |
 * | clean | the process ended on request |
 *
 * A text is its length (4 bytes) and UTF-8; an event is a time (8 bytes), its head and its data, both texts.
 */
import { crc32 } from 'node:zlib';
import type { RoomName } from '../../protocol/messages.ts';
import { type RoomLogEntry, split } from '../../rooms/event-log.ts';
import type { RoomChanges } from '../room-codec.ts';

export const recordTypes = {
  header: 1,
  relay: 2,
  change: 3,
  room: 4,
  removed: 5,
  claim: 6,
  skip: 7,
  complete: 8,
  clean: 9,
} as const;

export type Changes = Partial<Pick<RoomChanges, 'set' | 'remove' | 'said'>>;

/** `follows`: number of the previous file, 0 if there is none; `length`: its bytes. */
export type FileHeader = { number: number; follows: number; length: number };

export const frameHead = 12;
const usualBytes = 65_536;

/** Records that are to be written next. */
export class Batch {
  #bytes = Buffer.allocUnsafeSlow(usualBytes);
  #end = frameHead;

  get isEmpty(): boolean {
    return this.#end === frameHead;
  }

  get length(): number {
    return this.#end;
  }

  header(header: FileHeader): void {
    this.#begin(recordTypes.header);
    this.#text(JSON.stringify(header));
  }

  /** An event that changes nothing but the number up to which its sender's messages are settled. */
  relay(room: RoomName, accepted: number, entry: RoomLogEntry): void {
    this.#begin(recordTypes.relay);
    this.#text(room);
    this.#number(entry.seq);
    this.#number(accepted);
    this.#event(entry);
  }

  change(room: RoomName, seq: number, changes: Changes, entries: RoomLogEntry[]): void {
    this.#begin(recordTypes.change);
    this.#text(room);
    this.#number(seq);
    this.#text(JSON.stringify(changes));
    this.#number(entries.length);
    for (const entry of entries) this.#event(entry);
  }

  room(room: RoomName, base: number, changes: Changes): void {
    this.#begin(recordTypes.room);
    this.#text(room);
    this.#number(base);
    this.#text(JSON.stringify(changes));
  }

  removed(room: RoomName): void {
    this.#begin(recordTypes.removed);
    this.#text(room);
  }

  claim(key: string, until: number): void {
    this.#begin(recordTypes.claim);
    this.#text(key);
    this.#number(until);
  }

  skip(to: number): void {
    this.#begin(recordTypes.skip);
    this.#number(to);
  }

  mark(type: 'complete' | 'clean'): void {
    this.#begin(recordTypes[type]);
  }

  /** The frame, valid until the next record. */
  frame(generation: number): Buffer {
    const frame = this.#bytes.subarray(0, this.#end);
    frame.writeUInt32LE(this.#end - frameHead, 0);
    frame.writeUInt32LE(generation, 8);
    frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
    return frame;
  }

  /** Everything was written. */
  clear(): void {
    this.#end = frameHead;
    if (this.#bytes.length > 16 * usualBytes) this.#bytes = Buffer.allocUnsafeSlow(usualBytes);
  }

  #begin(type: number): void {
    this.#reserve(1);
    this.#bytes[this.#end] = type;
    this.#end += 1;
  }

  #number(value: number): void {
    this.#reserve(8);
    this.#end = this.#bytes.writeDoubleLE(value, this.#end);
  }

  #event({ at, event }: RoomLogEntry): void {
    const { head, data } = split(event);
    this.#number(at);
    this.#text(head);
    this.#text(data);
  }

  #text(text: string): void {
    // A UTF-16 code unit takes at most three bytes in UTF-8.
    this.#reserve(4 + 3 * text.length);
    const length = this.#bytes.write(text, this.#end + 4);
    this.#bytes.writeUInt32LE(length, this.#end);
    this.#end += 4 + length;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#end + bytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}

/** Reads the records of a frame. @throws RangeError if there are fewer bytes than the record needs */
export class RecordReader {
  #at = 0;
  readonly #bytes: Buffer;

  constructor(records: Buffer) {
    this.#bytes = records;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  number(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  text(): string {
    const start = this.#at + 4;
    this.#at = start + this.#bytes.readUInt32LE(this.#at);
    if (this.#at > this.#bytes.length) throw new RangeError('a text is longer than its frame');
    return this.#bytes.toString('utf8', start, this.#at);
  }
}
