/** The receiving side of a file transfer. */
import { blockBytes, type FileMessage, frameBytes, hashOf, Transfer, type TransferEnd } from './transfer.ts';

/** Types that are safe to open. HTML, SVG and PDF may contain scripts, which would run in the page's origin. */
const safeTypes =
  /^(image\/(avif|gif|jpeg|png|webp)|audio\/(aac|flac|mp4|mpeg|ogg|wav|webm)|video\/(mp4|ogg|quicktime|webm)|text\/plain)$/;

/** The type that the received file gets; anything not on the allow list becomes `application/octet-stream`. */
export const typeOf = (type: string): string => (safeTypes.test(type) ? type : 'application/octet-stream');

export class Incoming extends Transfer {
  #verified: Blob[] = [];
  /** The block being received, and the number of its bytes received so far. */
  #block = new Uint8Array();
  #filled = 0;
  /** Bytes of all blocks before it, verified or not. */
  #received = 0;
  /** Number of the current attempt. Frames that arrive before its `begin` belong to the previous one. */
  #attempt = 0;
  #begun = false;
  #verifications: Promise<void> = Promise.resolve();

  accept(): void {
    if (this.state.state !== 'offered') return;
    this.setState({ state: 'running' });
    void this.#request();
    if (this.size === 0) this.#complete();
  }

  /** Also while the transfer is running. */
  decline(): void {
    this.#abort('declined');
  }

  override end(reason: TransferEnd): void {
    super.end(reason);
    this.#verified = [];
    this.#discardBlock();
  }

  hear(message: FileMessage): void {
    if (message.is === 'cancel') this.end('cancelled');
    if (message.is === 'begin' && message.ask === this.#attempt) this.#begun = true;
    if (message.is === 'block') this.#onBlock(message.hash);
    // The same offer again, over a new connection.
    if (message.is === 'offer') void this.#request();
  }

  take(frame: Uint8Array<ArrayBuffer>): void {
    if (this.state.state !== 'running' || !this.#begun) return;
    const { length } = frame;
    const size = Math.min(blockBytes, this.size - this.#received);
    if (length === 0 || length > frameBytes || this.#filled + length > size) return this.#abort('damaged');
    if (this.#filled === 0) this.#block = new Uint8Array(size);
    this.#block.set(frame, this.#filled);
    this.#filled += length;
  }

  /** Requests everything after the verified blocks; waits for blocks that are still being verified. */
  async #request(): Promise<void> {
    this.#attempt += 1;
    this.#begun = false;
    this.#discardBlock();
    const attempt = this.#attempt;
    await this.#verifications;
    if (attempt !== this.#attempt) return;
    this.#received = this.progress;
    if (this.state.state === 'running' || this.state.state === 'done')
      this.send({ is: 'accept', at: this.progress, ask: attempt });
  }

  #onBlock(hash: string): void {
    if (!this.#begun) return;
    if (this.#filled === 0 || this.#filled < this.#block.length) return this.#abort('damaged');
    const block = new Blob([this.#block]);
    this.#received += block.size;
    this.#discardBlock();
    this.#verifications = this.#verifications.then(async () => {
      // Skips the remaining blocks of a transfer that has ended.
      const isIntact = this.state.state === 'running' && (await hashOf(block)) === hash;
      if (this.state.state !== 'running') return;
      if (isIntact) this.#append(block);
      else this.#abort('damaged');
    });
  }

  #append(block: Blob): void {
    this.#verified.push(block);
    this.advance(this.progress + block.size);
    this.send({ is: 'got', at: this.progress });
    if (this.progress === this.size) this.#complete();
  }

  #complete(): void {
    this.setState({ state: 'done', file: new File(this.#verified, this.name, { type: this.type }) });
    this.#verified = [];
  }

  #discardBlock(): void {
    this.#block = new Uint8Array();
    this.#filled = 0;
  }

  #abort(reason: TransferEnd): void {
    if (!this.isUnfinished) return;
    this.send({ is: 'decline', reason });
    this.end(reason);
  }
}
