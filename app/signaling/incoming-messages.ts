/** The incoming messages of a persistent connection: in order, charged to the budgets, and decoded. */
import type { SeatBudget } from '../budgets/seat-budgets.ts';
import { decodeBinary, numberInLine } from '../protocol/binary-signals.ts';
import { type ByteRange, lastingOf, textOf } from '../protocol/byte-range.ts';
import { decode, decodeTooLong, type Incoming, numberAtStart } from '../protocol/decode.ts';
import { fateOf, type Refusal, refuse } from '../protocol/errors.ts';
import type { PeerId, RoomName } from '../protocol/messages.ts';
import type { Caller } from './authorize.ts';
import type { Signaling } from './context.ts';
import { addressBuckets, chargeAddress, chargeBytes, type MessageBudgets, numberOf } from './handle-message.ts';

/** A text, or what a frame had: a text or a binary message. */
export type ReceivedMessage = string | ByteRange;

export interface MessageHandler {
  /** Undefined before the join. */
  readonly peer: PeerId | undefined;
  handle(message: Incoming): void;
  /** Sends an error; `n` is the number of the message. */
  refuse(refusal: Refusal, n?: number): void;
  end(refusal: Refusal, reason?: 'error'): void;
}

/** Messages that arrived while an earlier one was being handled, and their total size in bytes. */
type MessageQueue = { messages: ReceivedMessage[]; bytes: number; isJoining: boolean };

/** Pings, and one join: no other message is valid before the join. */
const maxBeforeJoin = 20;

export class IncomingMessages {
  /** Whether the peer's seat is new, and so has its whole budget. */
  isNewSeat = false;
  #queue: MessageQueue | undefined;
  /** Opened by the first message after the join, because most peers are silent. */
  #budgets: MessageBudgets | undefined;
  /** Messages before there is a seat to charge. */
  #beforeJoin = 0;
  #bytesBeforeJoin = 0;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #caller: Caller;
  readonly #handler: MessageHandler;

  constructor(signaling: Signaling, room: RoomName, caller: Caller, handler: MessageHandler) {
    this.#signaling = signaling;
    this.#room = room;
    this.#caller = caller;
    this.#handler = handler;
  }

  receive(message: ReceivedMessage, bytes: number): void {
    if (this.#queue) this.#enqueue(this.#queue, lastingOf(message), bytes);
    else this.#handle(message, bytes);
  }

  /** Charges a frame that is not a message as much as one. @returns whether it is within the budgets */
  charge(bytes: number): boolean {
    const now = this.#signaling.clock();
    // While it joins, the seat may still change.
    const usage = this.#take(this.#queue?.isJoining ? undefined : this.#budgetsAt(now), bytes, now);
    if (usage === 'far-over') this.#handler.end(refuse('rate-limited'));
    return usage === 'within';
  }

  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** Queues messages from now on. */
  pause(): void {
    this.#queue = { messages: [], bytes: 0, isJoining: this.#budgets === undefined };
  }

  /** Stops queueing. @returns the queued messages */
  resume(): ReceivedMessage[] {
    const messages = this.#queue?.messages ?? [];
    this.#queue = undefined;
    return messages;
  }

  /** Stops using the budget of the peer's seat. */
  releaseSeat(peer: PeerId | undefined): void {
    if (this.#budgets && peer) this.#signaling.seats.release(this.#room, peer);
    this.#budgets = undefined;
  }

  /** The queue is limited to one burst, because a peer that waits for a reply has little to send; while it joins, to even less. */
  #enqueue(queue: MessageQueue, received: ReceivedMessage, bytes: number): void {
    const { burst, byteBurst, messageBytes } = this.#signaling.limits;
    const { isJoining } = queue;
    queue.bytes += bytes;
    const isFull = queue.messages.push(received) > (isJoining ? maxBeforeJoin : burst);
    if (isFull || queue.bytes > (isJoining ? 2 * messageBytes : byteBurst))
      this.#handler.end(refuse('rate-limited'), 'error');
  }

  #handle(received: ReceivedMessage, bytes: number): void {
    const handler = this.#handler;
    // Read once per message: reading the clock costs as much as all budgets together.
    const now = this.#signaling.clock();
    const budgets = this.#budgetsAt(now);
    const usage = this.#take(budgets, bytes, now);
    if (usage === 'far-over') return handler.end(refuse('rate-limited'));
    if (usage === 'over') return handler.refuse(refuse('rate-limited'), numberOfReceived(received));
    const { messageBytes } = this.#signaling.limits;
    const message = decodeReceived(received, bytes, messageBytes);
    if ('refused' in message) return this.#refuseUnreadable(message);
    const overBudget = budgets && chargeAddress(this.#signaling, this.#room, budgets.address, message, now);
    if (overBudget) return handler.refuse(overBudget, numberOf(message));
    handler.handle(message);
  }

  #refuseUnreadable(refusal: Refusal): void {
    if (fateOf(refusal.refused).close === undefined) this.#handler.refuse(refusal);
    else this.#handler.end(refusal, 'error');
  }

  /** Charges a message to the budgets of the seat and its address; before the join, their number and bytes are limited. */
  #take(budgets: MessageBudgets | undefined, bytes: number, now: number): ReturnType<SeatBudget['take']> {
    if (budgets) return chargeBytes(budgets, bytes, now);
    this.#beforeJoin += 1;
    this.#bytesBeforeJoin += bytes;
    const { messageBytes } = this.#signaling.limits;
    return this.#beforeJoin > maxBeforeJoin || this.#bytesBeforeJoin > 2 * messageBytes ? 'far-over' : 'within';
  }

  /** @returns undefined before the join */
  #budgetsAt(now: number): MessageBudgets | undefined {
    return this.#budgets ?? this.#openBudgets(this.#handler.peer, now);
  }

  #openBudgets(peer: PeerId | undefined, now: number): MessageBudgets | undefined {
    if (peer === undefined) return undefined;
    const seat = this.#signaling.seats.open(this.#room, peer, now, this.isNewSeat);
    this.#budgets = { seat, address: addressBuckets(this.#signaling, this.#caller) };
    return this.#budgets;
  }
}

const decodeReceived = (received: ReceivedMessage, bytes: number, maxBytes: number): Incoming | Refusal => {
  if (isBinary(received)) return decodeBinary(received, maxBytes);
  return bytes > maxBytes ? decodeTooLong(textOf(received), bytes, maxBytes) : decode(received);
};

const numberOfReceived = (received: ReceivedMessage): number | undefined =>
  isBinary(received) ? numberInLine(received) : numberAtStart(textOf(received));

const isBinary = (received: ReceivedMessage): received is ByteRange =>
  typeof received !== 'string' && received.isBinary;
