/** A WebSocket as the wire of a session: limits, pings, gathered writes, and the sockets that are open now. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { byeMessage, closeCode, type Signaling } from './conversation.ts';
import { encodeMessage } from './encode.ts';
import { textFrames } from './frames.ts';
import { Session, type Wire } from './session.ts';

/** ws closes by itself (1009) what is this much longer than a message may be; below, the client gets a `bye` first. */
export const hardLimit = (messageBytes: number): number => 2 * messageBytes;
/** ms for the peer to answer a close before its connection is cut. */
const closeTimeout = 2000;

type Open = { socket: WebSocket; session: Session; heard: boolean; pinged: number; closing?: number };

export class WebSockets {
  readonly #open = new Set<Open>();
  readonly #signaling: Signaling;

  constructor(signaling: Signaling) {
    this.#signaling = signaling;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Starts a conversation about a room on an accepted WebSocket; `connection` is the socket below it. */
  accept(room: RoomName, socket: WebSocket, connection: Socket): void {
    const { clock, limits, log } = this.#signaling;
    const session = new Session(this.#signaling, room, wireOf(socket, connection));
    const open: Open = { socket, session, heard: true, pinged: clock() };
    this.#open.add(open);
    socket.on('pong', () => {
      open.heard = true;
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      open.heard = true;
      if (data.length > limits.messageBytes)
        session.end(refuse('too-long', longer(data, limits.messageBytes)), 'error');
      else if (isBinary) session.end(refuse('bad-json', 'a binary frame came'), 'error');
      else session.receive(data.toString());
    });
    socket.on('error', (error) => log.info({ room, err: error.message }, 'a WebSocket broke the protocol'));
    socket.on('close', () => {
      this.#open.delete(open);
      session.lost();
    });
  }

  /** Lets time pass: asks the silent whether they are there, cuts who does not answer. */
  tick(now: number): void {
    const { pingInterval } = this.#signaling.limits;
    for (const open of this.#open) {
      open.session.tick(now);
      if (open.socket.readyState !== open.socket.OPEN) {
        open.closing ??= now;
        if (now - open.closing >= closeTimeout) open.socket.terminate();
      } else if (now - open.pinged >= pingInterval) {
        if (!open.heard) open.socket.terminate();
        Object.assign(open, { heard: false, pinged: now });
        open.socket.ping();
      }
    }
  }

  /** Tells every peer to come back elsewhere or later, and closes. */
  drain(): void {
    for (const { session } of this.#open) session.end(refuse('draining'));
  }

  /** Cuts what is still open. */
  cut(): void {
    for (const { socket } of this.#open) socket.terminate();
  }
}

/** Says why a WebSocket that was accepted only to be told so is closed again: a browser cannot see a refused handshake. */
export const turnAway = (socket: WebSocket, refusal: Refusal): void => {
  socket.on('error', () => {});
  socket.send(encodeMessage(byeMessage(refusal)));
  socket.close(closeCode(refusal), refusal.refused);
};

/** What is sent within one turn of the event loop leaves in one write; ws itself would take one or two for each. */
const wireOf = (socket: WebSocket, connection: Socket): Wire => {
  let waiting: string[] = [];
  const flush = () => {
    const texts = waiting;
    waiting = [];
    if (texts.length > 0 && socket.readyState === socket.OPEN) connection.write(textFrames(texts));
  };
  return {
    send(text) {
      if (waiting.push(text) === 1) atEndOfTurn(flush);
    },
    close(code, reason) {
      flush();
      socket.close(code, reason);
    },
    unsent: () => socket.bufferedAmount,
  };
};

/** Runs once this turn of the event loop has read what it had to read; one immediate for all that wait. */
const atEndOfTurn = (flush: () => void): void => {
  if (turn.push(flush) === 1) setImmediate(endTurn);
};
let turn: (() => void)[] = [];
const endTurn = (): void => {
  const flushes = turn;
  turn = [];
  for (const flush of flushes) flush();
};

const longer = (data: Buffer, limit: number): string => `${data.length} bytes, at most ${limit}`;
