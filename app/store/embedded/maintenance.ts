/** What a journal needs from time to time: to be synced, to be rewritten when it has grown, and free space. */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../config/result.ts';
import type { Journal } from './journal.ts';

export type MaintenanceOptions = {
  directory: string;
  /** ms between syncs; 0: the kernel decides. */
  syncInterval: number;
  /** Bytes of the directory beyond which no room is opened. */
  maxBytes: number;
  /** The journal is not rewritten while it is smaller. */
  minRewritten?: number;
  /** @returns free bytes, and bytes below which no room is opened */
  space?: (directory: string) => Promise<{ free: number; reserve: number }>;
};

/** What is written to a new file: everything that is kept, in slices. */
export type Rewriting = {
  /** Bytes that are kept, estimated. */
  keptBytes(): number;
  /** Each call records the next slice in the batch; ends when everything was recorded once. */
  slices(): Iterable<unknown>;
  /** Writes the batch. */
  flush(): boolean;
};

type Log = { info(fields: object, message: string): void; error(fields: object, message: string): void };

/** Bytes of rooms per slice, and ms between slices: writing must not stop the event loop for long. */
const sliceDelay = 5;
/** ms before another try. */
const retryDelay = 1000;

export class Maintenance {
  /** Why no room may be opened now. */
  shortage: string | undefined;
  /** The last sync failed: the newest file may never get to the disk. */
  distrusted = false;
  readonly #journal: Journal;
  readonly #rewriting: Rewriting;
  readonly #options: Required<MaintenanceOptions>;
  readonly #log: Log;
  #stopped = false;
  #busy = false;
  #syncedAt = Number.NEGATIVE_INFINITY;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #rewritten: Promise<void> | undefined;
  #retryAt = 0;
  /** Bytes that everything took when it was last written. */
  #whole = 0;

  constructor(journal: Journal, rewriting: Rewriting, options: MaintenanceOptions, log: Log) {
    this.#journal = journal;
    this.#rewriting = rewriting;
    this.#options = { minRewritten: 67_108_864, space: spaceOf, ...options };
    this.#log = log;
  }

  /** Called periodically. @param now ms, monotonic */
  async tick(now: number): Promise<void> {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    try {
      if (now - this.#measuredAt >= 1000) await this.#measure(now);
      if (this.#options.syncInterval > 0 && now - this.#syncedAt >= this.#options.syncInterval) await this.#sync(now);
      if (now >= this.#retryAt && (this.distrusted || this.#journal.bytes >= this.#rewriteAt()))
        this.#startRewriting(now);
    } finally {
      this.#busy = false;
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when no rewriting is under way. */
  async settled(): Promise<void> {
    await this.#rewritten;
  }

  /** Three times what is kept, so that some 1.5 bytes are written for each byte. Never at once again, however long it is when written. */
  #rewriteAt(): number {
    const kept = this.#rewriting.keptBytes();
    const { minRewritten, maxBytes } = this.#options;
    return Math.max(1.5 * Math.max(kept, this.#whole), Math.min(Math.max(minRewritten, 3 * kept), maxBytes / 2));
  }

  async #measure(now: number): Promise<void> {
    this.#measuredAt = now;
    const { directory, space, maxBytes } = this.#options;
    // A file system that cannot tell is not short of space.
    const { free, reserve } = await space(directory).catch(() => ({ free: 1, reserve: 0 }));
    const before = this.shortage;
    if (free < reserve) this.shortage = `the file system of ${directory} has ${free} bytes left`;
    else if (this.#journal.bytes > maxBytes) this.shortage = `${directory} has more than ${maxBytes} bytes`;
    else this.shortage = undefined;
    if (this.shortage && !before)
      this.#log.error({ reason: this.shortage }, 'no new rooms: the store is short of space');
    if (!this.shortage && before) this.#log.info({}, 'the store has space again: new rooms are accepted');
  }

  async #sync(now: number): Promise<void> {
    this.#syncedAt = now;
    try {
      await this.#journal.sync();
    } catch (error) {
      if (!this.distrusted)
        this.#log.error(
          { reason: messageOf(error) },
          'the disk refused the journal: everything is written to a new file',
        );
      this.distrusted = true;
    }
  }

  #startRewriting(now: number): void {
    if (this.#rewritten) return;
    this.#rewritten = this.#rewrite()
      .catch((error: unknown) => {
        this.#retryAt = now + retryDelay;
        this.#log.error({ reason: messageOf(error) }, 'the journal could not be rewritten');
      })
      .finally(() => {
        this.#rewritten = undefined;
      });
  }

  async #rewrite(): Promise<void> {
    await this.#journal.next(!this.distrusted);
    const { slices, flush } = this.#rewriting;
    for (const _slice of slices()) {
      while (!this.#stopped && !flush()) await sleep(retryDelay);
      await sleep(sliceDelay);
      if (this.#stopped) return;
    }
    // What the mark promises has to be there before it.
    await this.#journal.sync();
    if (this.#stopped) return;
    this.#journal.batch.mark('complete');
    while (!flush()) {
      await sleep(retryDelay);
      if (this.#stopped) return;
    }
    await this.#journal.sync();
    if (this.#stopped) return;
    await this.#journal.removeOld();
    this.#whole = this.#journal.bytes;
    this.distrusted = false;
  }
}

const spaceOf = async (directory: string): Promise<{ free: number; reserve: number }> => {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { free: bavail * bsize, reserve: Math.min(33_554_432, (blocks * bsize) / 10) };
};
