/** Where the lines of the log go: stdout or a file, written at once. A line that cannot be written is lost, and nothing else is. */
import { closeSync, openSync, writeSync } from 'node:fs';

/** ms that a pipe which takes nothing may hold up the process, and ms between tries. */
const patience = { most: 1000, nap: 20 };
/** ms between complaints: a disk that is nearly full takes one line and refuses the next. */
const complaintInterval = 60_000;

/** `write` and `reopen` never throw: a failing disk must not break the code that logs. */
export class Output {
  readonly #file: string | undefined;
  readonly #recovered: (lost: number) => void;
  #descriptor: number | undefined;
  /** The file has to be opened (again). */
  #stale: boolean;
  /** The last line was written in part. */
  #torn = false;
  /** Lines since the last that was written. */
  #lost = 0;
  #lastComplaint = Number.NEGATIVE_INFINITY;

  /**
   * @param file absent: stdout
   * @param recovered called after a line was written again, with the number of those that were lost before it
   */
  constructor(file: string | undefined, recovered: (lost: number) => void) {
    this.#file = file;
    this.#recovered = recovered;
    this.#descriptor = file === undefined ? 1 : undefined;
    this.#stale = file !== undefined;
  }

  /** The first line does it otherwise. @throws when the file cannot be opened */
  open(): void {
    if (this.#file === undefined) return;
    const opened = openSync(this.#file, 'a', 0o640);
    const old = this.#descriptor;
    this.#descriptor = opened;
    this.#stale = false;
    this.#torn = false;
    if (old !== undefined) closeSync(old);
  }

  /** Reopens the file; while that fails, lines go to the old one and each retries. */
  reopen(): void {
    this.#stale = this.#file !== undefined;
    try {
      this.open();
    } catch (error) {
      this.#complain(
        error,
        this.#descriptor === undefined ? 'lines are lost until it works' : 'the old file is written on',
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
      this.#complain(error, 'lines are lost until it works');
    }
  }

  #writeAll(descriptor: number, line: string): void {
    let rest = Buffer.from(this.#torn ? `\n${line}` : line);
    while (rest.length > 0) {
      const written = writeSome(descriptor, rest, this.#lost === 0);
      rest = rest.subarray(written);
      // If the next part fails, the line that is written after it must not be glued to this one.
      this.#torn = rest.length > 0;
    }
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) this.#recovered(lost);
  }

  #complain(error: unknown, consequence: string): void {
    const now = performance.now();
    if (now - this.#lastComplaint < complaintInterval) return;
    this.#lastComplaint = now;
    sayOnStderr(`genkan: log: ${error instanceof Error ? error.message : error}; ${consequence}\n`);
  }
}

/** stdout may be a pipe that another process made non-blocking. @param patient whether to wait until it takes more */
const writeSome = (descriptor: number, bytes: Buffer, patient: boolean): number => {
  for (let waited = 0; ; waited += patience.nap) {
    try {
      return writeSync(descriptor, bytes);
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isFull || !patient || waited >= patience.most) throw error;
      Atomics.wait(sleeper, 0, 0, patience.nap);
    }
  }
};
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** stderr may be gone or full as well; then nobody can be told. */
const sayOnStderr = (text: string): void => {
  try {
    writeSync(2, text);
  } catch {}
};
