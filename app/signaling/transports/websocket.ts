/** WebSockets that carry sessions: limits, pings, what went over them, and those that are open now. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { type ErrorCode, type Refusal, refuse } from '../../protocol/errors.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import { countClose } from '../../stats/counters.ts';
import { tooManyConnections } from '../authorize.ts';
import { encodeMessage } from '../encode.ts';
import { byeMessage, closeCode, comeBackLater, type Signaling } from '../handle-message.ts';
import { Session } from '../session.ts';
import { readAhead } from './websocket-reader.ts';
import { WebSocketWriter } from './websocket-writer.ts';

/** ws closes by itself (1009) what is this much longer than a message may be; below, the client gets a `bye` first. */
export const hardLimit = (messageBytes: number): number => 2 * messageBytes;
/** ms for the peer to answer a close before its connection is cut. */
export const closeTimeout = 2000;

/** Whose WebSocket it is, for the log. */
export type Visitor = { reqId: string; ip: string };
export type Opened = Visitor & { room: RoomName };
/** Bytes are those on the connection, framing included; `us` is how long it was open (µs). */
export type Closed = Opened & Traffic & { peer: PeerId | undefined; us: number; closeCode: number };
/** Told of every WebSocket. */
export type WebSocketLog = {
  opened(visit: Opened): void;
  closed(visit: Closed): void;
  turnedAway(visit: Visitor & { code: ErrorCode }): void;
};

type Traffic = { messagesIn: number; messagesOut: number; bytesIn: number; bytesOut: number };
type Open = {
  socket: WebSocket;
  session: Session;
  wire: WebSocketWriter;
  heard: boolean;
  pinged: number;
  closing?: number;
  connection: Socket;
  carried: Carried;
};
/** Messages that came since it began (`at`, a performance.now()), and the bytes of the connection by then. */
type Carried = { in: number; at: number; read: number; written: number };

export class WebSockets {
  readonly #open = new Set<Open>();
  readonly #signaling: Signaling;
  readonly #visits: WebSocketLog;
  /** What went over those that are closed. */
  readonly #past: Traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };

  constructor(signaling: Signaling, visits: WebSocketLog) {
    this.#signaling = signaling;
    this.#visits = visits;
  }

  get size(): number {
    return this.#open.size;
  }

  /** How many are open, what waits for them to read, and what went over all that ever were. */
  usage(): Traffic & { open: number; unsentBytes: number } {
    const sum = { ...this.#past, open: this.#open.size, unsentBytes: 0 };
    for (const open of this.#open) {
      add(sum, trafficOf(open));
      sum.unsentBytes += open.socket.bufferedAmount;
    }
    return sum;
  }

  /**
   * Starts a conversation about a room on an accepted WebSocket; `connection` is the socket below it, `token` what its
   * handshake carried.
   */
  accept(room: RoomName, socket: WebSocket, connection: Socket, visitor: Visitor, token?: string): void {
    const { addresses, clock, limits, log } = this.#signaling;
    if (!addresses.hasRoomFor('connections', visitor.ip)) return this.turnAway(socket, tooManyConnections(), visitor);
    const { bytesRead: read, bytesWritten: written } = connection;
    const wire = new WebSocketWriter(socket, connection, limits.unsentBytes);
    const carried: Carried = { in: 0, at: performance.now(), read, written };
    const caller = { address: visitor.ip, token };
    const session = new Session(this.#signaling, room, wire, caller);
    const open: Open = { socket, session, wire, heard: true, pinged: clock(), connection, carried };
    this.#begin(open, { ...visitor, room });
    socket.on('pong', () => {
      open.heard = true;
    });
    socket.on('ping', (data: Buffer) => {
      if (session.pinged(data.length) && !wire.pong(data)) session.end(refuse('slow-consumer'));
    });
    const hear = (text: string, bytes: number, isBinary = false): void => {
      open.heard = true;
      carried.in += 1;
      if (isBinary) session.end(refuse('bad-json', 'a binary frame came'), 'error');
      else session.receive(text, bytes);
    };
    socket.on('message', (data: Buffer, isBinary) => hear(data.toString(), data.length, isBinary));
    readAhead(socket, connection, limits.messageBytes, hear);
    socket.on('error', (error) => {
      log.info({ room, err: error.message }, 'a WebSocket broke the protocol');
      socket.terminate();
    });
  }

  /** Says why a WebSocket that was accepted only to be told so is closed again: a browser cannot see a refused handshake. */
  turnAway(socket: WebSocket, refusal: Refusal, visitor: Visitor): void {
    this.#signaling.counts.refused[refusal.refused] += 1;
    this.#signaling.refusedTo(visitor.ip);
    this.#visits.turnedAway({ ...visitor, code: refusal.refused });
    socket.on('error', () => {});
    socket.send(encodeMessage(byeMessage(refusal)));
    socket.close(closeCode(refusal), refusal.refused);
  }

  #begin(open: Open, visit: Opened): void {
    const { addresses, counts } = this.#signaling;
    const { socket, session, carried } = open;
    this.#open.add(open);
    addresses.hold('connections', visit.ip);
    counts.webSockets.opened += 1;
    this.#visits.opened(visit);
    socket.on('close', (closeCode) => {
      this.#open.delete(open);
      addresses.hold('connections', visit.ip, -1);
      session.lost();
      const traffic = trafficOf(open);
      add(this.#past, traffic);
      countClose(counts, closeCode);
      const us = Math.round((performance.now() - carried.at) * 1000);
      this.#visits.closed({ ...visit, ...traffic, peer: session.was, us, closeCode });
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
      } else if (now - open.pinged >= pingInterval && !open.session.isQuiet(now)) {
        if (!open.heard) open.socket.terminate();
        Object.assign(open, { heard: false, pinged: now });
        open.socket.ping();
      }
    }
  }

  /** Tells every peer to come back elsewhere or later, and closes. */
  drain(): void {
    for (const { session } of this.#open) session.end(comeBackLater());
  }

  /** Cuts what is still open. */
  cut(): void {
    for (const { socket } of this.#open) socket.terminate();
  }
}

/** The socket counts its bytes anyway, so that it costs nothing for each message. */
const trafficOf = ({ connection, wire, carried }: Open): Traffic => ({
  messagesIn: carried.in,
  messagesOut: wire.sent,
  bytesIn: connection.bytesRead - carried.read,
  bytesOut: connection.bytesWritten - carried.written,
});

const add = (sum: Traffic, more: Traffic): void => {
  sum.messagesIn += more.messagesIn;
  sum.messagesOut += more.messagesOut;
  sum.bytesIn += more.bytesIn;
  sum.bytesOut += more.bytesOut;
};
