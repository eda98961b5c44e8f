/** Batches all messages of one event loop turn into one write to a WebSocket; ws would need one or two writes for each. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { unsentMemory } from '../../budgets/unsent-bytes.ts';
import type { OutgoingMessage } from '../encode.ts';
import { atEndOfTurn } from '../end-of-turn.ts';
import type { MessageWriter } from '../message-writer.ts';
import { framesOf, keepFrames, lengthOf, pageBytes } from './websocket-frames.ts';

// The state is in fields, not in closures, to save memory: there is one writer for each peer.
export class WebSocketWriter implements MessageWriter {
  /** Number of messages sent so far. */
  sent = 0;
  readonly binarySignals: boolean;
  #queue: OutgoingMessage[] = [];
  /** Characters in the queue, or bytes of relayed data. */
  #queuedLength = 0;
  /** Writes since the connection last had nothing unsent. */
  #writes = 0;
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #maxUnsent: number;

  /** @param maxUnsent bytes that may be buffered for a peer that does not read; beyond that, nothing is sent */
  constructor(socket: WebSocket, connection: Socket, maxUnsent: number, binarySignals = false) {
    this.binarySignals = binarySignals;
    this.#socket = socket;
    this.#connection = connection;
    this.#maxUnsent = maxUnsent;
  }

  /** The memory of the unsent bytes. Even a few of them keep a whole page of frames. */
  get unsentMemory(): number {
    const { writableLength } = this.#connection;
    return writableLength > 0 ? Math.max(unsentMemory(writableLength, this.#writes), pageBytes) : 0;
  }

  send(message: OutgoingMessage): boolean {
    if (this.#isFull()) return false;
    this.#queuedLength += lengthOf(message);
    if (this.#queue.push(message) > 1) return true;
    if (writersToFlush.push(this) === 1) atEndOfTurn(flushAll);
    return true;
  }

  /** Answers a ping frame, under the same limit. */
  pong(data: Buffer): boolean {
    if (this.#isFull()) return false;
    this.#countWrite();
    this.#socket.pong(data);
    return true;
  }

  flush(): void {
    const messages = this.#queue;
    this.#queue = [];
    this.#queuedLength = 0;
    this.sent += messages.length;
    if (messages.length === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    const isBusy = this.#countWrite();
    const frames = framesOf(messages);
    this.#connection.write(isBusy ? Buffer.from(frames) : frames);
    // Nearly always the kernel has accepted all of it by now.
    if (!isBusy && this.#connection.writableLength > 0) keepFrames();
  }

  close(code: number, reason: string, last: string[]): void {
    this.#queue.push(...last);
    this.flush();
    this.#socket.close(code, reason);
  }

  /** Called before each write. @returns whether it will wait for earlier ones */
  #countWrite(): boolean {
    const isBusy = this.#connection.writableLength > 0;
    this.#writes = isBusy ? this.#writes + 1 : 0;
    return isBusy;
  }

  /** Flushes before it decides: the messages of this turn only count if the kernel does not accept them now. */
  #isFull(): boolean {
    if (this.#queuedLength + this.#connection.writableLength <= this.#maxUnsent) return false;
    this.flush();
    return this.#connection.writableLength > this.#maxUnsent;
  }
}

/** Writers with queued messages. They are flushed after the reads of this turn. */
let writersToFlush: WebSocketWriter[] = [];
const flushAll = (): void => {
  const writers = writersToFlush;
  writersToFlush = [];
  for (const writer of writers) writer.flush();
};
