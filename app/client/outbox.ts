/** What was sent and is not settled yet: numbers it, keeps it, and says what is to be sent again. */
import type { ErrorCode } from '../protocol/errors.ts';
import { most, peerIdForm } from '../protocol/limits.ts';
import type { Numbered } from '../protocol/messages.ts';

type WithoutNumber<Message> = Message extends Numbered ? Omit<Message, 'n'> : never;
export type Unnumbered = WithoutNumber<Numbered>;

/** How a message ended: the room has it, or it was refused for good. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

type Kept = { message: Numbered; settle: (settled: Settled) => void };

/** @throws RangeError for what every server refuses, naming the limit; asked before a message has a number */
export const assertFits = (message: Unnumbered): void => {
  if (message.type === 'chat') assertLength('a text', message.text, 1, most.text);
  if (message.type === 'passcode' && message.passcode !== null)
    assertLength('a passcode', message.passcode, 1, most.passcode);
  if (message.type === 'update') {
    // Blanks around a name do not count.
    if (message.name !== undefined) assertLength('a name', message.name.trim(), 1, most.name);
    if (message.token !== undefined) assertLength('a token', message.token, 0, most.token);
  }
  const peer = 'peer' in message ? message.peer : 'to' in message ? message.to : undefined;
  if (peer !== undefined && !peerIdForm.test(peer))
    throw new RangeError(`${JSON.stringify(peer)} is not the id of a peer`);
};

const assertLength = (what: string, text: string, least: number, longest: number): void => {
  if (text.length < least || text.length > longest)
    throw new RangeError(`${what} has ${least} to ${longest} characters, not ${text.length}`);
};

export class Outbox {
  #last = 0;
  #kept: Kept[] = [];

  /** Gives the message the next number and keeps it; `settle` is called once. */
  add(message: Unnumbered, settle: (settled: Settled) => void): Numbered {
    this.#last += 1;
    const numbered = number(message, this.#last);
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
      kept.message = number(kept.message, index + 1);
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

/** Type and number come first, as in the documents: servers read such signals fastest. */
const number = (message: Unnumbered, n: number): Numbered => Object.assign({ type: message.type, n }, message, { n });
