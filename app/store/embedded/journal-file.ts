/** A file of the journal: its name, its beginning, and its frames with their checks. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type FileHeader, frameHead, RecordReader, recordTypes } from './batch.ts';

/** Raised whenever an earlier release would misread what this one writes; test/recorded/ has an example of each. */
export const format = 1;
export const firstLine = (its = format): string => `genkan journal ${its}\n`;
export const fileName = (number: number): string => `journal.${number}`;
/** Of a file that is not whole yet, and of one that is being removed. */
export const newSuffix = '.new';
export const oldSuffix = '.old';

/** The numbers of the files in a directory, in order. */
export const journalFiles = (directory: string): number[] =>
  readdirSync(directory)
    .flatMap((name) => /^journal\.([1-9]\d*)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);

/** `end`: the offset behind the frame. */
type Frame = { records: RecordReader; offset: number; end: number };

export const damaged = (path: string, offset: number): Error =>
  new Error(
    `${path} is damaged at offset ${offset}: no rooms were read. Restore the directory from a backup, or remove it to start without its rooms`,
  );

/** A journal file that is read once, from its beginning. */
export class JournalFile {
  readonly path: string;
  readonly number: number;
  /** The offset behind the last frame that was read. */
  end = 0;
  /** Bytes behind the last whole frame, after all frames were read. */
  torn = 0;
  generation = 0;
  header: FileHeader = { number: 0, follows: 0, length: 0 };
  readonly #fd: number;
  readonly #size: number;
  #window = Buffer.alloc(0);
  #windowAt = 0;

  /** @throws if the file has another format, or its beginning is damaged */
  constructor(directory: string, number: number) {
    this.path = join(directory, fileName(number));
    this.number = number;
    this.#fd = openSync(this.path, 'r');
    this.#size = fstatSync(this.#fd).size;
    try {
      this.#readHead();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /**
   * The frames. In the newest file an unfinished last one is left out.
   * @throws if anything else is damaged
   */
  *frames(isNewest: boolean): Generator<Frame> {
    while (this.end < this.#size) {
      const frame = this.#frameAt(this.end, this.generation);
      if (!frame && isNewest && !this.#hasFrameAfter(this.end)) {
        this.torn = this.#size - this.end;
        return;
      }
      if (!frame) throw damaged(this.path, this.end);
      this.end = frame.end;
      yield frame;
    }
  }

  #readHead(): void {
    const line = firstLine();
    const found = /^genkan journal (\d+)\n/.exec(this.#read(0, 40).toString('latin1'))?.[1];
    if (found !== undefined && Number(found) !== format)
      throw new Error(`${this.path} has format ${found}; this version of Genkan reads only format ${format}`);
    if (found !== String(format)) throw damaged(this.path, 0);
    const frame = this.#frameAt(line.length);
    if (frame?.records.byte() !== recordTypes.header) throw damaged(this.path, line.length);
    this.header = JSON.parse(frame.records.text());
    if (this.header.number !== this.number)
      throw new Error(`${this.path} was ${fileName(this.header.number)}: do not rename files of a journal`);
    this.generation = this.#read(line.length + 8, 4).readUInt32LE();
    this.end = frame.end;
  }

  /** @param generation undefined: any */
  #frameAt(offset: number, generation?: number): Frame | undefined {
    const head = this.#read(offset, frameHead);
    if (head.length < frameHead) return undefined;
    const end = offset + frameHead + head.readUInt32LE(0);
    if (end > this.#size || (generation !== undefined && head.readUInt32LE(8) !== generation)) return undefined;
    const sum = head.readUInt32LE(4);
    const checked = this.#read(offset + 8, end - offset - 8);
    return crc32(checked) === sum ? { records: new RecordReader(checked.subarray(4)), offset, end } : undefined;
  }

  /** Whether what does not check is followed by frames that do: then it is damage, and not a write that was cut short. */
  #hasFrameAfter(offset: number): boolean {
    const generation = Buffer.alloc(4);
    generation.writeUInt32LE(this.generation);
    const rest = Buffer.from(this.#read(offset, this.#size - offset));
    for (let at = rest.indexOf(generation, 9); at >= 0; at = rest.indexOf(generation, at + 1))
      if (this.#frameAt(offset + at - 8, this.generation)) return true;
    return false;
  }

  /** Fewer bytes at the end of the file. Valid until the next call. */
  #read(offset: number, bytes: number): Buffer {
    const start = offset - this.#windowAt;
    if (start >= 0 && start + bytes <= this.#window.length) return this.#window.subarray(start, start + bytes);
    const window = Buffer.allocUnsafe(Math.min(Math.max(bytes, 1_048_576), this.#size - offset));
    let read = 0;
    for (let got = -1; got !== 0 && read < window.length; read += got)
      got = readSync(this.#fd, window, read, window.length - read, offset + read);
    this.#window = window.subarray(0, read);
    this.#windowAt = offset;
    return this.#window.subarray(0, bytes);
  }
}
