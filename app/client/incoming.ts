/** A file that a peer offers, and its way here. */
import { blockBytes, type FileWord, frameBytes, hashOf, Transfer, type TransferEnd } from './transfer.ts';

export class Incoming extends Transfer {
  #whole: Blob[] = [];
  /** Of the block under way. */
  #frames: Uint8Array<ArrayBuffer>[] = [];
  #pending = 0;
  /** Bytes of this attempt and before it, checked or not. */
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

  hear(word: FileWord): void {
    if (word.is === 'cancel') this.end('cancelled');
    if (word.is === 'begin') this.#begun = word.ask === this.#asks;
    if (word.is === 'block') this.#blockEnds(word.hash);
    // Again, over a fresh connection.
    if (word.is === 'offer') void this.#ask();
  }

  take(frame: Uint8Array<ArrayBuffer>): void {
    if (this.state.is !== 'running' || !this.#begun) return;
    this.#frames.push(frame);
    this.#pending += frame.length;
    this.#received += frame.length;
    if (frame.length > frameBytes || this.#pending > blockBytes || this.#received > this.size) this.#refuse('damaged');
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
    if (this.state.is === 'over') this.say({ is: 'decline', reason: this.state.reason });
  }

  #blockEnds(hash: string): void {
    if (!this.#begun) return;
    const block = new Blob(this.#frames);
    this.#drop();
    this.#checks = this.#checks.then(async () => {
      const isWhole = (await hashOf(block)) === hash;
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
    this.#frames = [];
    this.#pending = 0;
  }

  #refuse(reason: TransferEnd): void {
    if (!this.isUnfinished) return;
    this.say({ is: 'decline', reason });
    this.end(reason);
  }
}
