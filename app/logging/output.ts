/** Log output: stdout or a file, unbuffered. A line that cannot be written is lost without affecting the caller. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { messageOf } from '../config/result.ts';

/** ms for which a full pipe may block the process, and ms between retries. */
const pipeWait = { max: 1000, interval: 20 };
/** ms between warnings: a nearly full disk may accept one line and reject the next. */
const warningInterval = 60_000;

/** `write` and `reopen` never throw: a failing disk must not break the code that logs. */
export class Output {
  readonly #file: string | undefined;
  readonly #recovered: (lost: number) => void;
  #descriptor: number | undefined;
  /** The file must be opened (again). */
  #stale: boolean;
  /** The last line was only partly written. */
  #partial = false;
  /** Lines lost since the last one written. */
  #lost = 0;
  #lastWarning = Number.NEGATIVE_INFINITY;

  /**
   * @param file absent: stdout
   * @param recovered called when a line could be written again, with the number of lines lost before it
   */
  constructor(file: string | undefined, recovered: (lost: number) => void) {
    this.#file = file;
    this.#recovered = recovered;
    this.#descriptor = file === undefined ? 1 : undefined;
    this.#stale = file !== undefined;
  }

  /** Optional, as the first line opens the file too. @throws if the file cannot be opened */
  open(): void {
    if (this.#file === undefined) return;
    const opened = openSync(this.#file, 'a', 0o640);
    const old = this.#descriptor;
    this.#descriptor = opened;
    this.#stale = false;
    this.#partial = false;
    if (old !== undefined) closeSync(old);
  }

  /** Reopens the file; if that fails, lines still go to the old one, and each line retries. */
  reopen(): void {
    this.#stale = this.#file !== undefined;
    try {
      this.open();
    } catch (error) {
      this.#warn(
        error,
        this.#descriptor === undefined ? 'lines are lost until this is fixed' : 'still writing to the old file',
      );
    }
  }

  write(line: string): void {
    if (this.#stale) this.reopen();
    try {
      if (this.#descriptor === undefined) this.#lost += 1;
      else this.#writeAll(this.#descriptor, line);
    } catch (error) {
      this.#lost += 1;
      this.#warn(error, 'lines are lost until this is fixed');
    }
  }

  #writeAll(descriptor: number, line: string): void {
    let rest = Buffer.from(this.#partial ? `\n${line}` : line);
    while (rest.length > 0) {
      const written = writeSome(descriptor, rest, this.#lost === 0);
      rest = rest.subarray(written);
      // If the rest fails, the next line must start with a line break.
      this.#partial = rest.length > 0;
    }
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) this.#recovered(lost);
  }

  #warn(error: unknown, consequence: string): void {
    const now = performance.now();
    if (now - this.#lastWarning < warningInterval) return;
    this.#lastWarning = now;
    writeToStderr(`genkan: log: ${messageOf(error)}; ${consequence}\n`);
  }
}

/** stdout may be a pipe that another process made non-blocking. @param wait whether to wait for a full pipe */
const writeSome = (descriptor: number, bytes: Buffer, wait: boolean): number => {
  for (let waited = 0; ; waited += pipeWait.interval) {
    try {
      return writeSync(descriptor, bytes);
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isFull || !wait || waited >= pipeWait.max) throw error;
      Atomics.wait(sleeper, 0, 0, pipeWait.interval);
    }
  }
};
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Errors are ignored: stderr may be closed or full as well. */
const writeToStderr = (text: string): void => {
  try {
    writeSync(2, text);
  } catch {}
};
