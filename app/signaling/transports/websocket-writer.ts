/** What a session says on a WebSocket: all of one turn of the event loop leaves in one write; ws would take one or two for each. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { MessageWriter } from '../session.ts';
import { keepFrames, textFrames } from './websocket-frames.ts';

// Its state is in fields, not in closures: there is one for every peer, and most peers are silent.
export class WebSocketWriter implements MessageWriter {
  /** Messages that were sent so far. */
  sent = 0;
  #waiting: string[] = [];
  /** Characters in them. */
  #pending = 0;
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #mostUnsent: number;

  /** @param mostUnsent bytes that may wait for the peer to read them; past these nothing is sent */
  constructor(socket: WebSocket, connection: Socket, mostUnsent: number) {
    this.#socket = socket;
    this.#connection = connection;
    this.#mostUnsent = mostUnsent;
  }

  send(text: string): boolean {
    if (this.#isFull()) return false;
    this.#pending += text.length;
    if (this.#waiting.push(text) > 1) return true;
    if (turn.push(this) === 1) setImmediate(endTurn);
    return true;
  }

  /** Answers a ping frame, under the same limit. */
  pong(data: Buffer): boolean {
    if (this.#isFull()) return false;
    this.#socket.pong(data);
    return true;
  }

  flush(): void {
    const texts = this.#waiting;
    this.#waiting = [];
    this.#pending = 0;
    this.sent += texts.length;
    if (texts.length === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    const waits = this.#connection.writableLength > 0;
    const frames = textFrames(texts);
    this.#connection.write(waits ? Buffer.from(frames) : frames);
    // Nearly always the kernel has taken all of it by now.
    if (!waits && this.#connection.writableLength > 0) keepFrames();
  }

  close(code: number, reason: string, last: string[]): void {
    this.#waiting.push(...last);
    this.flush();
    this.#socket.close(code, reason);
  }

  /** What was said in this turn only waits if the kernel does not take it now. */
  #isFull(): boolean {
    if (this.#pending + this.#connection.writableLength <= this.#mostUnsent) return false;
    this.flush();
    return this.#connection.writableLength > this.#mostUnsent;
  }
}

/** Those that have something to send once this turn has read what it had to read; one immediate for all of them. */
let turn: WebSocketWriter[] = [];
const endTurn = (): void => {
  const wires = turn;
  turn = [];
  for (const wire of wires) wire.flush();
};
