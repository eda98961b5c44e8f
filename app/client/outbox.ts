/** What was sent and is not settled yet: numbers it, keeps it, and says what is to be sent again. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Numbered } from '../protocol/messages.ts';

type WithoutNumber<Message> = Message extends Numbered ? Omit<Message, 'n'> : never;
export type Unnumbered = WithoutNumber<Numbered>;

/** How a message ended: the room has it, or it was refused for good. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

type Kept = { message: Numbered; settle: (settled: Settled) => void };

export class Outbox {
  #last = 0;
  #kept: Kept[] = [];

  /** Gives the message the next number and keeps it; `settle` is called once. */
  add(message: Unnumbered, settle: (settled: Settled) => void): Numbered {
    this.#last += 1;
    const numbered: Numbered = { ...message, n: this.#last };
    this.#kept.push({ message: numbered, settle });
    return numbered;
  }

  /** Everything up to and including `n` is settled. */
  acknowledged(n: number): void {
    this.#settle((message) => message.n <= n, { accepted: true });
  }

  /** The message with this number was refused for good. */
  refused(n: number, code: ErrorCode): void {
    this.#settle((message) => message.n === n, { accepted: false, code });
  }

  get size(): number {
    return this.#kept.length;
  }

  /** What the server may not have, in order. */
  unsettled(): Numbered[] {
    return this.#kept.map((kept) => kept.message);
  }

  /**
   * A new session begins: numbers start from 1 again. Signals belong to connections that are gone; the rest, above all
   * what a person wrote, goes out again.
   */
  renew(): void {
    this.#settle((message) => message.type === 'signal', { accepted: false, code: 'stale-epoch' });
    this.#kept.forEach((kept, index) => {
      kept.message = { ...kept.message, n: index + 1 };
    });
    this.#last = this.#kept.length;
  }

  /** Nothing will be sent any more. */
  close(code: ErrorCode): void {
    this.#settle(() => true, { accepted: false, code });
  }

  #settle(which: (message: Numbered) => boolean, settled: Settled): void {
    const done = this.#kept.filter((kept) => which(kept.message));
    this.#kept = this.#kept.filter((kept) => !which(kept.message));
    for (const kept of done) kept.settle(settled);
  }
}
