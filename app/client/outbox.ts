/** The outgoing messages: numbered when they are sent, and kept until they are settled, so that they can be sent again. */
import type { ErrorCode } from '../protocol/errors.ts';
import { most, peerIdForm } from '../protocol/limits.ts';
import type { Numbered, PeerId } from '../protocol/messages.ts';

type WithoutNumber<Message> = Message extends Numbered ? Omit<Message, 'n'> : never;
export type Unnumbered = WithoutNumber<Numbered>;

/** The outcome of a message: accepted by the room, or refused permanently. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

/** `order`: counts all messages. */
type WaitingMessage = { message: Unnumbered; settle: (settled: Settled) => void; order: number };
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

/** Maximum messages that are not settled, so that a server that settles none cannot exhaust memory. */
const maxUnsettled = 5_000;
/** Maximum signals among them: other messages need the rest. */
const maxSignals = 4_000;
/** Maximum signals that wait for one peer: more than an offer with all its candidates, several times. */
const maxWaitingSignals = 256;
/** Messages that wait after a lost connection, and keep their order. */
const maxInOrder = 50;

/**
 * A message gets its number when it is sent. Until then signals wait in one queue for each peer. While more than `maxInOrder` messages
 * wait, these queues take turns, and other messages overtake all signals: peers can cause any number of signals, and a host must still be
 * able to remove such peers.
 */
export class Outbox {
  #lastNumber = 0;
  /** The numbered messages, in the order of `n`. */
  #pending: PendingMessage[] = [];
  /** The number of messages at the start of `#pending` that were sent. */
  #sent = 0;
  /** The messages without a number: signals by recipient, and the others with the key undefined. */
  #waiting = new Map<PeerId | undefined, WaitingMessage[]>();
  #waitingCount = 0;
  #added = 0;

  /** Keeps the message; `settle` is called once. */
  add(message: Unnumbered, settle: (settled: Settled) => void): void {
    const to = message.type === 'signal' ? message.to : undefined;
    const queue = this.#waiting.get(to) ?? [];
    const unsettled = this.#pending.length + this.#waitingCount;
    if (to === undefined ? unsettled >= maxUnsettled : unsettled >= maxSignals || queue.length >= maxWaitingSignals)
      return settle({ accepted: false, code: 'rate-limited' });
    queue.push({ message, settle, order: this.#added++ });
    this.#waiting.set(to, queue);
    this.#waitingCount += 1;
  }

  /** Settles all messages up to and including `n`. */
  acknowledged(n: number): void {
    const after = this.#pending.findIndex(({ message }) => message.n > n);
    this.#settle(0, after < 0 ? this.#pending.length : after, { accepted: true });
  }

  /** The message with this number was refused permanently. */
  refused(n: number, code: ErrorCode): void {
    const index = this.#pending.findIndex(({ message }) => message.n === n);
    if (index >= 0) this.#settle(index, 1, { accepted: false, code });
  }

  /** The next message to send, which gets its number now; undefined if all were sent. */
  next(): Numbered | undefined {
    if (this.#sent === this.#pending.length) this.#numberNext();
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

  /** Drops the signals to `peer` that were not sent: it has left. */
  dropSignals(peer: PeerId): void {
    this.#dropWaiting(peer, 'unknown-peer');
  }

  /**
   * A new session starts: numbers restart from 1. Signals are dropped, because their epoch has ended; everything else, such as
   * chat messages, is sent again.
   */
  renew(): void {
    for (const to of [...this.#waiting.keys()]) if (to !== undefined) this.#dropWaiting(to, 'stale-epoch');
    const pending = this.#pending.splice(0);
    this.#sent = this.#lastNumber = 0;
    for (const { message, settle } of pending) {
      if (message.type === 'signal') settle({ accepted: false, code: 'stale-epoch' });
      else this.#number({ message, settle });
    }
  }

  /** Settles everything as refused: nothing will be sent any more. */
  close(code: ErrorCode): void {
    this.#settle(0, this.#pending.length, { accepted: false, code });
    for (const to of [...this.#waiting.keys()]) this.#dropWaiting(to, code);
  }

  #numberNext(): void {
    const to = this.#waitingCount <= maxInOrder ? this.#oldest() : this.#mostUrgent();
    const queue = this.#waiting.get(to);
    const first = queue?.shift();
    if (!queue || !first) return;
    this.#waitingCount -= 1;
    // Signals to the other peers are next.
    this.#waiting.delete(to);
    if (queue.length > 0) this.#waiting.set(to, queue);
    this.#number(first);
  }

  /** The queue whose first message was added first. */
  #oldest(): PeerId | undefined {
    let oldest: PeerId | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (const [to, [first]] of this.#waiting) if (first && first.order < lowest) [oldest, lowest] = [to, first.order];
    return oldest;
  }

  #mostUrgent(): PeerId | undefined {
    return this.#waiting.has(undefined) ? undefined : this.#waiting.keys().next().value;
  }

  #number({ message, settle }: Omit<WaitingMessage, 'order'>): void {
    this.#lastNumber += 1;
    this.#pending.push({ message: withNumber(message, this.#lastNumber), settle });
  }

  #dropWaiting(to: PeerId | undefined, code: ErrorCode): void {
    const queue = this.#waiting.get(to) ?? [];
    this.#waiting.delete(to);
    this.#waitingCount -= queue.length;
    for (const { settle } of queue) settle({ accepted: false, code });
  }

  /** Settles `count` numbered messages from `start`. */
  #settle(start: number, count: number, settled: Settled): void {
    this.#sent -= Math.min(count, Math.max(0, this.#sent - start));
    for (const { settle } of this.#pending.splice(start, count)) settle(settled);
  }
}

/** Puts `type` and `n` first, as documented: servers parse such signals fastest. */
const withNumber = (message: Unnumbered, n: number): Numbered =>
  Object.assign({ type: message.type, n }, message, { n });
