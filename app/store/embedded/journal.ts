/** Writes batches to the newest file of a journal, and begins new files. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Batch } from './batch.ts';
import { fileName, firstLine, newSuffix, oldSuffix } from './journal-file.ts';
import type { Recovered } from './recovery.ts';

/** What writing needs of a file system. */
export type Disk = Pick<
  typeof fs,
  | 'openSync'
  | 'writeSync'
  | 'ftruncateSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'renameSync'
  | 'closeSync'
  | 'unlink'
  | 'unlinkSync'
>;

export class Journal {
  /** What is to be written next. */
  readonly batch = new Batch();
  /** Why the last write or sync failed; undefined if it did not. */
  failure: Error | undefined;
  readonly #directory: string;
  readonly #disk: Disk;
  /** Lengths in bytes of the files, by number, up to the last whole frame. */
  readonly #files: Map<number, number>;
  #number = 0;
  #generation: number;
  #fd = -1;
  /** Whether there is something that the disk may not have yet. */
  #unsynced = false;
  #syncing: Promise<void> | undefined;
  #closed = false;

  /** Continues what was recovered. @throws if the directory cannot be written */
  constructor(directory: string, { files, generation, torn }: Recovered, disk: Disk = fs) {
    this.#directory = directory;
    this.#disk = disk;
    this.#files = new Map(files);
    this.#generation = generation;
    const newest = [...files.keys()].at(-1);
    if (newest === undefined) {
      this.#create();
      return;
    }
    this.#number = newest;
    this.#fd = disk.openSync(this.#path(newest), 'r+');
    if (torn === 0) return;
    disk.ftruncateSync(this.#fd, files.get(newest) ?? 0);
    disk.fdatasyncSync(this.#fd);
  }

  /** Bytes of all files. */
  get bytes(): number {
    let bytes = 0;
    for (const length of this.#files.values()) bytes += length;
    return bytes;
  }

  /** Writes the batch. @returns false if that failed: the batch is kept, and the next call tries again */
  write(): boolean {
    if (this.batch.isEmpty) return true;
    const length = this.#files.get(this.#number) ?? 0;
    try {
      const frame = this.batch.frame(this.#generation);
      writeAll(this.#disk, this.#fd, frame, length);
      this.#files.set(this.#number, length + frame.length);
    } catch (error) {
      this.failure = error as Error;
      this.#cutTo(length);
      return false;
    }
    this.failure = undefined;
    this.#unsynced = true;
    this.batch.clear();
    return true;
  }

  /** Resolves when the disk has all that was written before. @throws if it refuses; then the file must not be trusted any more */
  async sync(): Promise<void> {
    // Never two at a time: each blocks writes to the file.
    while (this.#syncing) await this.#syncing;
    if (!this.#unsynced || this.#closed) return;
    this.#unsynced = false;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#disk.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()));
    this.#syncing = promise
      .catch(() => {})
      .finally(() => {
        this.#syncing = undefined;
      });
    await promise;
  }

  /**
   * Begins a new file. The previous one is on the disk by then, so that only the newest one can end within a frame.
   * @param trusted false if a sync has failed: the previous file may never get to the disk
   * @throws if that failed; the previous file is still the newest
   */
  async next(trusted: boolean): Promise<void> {
    await this.sync().catch((error: unknown) => {
      if (trusted) throw error;
    });
    if (this.#closed) throw new Error('the journal is closed');
    if (trusted && this.#unsynced) this.#disk.fdatasyncSync(this.#fd);
    const previous = this.#fd;
    this.#create();
    this.#unsynced = false;
    this.#disk.closeSync(previous);
  }

  /**
   * Removes all files but the newest, which has everything. Oldest first: the rest is never without its beginning. Their names are gone at
   * once, so that a successor does not look for them; their space is freed later, because that may take 0.2 s for 100 MB.
   */
  async removeOld(): Promise<void> {
    const removed = [...this.#files.keys()].slice(0, -1).map((number) => {
      const path = `${this.#path(number)}${oldSuffix}`;
      this.#disk.renameSync(this.#path(number), path);
      this.#files.delete(number);
      return path;
    });
    for (const path of removed) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#disk.unlink(path, (error) => (error ? reject(error) : resolve()));
      await promise;
    }
  }

  close(): void {
    this.#closed = true;
    this.#disk.closeSync(this.#fd);
  }

  #path(number: number): string {
    return join(this.#directory, fileName(number));
  }

  /** A file has its name only once it is whole up to its first frame. */
  #create(): void {
    const number = this.#number + 1;
    const path = this.#path(number);
    const generation = randomBytes(4).readUInt32LE();
    const beginning = new Batch();
    beginning.header({ number, follows: this.#number, length: this.#files.get(this.#number) ?? 0 });
    const bytes = Buffer.concat([Buffer.from(firstLine()), beginning.frame(generation)]);
    const fd = this.#disk.openSync(`${path}${newSuffix}`, 'w', 0o600);
    try {
      writeAll(this.#disk, fd, bytes, 0);
      this.#disk.fdatasyncSync(fd);
      this.#disk.renameSync(`${path}${newSuffix}`, path);
      this.#syncDirectory();
    } catch (error) {
      this.#disk.closeSync(fd);
      for (const left of [path, `${path}${newSuffix}`]) this.#removeIfThere(left);
      throw error;
    }
    this.#files.set(number, bytes.length);
    this.#number = number;
    this.#generation = generation;
    this.#fd = fd;
  }

  #removeIfThere(path: string): void {
    try {
      this.#disk.unlinkSync(path);
    } catch {}
  }

  #syncDirectory(): void {
    const fd = this.#disk.openSync(this.#directory, 'r');
    try {
      this.#disk.fsyncSync(fd);
    } finally {
      this.#disk.closeSync(fd);
    }
  }

  /** Removes what a failed write has left. If that fails too, the next write overwrites it. */
  #cutTo(length: number): void {
    try {
      this.#disk.ftruncateSync(this.#fd, length);
    } catch {}
  }
}

/** A write may be cut short without an error, as on a disk that is nearly full. */
const writeAll = (disk: Disk, fd: number, bytes: Buffer, at: number): void => {
  for (let done = 0; done < bytes.length; ) {
    const written = disk.writeSync(fd, bytes, done, bytes.length - done, at + done);
    if (written === 0) throw new Error('no bytes were written');
    done += written;
  }
};
