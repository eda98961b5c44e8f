/** An event stream (`text/event-stream`) as a peer's receiver: missed events, live events, heartbeats, and its end. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { unsentMemory } from '../../budgets/unsent-bytes.ts';
import { type ErrorCode, type Refusal, refuse } from '../../protocol/errors.ts';
import { onOneLine } from '../../protocol/event-stream.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import { lasting, type RoomLogEntry } from '../../rooms/event-log.ts';
import { admits, concerns, endedBy } from '../../rooms/room.ts';
import type { Signaling } from '../context.ts';
import { encode, encodeMessage } from '../encode.ts';
import type { Displaced, Receiver } from '../fanout.ts';
import { byeMessage, loseConnection } from '../handle-message.ts';
import { joinAdmitted } from '../join.ts';

/** ms after which a browser's EventSource reconnects. Sent first, so that the response starts at once. */
const retry = 1000;
/** ms for the client to read the end of its stream before the connection is destroyed. */
const closeTimeout = 2000;

/**
 * A closed stream, for the log. `bytesOut` are bytes on the connection, framing included; `us` is how long it was open (µs).
 * `end`: the code of the `bye`; `silent`: the peer made no request for too long; `lost`: the connection was lost.
 */
export type Streamed = {
  reqId: string;
  ip: string;
  room: RoomName;
  peer: PeerId;
  us: number;
  messagesOut: number;
  bytesOut: number;
  end: StreamEnd;
};
type StreamEnd = ErrorCode | 'silent' | 'lost';

/**
 * `buffered` has the events that arrive before the missed ones are known, or while the join of an admitted peer completes.
 * `lastWrite`: when something was last written.
 */
type StreamState =
  | { state: 'starting'; buffered: RoomLogEntry[] }
  | { state: 'open'; response: ServerResponse; seq: number; lastWrite: number; buffered?: RoomLogEntry[] }
  | { state: 'ending'; response: ServerResponse; since: number }
  | { state: 'over' };

export class EventStream implements Receiver {
  #state: StreamState = { state: 'starting', buffered: [] };
  #end: StreamEnd = 'lost';
  /** The number of the room's last event for any peer. The `after` of this peer has to advance with it. */
  #reached = 0;
  #messages = 0;
  /** Writes since the response last had nothing unsent. */
  #writes = 0;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #peer: PeerId;
  readonly #session: string;
  readonly #unsubscribe: () => void;
  #waits: boolean;

  /** Subscribes to the room and replaces the peer's previous receiver. `waits`: the peer is in the lobby. */
  constructor(
    signaling: Signaling,
    room: RoomName,
    { id: peer, session, waits }: { id: PeerId; session: string; waits: boolean },
  ) {
    this.#signaling = signaling;
    this.#room = room;
    this.#peer = peer;
    this.#session = session;
    this.#waits = waits;
    this.#unsubscribe = signaling.store.subscribe(room, ({ seq }) => {
      this.#reached = seq;
    });
    signaling.fanout.attach(room, peer, this);
  }

  /** Whether it is neither opened yet nor replaced by a newer connection. */
  get starting(): boolean {
    return this.#state.state === 'starting';
  }

  /** Whether it is the peer's receiver, opened or not. */
  get isAttached(): boolean {
    return this.starting || this.isOpen;
  }

  get isOpen(): boolean {
    return this.#state.state === 'open';
  }

  /** Starts to write: the events missed since `after`, then those buffered. @param closed called when the stream has closed */
  open(response: ServerResponse, after: number, missed: RoomLogEntry[], closed: (traffic: Traffic) => void): void {
    if (this.#state.state !== 'starting') return;
    const { buffered } = this.#state;
    this.#state = { state: 'open', response, seq: after, lastWrite: 0 };
    const measure = meter(response.socket);
    const onClose = () => {
      this.#closed();
      closed({ ...measure(), messagesOut: this.#messages, end: this.#end });
    };
    // If the client has disconnected already, no 'close' event follows.
    if (response.destroyed) return onClose();
    response.once('close', onClose);
    // A write to a broken connection fails; 'close' follows.
    response.on('error', () => {});
    this.#reached = Math.max(this.#reached, missed.at(-1)?.seq ?? after);
    this.#write(`retry: ${retry}\n\n`);
    const relevant = missed.filter(({ event }) => concerns(event, this.#peer));
    for (const entry of [...relevant, ...buffered]) this.deliver(entry);
  }

  deliver(entry: RoomLogEntry, text = encode(entry)): void {
    if ('buffered' in this.#state) this.#state.buffered?.push(lasting(entry));
    if (this.#state.state !== 'open' || this.#state.buffered || entry.seq <= this.#state.seq) return;
    const endCode = endedBy(entry.event, this.#peer, this.#waits);
    if (endCode) return this.end(refuse(endCode));
    if (admits(entry.event, this.#peer)) return void this.#completeJoin(this.#state, entry.seq).catch(this.#fail);
    if (this.#waits && entry.event.type !== 'waiting-updated') return;
    this.#state.seq = entry.seq;
    this.#send(text, entry.seq);
  }

  /** Sends a message (JSON text) that is not an event of the room: it has no number and is never sent again. */
  tell(message: string): void {
    this.#send(message);
  }

  reached(seq: number): void {
    if (this.#state.state === 'open' && !this.#state.buffered) this.#write(`: \nid: ${seq}\n\n`);
  }

  displaced(why: Displaced): void {
    this.#finish(why, refuse(why));
  }

  /** Ends the stream with a `bye`; its peer is away and may resume. */
  end(refusal: Refusal): void {
    if (this.#state.state !== 'open') return;
    this.#finish(refusal.refused, refusal);
    this.#markAway();
  }

  /** Counts the unsent bytes, also of a stream that is ending, for the client's largest network. */
  countUnsent(network: string): void {
    if (this.#state.state !== 'open' && this.#state.state !== 'ending') return;
    const { response, state } = this.#state;
    if (response.writableLength === 0) return;
    const bytes = unsentMemory(response.writableLength, this.#writes);
    const isEnding = state === 'ending';
    const close = () => (isEnding ? response.destroy() : this.end(refuse('slow-consumer')));
    this.#signaling.unsent.count(network, { bytes, isEnding, close });
  }

  /** Closes before anything was written. */
  abandon(): void {
    this.#detach();
    this.#state = { state: 'over' };
  }

  /** Called periodically: enforces timeouts and sends heartbeats. @param lastRequest when the peer last made a request */
  tick(now: number, lastRequest: number): void {
    const { heartbeat } = this.#signaling.limits;
    if (this.#state.state === 'ending' && now - this.#state.since >= closeTimeout) this.#state.response.destroy();
    if (this.#state.state !== 'open') return;
    // An open connection does not prove that the peer is there. If it is, it requests a new stream.
    if (now - lastRequest >= silence(this.#signaling)) this.#finish('silent');
    else if (now - this.#state.lastWrite >= heartbeat) this.reached(this.#reached);
  }

  /** Completes the join of an admitted peer: sends `joined`, then the events that arrived meanwhile. */
  async #completeJoin(state: StreamState & { state: 'open' }, admission: number): Promise<void> {
    const buffered: RoomLogEntry[] = [];
    state.buffered = buffered;
    this.#waits = false;
    const until = this.#signaling.clock() + silence(this.#signaling);
    const result = await joinAdmitted(this.#signaling, this.#room, this.#session, until, admission);
    delete state.buffered;
    if ('refused' in result) return this.end(result);
    state.seq = result.first.seq;
    this.#send(encodeMessage(result.first), state.seq);
    for (const entry of buffered) this.deliver(entry);
  }

  readonly #fail = (error: unknown): void => {
    this.#signaling.log.warn({ err: error, room: this.#room }, 'a message could not be handled');
    this.end(refuse('internal'));
  };

  #send(message: string, seq?: number): void {
    this.#write(block(message, seq));
    this.#messages += 1;
  }

  /** Writes everything but the last message, which `#finish` writes. */
  #write(text: string): void {
    if (this.#state.state !== 'open' || this.#state.response.destroyed) return;
    const { response } = this.#state;
    if (response.writableLength > this.#signaling.limits.unsentBytes) return this.end(refuse('slow-consumer'));
    this.#writes = response.writableLength > 0 ? this.#writes + 1 : 0;
    response.write(text);
    this.#state.lastWrite = this.#signaling.clock();
  }

  /** Detaches, sends `bye` if there is a refusal, and closes. The room is not changed. */
  #finish(end: StreamEnd, refusal?: Refusal): void {
    this.#detach();
    if (refusal && this.#state.state === 'open') {
      this.#signaling.counts.refused[refusal.refused] += 1;
      this.#state.response.write(block(encodeMessage(byeMessage(refusal))));
      this.#messages += 1;
    }
    if (this.#state.state === 'starting') this.#state = { state: 'over' };
    if (this.#state.state !== 'open') return;
    const { response } = this.#state;
    this.#end = end;
    this.#state = { state: 'ending', response, since: this.#signaling.clock() };
    response.end();
  }

  /** The connection has closed. If the server did not end the stream, the peer is away at once. */
  #closed(): void {
    const wasOpen = this.#state.state === 'open';
    this.#detach();
    this.#state = { state: 'over' };
    if (wasOpen) this.#markAway();
  }

  #detach(): void {
    this.#unsubscribe();
    this.#signaling.fanout.detach(this.#room, this.#peer, this);
  }

  #markAway(): void {
    const { log } = this.#signaling;
    loseConnection(this.#signaling, this.#room, this.#peer).catch((error: unknown) =>
      log.warn({ err: error, room: this.#room }, 'the loss of a stream could not be recorded'),
    );
  }
}

/** A message (JSON text) as one event of the stream; `seq` is the number of the room's event. */
const block = (message: string, seq?: number): string =>
  `${seq === undefined ? '' : `id: ${seq}\n`}data: ${onOneLine(message)}\n\n`;

/** ms for which an event stream stays open without a request of its peer. */
export const silence = ({ limits }: Pick<Signaling, 'limits'>): number => 2 * limits.pingInterval;

export type Traffic = Pick<Streamed, 'us' | 'messagesOut' | 'bytesOut' | 'end'>;

/** Reads the socket's own byte counter; the response drops its reference to the socket before it closes. */
const meter = (socket: Socket | null) => {
  const [openedAt, bytesBefore] = [performance.now(), socket?.bytesWritten ?? 0];
  return () => ({
    us: Math.round((performance.now() - openedAt) * 1000),
    bytesOut: (socket?.bytesWritten ?? bytesBefore) - bytesBefore,
  });
};
