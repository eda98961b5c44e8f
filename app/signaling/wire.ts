/** What a session says on a WebSocket: all of one turn of the event loop leaves in one write; ws would take one or two for each. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { keepFrames, textFrames } from './frames.ts';
import type { Wire } from './session.ts';

// Its state is in fields, not in closures: there is one for every peer, and most peers are silent.
export class SocketWire implements Wire {
  /** Messages that were sent so far. */
  sent = 0;
  #waiting: string[] = [];
  readonly #socket: WebSocket;
  readonly #connection: Socket;

  constructor(socket: WebSocket, connection: Socket) {
    this.#socket = socket;
    this.#connection = connection;
  }

  send(text: string): void {
    if (this.#waiting.push(text) > 1) return;
    if (turn.push(this) === 1) setImmediate(endTurn);
  }

  flush(): void {
    const texts = this.#waiting;
    this.#waiting = [];
    this.sent += texts.length;
    if (texts.length === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    const waits = this.#connection.writableLength > 0;
    const frames = textFrames(texts);
    this.#connection.write(waits ? Buffer.from(frames) : frames);
    // Nearly always the kernel has taken all of it by now.
    if (!waits && this.#connection.writableLength > 0) keepFrames();
  }

  close(code: number, reason: string): void {
    this.flush();
    this.#socket.close(code, reason);
  }

  unsent(): number {
    return this.#socket.bufferedAmount;
  }
}

/** Those that have something to send once this turn has read what it had to read; one immediate for all of them. */
let turn: SocketWire[] = [];
const endTurn = (): void => {
  const wires = turn;
  turn = [];
  for (const wire of wires) wire.flush();
};
