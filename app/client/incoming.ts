/** A file that a peer offers, and its way here. */
import { blockBytes, type FileMessage, frameBytes, hashOf, Transfer, type TransferEnd } from './transfer.ts';

/** What may be shown or played where it is opened. Pages, SVG and PDF may bring scripts, which would run in the page's origin. */
const harmless =
  /^(image\/(avif|gif|jpeg|png|webp)|audio\/(aac|flac|mp4|mpeg|ogg|wav|webm)|video\/(mp4|ogg|quicktime|webm)|text\/plain)$/;

/** The type that a file is given here, whatever its sender says. */
export const typeOf = (type: string): string => (harmless.test(type) ? type : 'application/octet-stream');

export class Incoming extends Transfer {
  #whole: Blob[] = [];
  /** The block under way, and how much of it is there. */
  #block = new Uint8Array();
  #filled = 0;
  /** Bytes of the blocks before it in this attempt and before that, checked or not. */
  #received = 0;
  /** Each names an attempt; what comes before that has begun belongs to the one before. */
  #asks = 0;
  #begun = false;
  #checks: Promise<void> = Promise.resolve();

  accept(): void {
    if (this.state.is !== 'offered') return;
    this.become({ is: 'running' });
    void this.#ask();
    if (this.size === 0) this.#complete();
  }

  /** Also in the middle of it. */
  decline(): void {
    this.#refuse('declined');
  }

  override end(reason: TransferEnd): void {
    super.end(reason);
    this.#whole = [];
    this.#drop();
  }

  hear(word: FileMessage): void {
    if (word.is === 'cancel') this.end('cancelled');
    if (word.is === 'begin' && word.ask === this.#asks) this.#begun = true;
    if (word.is === 'block') this.#blockEnds(word.hash);
    // Again, over a fresh connection.
    if (word.is === 'offer') void this.#ask();
  }

  take(frame: Uint8Array<ArrayBuffer>): void {
    if (this.state.is !== 'running' || !this.#begun) return;
    const { length } = frame;
    const size = Math.min(blockBytes, this.size - this.#received);
    if (length === 0 || length > frameBytes || this.#filled + length > size) return this.#refuse('damaged');
    if (this.#filled === 0) this.#block = new Uint8Array(size);
    this.#block.set(frame, this.#filled);
    this.#filled += length;
  }

  /** Asks for what is missing: whole blocks count, those that are being checked too. */
  async #ask(): Promise<void> {
    this.#asks += 1;
    this.#begun = false;
    this.#drop();
    const ask = this.#asks;
    await this.#checks;
    if (ask !== this.#asks) return;
    this.#received = this.progress;
    if (this.state.is === 'running' || this.state.is === 'done') this.say({ is: 'accept', at: this.progress, ask });
  }

  #blockEnds(hash: string): void {
    if (!this.#begun) return;
    if (this.#filled === 0 || this.#filled < this.#block.length) return this.#refuse('damaged');
    const block = new Blob([this.#block]);
    this.#received += block.size;
    this.#drop();
    this.#checks = this.#checks.then(async () => {
      // The rest of what has ended needs no check.
      const isWhole = this.state.is === 'running' && (await hashOf(block)) === hash;
      if (this.state.is !== 'running') return;
      if (isWhole) this.#keep(block);
      else this.#refuse('damaged');
    });
  }

  #keep(block: Blob): void {
    this.#whole.push(block);
    this.advance(this.progress + block.size);
    this.say({ is: 'got', at: this.progress });
    if (this.progress === this.size) this.#complete();
  }

  #complete(): void {
    this.become({ is: 'done', file: new File(this.#whole, this.name, { type: this.type }) });
    this.#whole = [];
  }

  #drop(): void {
    this.#block = new Uint8Array();
    this.#filled = 0;
  }

  #refuse(reason: TransferEnd): void {
    if (!this.isUnfinished) return;
    this.say({ is: 'decline', reason });
    this.end(reason);
  }
}
