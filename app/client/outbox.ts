/** The outgoing messages: numbered, and kept until they are settled, so that they can be sent again. */
import type { ErrorCode } from '../protocol/errors.ts';
import { most, peerIdForm } from '../protocol/limits.ts';
import type { Numbered } from '../protocol/messages.ts';

type WithoutNumber<Message> = Message extends Numbered ? Omit<Message, 'n'> : never;
export type Unnumbered = WithoutNumber<Numbered>;

/** The outcome of a message: accepted by the room, or refused permanently. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

type PendingMessage = { message: Numbered; settle: (settled: Settled) => void };

/** Checks a message before it is numbered. @throws RangeError naming the limit, for a message that every server refuses */
export const assertFits = (message: Unnumbered): void => {
  if (message.type === 'chat') assertLength('a text', message.text, 1, most.text);
  if (message.type === 'passcode' && message.passcode !== null)
    assertLength('a passcode', message.passcode, 1, most.passcode);
  if (message.type === 'update') {
    // The server trims names.
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
  #lastNumber = 0;
  #pending: PendingMessage[] = [];
  /** The number of messages at the start of `#pending` that were sent. */
  #sent = 0;

  /** Numbers and keeps the message; `settle` is called once. */
  add(message: Unnumbered, settle: (settled: Settled) => void): void {
    this.#lastNumber += 1;
    this.#pending.push({ message: withNumber(message, this.#lastNumber), settle });
  }

  /** Settles all messages up to and including `n`. */
  acknowledged(n: number): void {
    this.#settle((message) => message.n <= n, { accepted: true });
  }

  /** The message with this number was refused permanently. */
  refused(n: number, code: ErrorCode): void {
    this.#settle((message) => message.n === n, { accepted: false, code });
  }

  get size(): number {
    return this.#pending.length;
  }

  /** The next message to send; undefined if all were sent. */
  get next(): Numbered | undefined {
    return this.#pending[this.#sent]?.message;
  }

  /** The next message was sent. */
  advance(): void {
    this.#sent += 1;
  }

  /** The server may have received none of the unsettled messages: all of them are sent again. */
  rewind(): void {
    this.#sent = 0;
  }

  /**
   * A new session starts: numbers restart from 1. Signals are dropped, because their epoch has ended; everything else, such as
   * chat messages, is sent again.
   */
  renew(): void {
    this.#settle((message) => message.type === 'signal', { accepted: false, code: 'stale-epoch' });
    this.#pending.forEach((pending, index) => {
      pending.message = withNumber(pending.message, index + 1);
    });
    this.#lastNumber = this.#pending.length;
  }

  /** Settles everything as refused: nothing will be sent any more. */
  close(code: ErrorCode): void {
    this.#settle(() => true, { accepted: false, code });
  }

  #settle(which: (message: Numbered) => boolean, settled: Settled): void {
    const settledMessages = this.#pending.filter((pending) => which(pending.message));
    this.#sent = this.#pending.slice(0, this.#sent).filter((pending) => !which(pending.message)).length;
    this.#pending = this.#pending.filter((pending) => !which(pending.message));
    for (const pending of settledMessages) pending.settle(settled);
  }
}

/** Puts `type` and `n` first, as documented: servers parse such signals fastest. */
const withNumber = (message: Unnumbered, n: number): Numbered =>
  Object.assign({ type: message.type, n }, message, { n });
