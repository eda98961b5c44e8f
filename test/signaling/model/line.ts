/** A connection to the server whose bytes can be counted, held back and cut, as by a network. */
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

export type Direction = 'up' | 'down';
/** `politely`: the server reads the end of what was sent. `rudely`: data in the other direction meets a closed socket. */
export type Manner = 'politely' | 'rudely';

export class Line extends Duplex {
  readonly #socket: Socket;
  /** Bytes that may still pass before the cut. */
  readonly #left = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
  readonly #flows = { up: true, down: true };
  #manner: Manner = 'rudely';
  #severed = false;
  #held: (() => void) | undefined;

  /** @param path of the server's unix socket */
  constructor(path: string) {
    super();
    this.#socket = connect(path);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('end', () => this.push(null));
    this.#socket.on('error', () => {});
    // A turn later, here and below, so that the reader gets the last bytes first.
    this.#socket.on('close', () => setImmediate(() => this.destroy()));
    this.on('error', () => {});
  }

  /** Cuts once exactly so many bytes more have passed in a direction. */
  cutAfter(direction: Direction, bytes: number, manner: Manner): void {
    this.#left[direction] = bytes;
    this.#manner = manner;
  }

  cut(manner: Manner): void {
    this.#manner = manner;
    this.#sever('up', Buffer.alloc(0));
  }

  /** The receiver reads nothing more. */
  stall(): void {
    this.#flows.down = false;
    this.#socket.pause();
  }

  /** Nothing passes any more, and neither side is notified. */
  freeze(): void {
    this.#flows.up = false;
    this.stall();
  }

  /** Held-back data arrives after all. */
  thaw(): void {
    this.#flows.up = true;
    this.#flows.down = true;
    this.#socket.resume();
    this.#held?.();
    this.#held = undefined;
  }

  override _read(): void {
    if (this.#flows.down) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#flows.up) this.#send(chunk, done);
    else this.#held = () => this.#send(chunk, done);
  }

  override _destroy(_error: Error | null, done: () => void): void {
    if (!this.#severed) this.#socket.destroy();
    done();
  }

  #send(chunk: Buffer, done: () => void): void {
    if (chunk.length < this.#left.up) {
      this.#left.up -= chunk.length;
      this.#socket.write(chunk, () => done());
      return;
    }
    this.#sever('up', chunk.subarray(0, this.#left.up));
    done();
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    if (chunk.length >= this.#left.down) return this.#sever('down', chunk.subarray(0, this.#left.down));
    this.#left.down -= chunk.length;
    if (!this.push(chunk)) this.#socket.pause();
  }

  /** Lets the last bytes through, and no more. */
  #sever(direction: Direction, last: Buffer): void {
    if (this.#severed || this.destroyed) return;
    this.#severed = true;
    if (direction === 'down') this.push(last);
    const up = direction === 'up' ? last : Buffer.alloc(0);
    if (this.#manner === 'politely') this.#socket.resume().end(up);
    else this.#socket.write(up, () => this.#socket.destroy());
    setImmediate(() => this.destroy());
  }
}
