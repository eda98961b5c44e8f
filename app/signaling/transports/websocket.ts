/** WebSockets that carry sessions: limits, pings, traffic, and the set of those open now. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { largestNetwork } from '../../budgets/address.ts';
import { ByteRange } from '../../protocol/byte-range.ts';
import { type ErrorCode, type Refusal, refuse } from '../../protocol/errors.ts';
import { binaryProtocolVersion, type PeerId, protocolVersion, type RoomName } from '../../protocol/messages.ts';
import { countClose } from '../../stats/counters.ts';
import { type Caller, tooManyConnections } from '../authorize.ts';
import type { Signaling } from '../context.ts';
import { encodeMessage } from '../encode.ts';
import { byeMessage, closeCode, comeBackLater, countFault } from '../handle-message.ts';
import { Session } from '../session.ts';
import { readAhead } from './websocket-reader.ts';
import { WebSocketWriter } from './websocket-writer.ts';

/** Message size above which ws itself closes the connection (1009); below it, the client gets a `bye` first. */
export const hardLimit = (messageBytes: number): number => 2 * messageBytes;
/** ms for the client to answer a close frame before its connection is terminated. */
export const closeTimeout = 2000;

/** The client of a WebSocket, for the log. */
export type Visitor = { reqId: string; ip: string };
/** What the headers of a handshake say about the caller. */
export type Handshake = Omit<Caller, 'address'>;
export type Opened = Visitor & { room: RoomName };
/** Bytes are those on the connection, framing included; `us` is how long it was open (µs). */
export type Closed = Opened & Traffic & { peer: PeerId | undefined; us: number; closeCode: number };
/** Receives every WebSocket, for the log. */
export type WebSocketLog = {
  opened(visit: Opened): void;
  closed(visit: Closed): void;
  turnedAway(visit: Visitor & { code: ErrorCode }): void;
};

type Traffic = { messagesIn: number; messagesOut: number; bytesIn: number; bytesOut: number };
type Open = {
  socket: WebSocket;
  session: Session;
  writer: WebSocketWriter;
  reader?: { readonly unfinishedBytes: number };
  /** Whether anything was received since the last ping. */
  isAlive: boolean;
  pingedAt: number;
  closingSince?: number;
  connection: Socket;
  /** The key of the client's largest network. */
  network: string;
  usage: ConnectionUsage;
};
/** Messages received since it opened (`openedAt`, a performance.now()), and the byte counters of the connection at that time. */
type ConnectionUsage = { messagesIn: number; openedAt: number; bytesReadBefore: number; bytesWrittenBefore: number };

export class WebSockets {
  readonly #open = new Set<Open>();
  readonly #signaling: Signaling;
  readonly #log: WebSocketLog;
  /** Traffic of the closed ones. */
  readonly #closed: Traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };

  constructor(signaling: Signaling, webSocketLog: WebSocketLog) {
    this.#signaling = signaling;
    this.#log = webSocketLog;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The number of open WebSockets, their unsent bytes, and the traffic of all since the start. */
  usage(): Traffic & { open: number; unsentBytes: number } {
    const sum = { ...this.#closed, open: this.#open.size, unsentBytes: 0 };
    for (const open of this.#open) {
      add(sum, trafficOf(open));
      sum.unsentBytes += open.socket.bufferedAmount;
    }
    return sum;
  }

  /**
   * Starts a session on an accepted WebSocket; `connection` is its socket, `handshake` what its headers say about the caller.
   */
  accept(room: RoomName, socket: WebSocket, connection: Socket, visitor: Visitor, handshake: Handshake = {}): void {
    const { addresses, clock, limits, log, turns } = this.#signaling;
    const caller: Caller = { address: visitor.ip, ...handshake };
    if (!addresses.hasRoomFor('connections', visitor.ip))
      return this.turnAway(socket, tooManyConnections(), visitor, handshake);
    const { bytesRead: bytesReadBefore, bytesWritten: bytesWrittenBefore } = connection;
    const acceptsBinary = socket.protocol === binaryProtocolVersion;
    const writer = new WebSocketWriter(socket, connection, limits.unsentBytes, acceptsBinary);
    const usage: ConnectionUsage = {
      messagesIn: 0,
      openedAt: performance.now(),
      bytesReadBefore,
      bytesWrittenBefore,
    };
    const session = new Session(this.#signaling, room, writer, caller);
    const network = largestNetwork(visitor.ip);
    const open: Open = { socket, session, writer, isAlive: true, pingedAt: clock(), connection, network, usage };
    this.#begin(open, { ...visitor, room });
    socket.on('pong', (data: Buffer) => {
      // Only one that answers a ping is free.
      if (open.isAlive) session.charge(data.length);
      open.isAlive = true;
    });
    socket.on('ping', (data: Buffer) => {
      if (session.charge(data.length) && !writer.pong(data)) session.end(refuse('slow-consumer'));
    });
    const countMessage = (): void => {
      open.isAlive = true;
      usage.messagesIn += 1;
    };
    const onMessage = (message: ByteRange): void => {
      countMessage();
      session.receive(message);
    };
    socket.on('message', (data: Buffer, isBinary) => {
      countMessage();
      if (!isBinary) session.receive(data.toString(), data.length);
      else if (acceptsBinary) session.receive(ByteRange.binary(data));
      else session.end(refuse('bad-json', `binary frames are not accepted in ${protocolVersion}`), 'error');
    });
    const share = () => turns.of(network);
    // Before it joins, a client is limited by the fragments of a message and the number of messages.
    const onFragment = (bytes: number) => void (session.peer === undefined || session.charge(bytes));
    const readerOptions = { maxBytes: limits.messageBytes, share, onMessage, onFragment, acceptsBinary };
    open.reader = readAhead(socket, connection, readerOptions);
    socket.on('error', (error) => {
      log.info({ room, err: error.message }, 'WebSocket protocol error');
      if (isProtocolError(error)) this.#signaling.refusedTo(caller.address, caller.crossSite);
      socket.terminate();
    });
  }

  /** Refuses by a `bye` on an accepted WebSocket, because browsers do not show scripts why a handshake was refused. */
  turnAway(socket: WebSocket, refusal: Refusal, visitor: Visitor, handshake: Handshake): void {
    this.#signaling.counts.refused[refusal.refused] += 1;
    countFault(this.#signaling, refusal.refused, { address: visitor.ip, ...handshake });
    this.#log.turnedAway({ ...visitor, code: refusal.refused });
    socket.on('error', () => {});
    socket.send(encodeMessage(byeMessage(refusal)));
    socket.close(closeCode(refusal), refusal.refused);
  }

  #begin(open: Open, visit: Opened): void {
    const { addresses, counts } = this.#signaling;
    const { socket, session, usage } = open;
    this.#open.add(open);
    addresses.hold('connections', visit.ip);
    counts.webSockets.opened += 1;
    this.#log.opened(visit);
    socket.on('close', (closeCode) => {
      this.#open.delete(open);
      addresses.hold('connections', visit.ip, -1);
      session.lost();
      const traffic = trafficOf(open);
      add(this.#closed, traffic);
      countClose(counts, closeCode);
      const us = Math.round((performance.now() - usage.openedAt) * 1000);
      this.#log.closed({ ...visit, ...traffic, peer: session.lastPeer, us, closeCode });
    });
  }

  /** Called periodically: counts unsent bytes, pings the clients, and terminates connections that do not respond. */
  tick(now: number): void {
    const { pingInterval } = this.#signaling.limits;
    for (const open of this.#open) {
      open.session.tick(now);
      this.#countUnsent(open);
      if (open.socket.readyState !== open.socket.OPEN) {
        open.closingSince ??= now;
        if (now - open.closingSince >= closeTimeout) open.socket.terminate();
      } else if (now - open.pingedAt >= pingInterval && !open.session.isQuiet(now)) {
        if (!open.isAlive) open.socket.terminate();
        Object.assign(open, { isAlive: false, pingedAt: now });
        open.socket.ping();
      }
    }
  }

  /** Also counts what the client has sent and the server has not handled yet. */
  #countUnsent({ writer, reader, socket, session, network }: Open): void {
    const bytes = writer.unsentMemory + (reader?.unfinishedBytes ?? 0) + session.queuedBytes;
    if (bytes === 0) return;
    const isEnding = socket.readyState !== socket.OPEN;
    const close = () => (isEnding ? socket.terminate() : session.end(refuse('slow-consumer')));
    this.#signaling.unsent.count(network, { bytes, isEnding, close });
  }

  /** Closes every session with `draining`, so that its client reconnects elsewhere or later. */
  drain(): void {
    for (const { session } of this.#open) session.end(comeBackLater());
  }

  /** Terminates the connections that are still open. */
  cut(): void {
    for (const { socket } of this.#open) socket.terminate();
  }
}

/** Whether the client broke the protocol, with a frame that is invalid or too long; other errors are those of the connection. */
const isProtocolError = (error: NodeJS.ErrnoException): boolean => error.code?.startsWith('WS_ERR_') ?? false;

/** Reads the socket's own byte counters, so that counting costs nothing for each message. */
const trafficOf = ({ connection, writer, usage }: Open): Traffic => ({
  messagesIn: usage.messagesIn,
  messagesOut: writer.sent,
  bytesIn: connection.bytesRead - usage.bytesReadBefore,
  bytesOut: connection.bytesWritten - usage.bytesWrittenBefore,
});

const add = (sum: Traffic, more: Traffic): void => {
  sum.messagesIn += more.messagesIn;
  sum.messagesOut += more.messagesOut;
  sum.bytesIn += more.bytesIn;
  sum.bytesOut += more.bytesOut;
};
