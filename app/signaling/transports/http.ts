/** Sessions over plain HTTP: join, messages, events by long polling or as a stream, leave. */
import { readSession } from '../../auth/session.ts';
import { decode, decodeTooLong, explain, numberAtStart, readKnownFields, readPosted } from '../../protocol/decode.ts';
import { fateOf, type Refusal, refuse } from '../../protocol/errors.ts';
import { roomOptions } from '../../protocol/http-answers.ts';
import { join, leave, type PeerId, type RoomName, type ServerMessage } from '../../protocol/messages.ts';
import { type Caller, tooOften } from '../authorize.ts';
import type { Signaling } from '../context.ts';
import { createRoom } from '../create-room.ts';
import { encodeMessage } from '../encode.ts';
import {
  type AddressBuckets,
  addressBuckets,
  byeMessage,
  chargeAddress,
  countedError,
  countFault,
  handleMessage,
  leaveRoom,
  leaveRoomForNow,
  numberOf,
} from '../handle-message.ts';
import { joinRoom } from '../join.ts';
import { occupancyOf } from '../occupancy.ts';
import { EventRequests, type StreamRequest, type Streams } from './event-requests.ts';
import { type HttpAnswer, refusalAnswer } from './http-answer.ts';
import { HttpPeers } from './http-peers.ts';

export class HttpConversations {
  readonly #signaling: Signaling;
  readonly #peers: HttpPeers;
  readonly #events: EventRequests;

  constructor(signaling: Signaling, streamLog: Streams) {
    this.#signaling = signaling;
    this.#peers = new HttpPeers(signaling);
    this.#events = new EventRequests(signaling, this.#peers, streamLog);
  }

  /** `POST …/create`: the body (JSON text) has the settings of the room. */
  async create(room: RoomName, body: string, caller: Caller): Promise<HttpAnswer> {
    const json = readKnownFields(body);
    if (json === undefined) return refusalAnswer(refuse('bad-json'));
    const options = roomOptions.safeParse(json);
    if (!options.success) return refusalAnswer(explain(options.error, 'create'));
    const created = await createRoom(this.#signaling, room, options.data, caller);
    return 'refused' in created ? refusalAnswer(created) : { status: 201, body: JSON.stringify(created) };
  }

  /** `POST …/join`: the body (JSON text) is the `join` message; `type` may be left out. */
  async join(room: RoomName, body: string, caller: Caller): Promise<HttpAnswer> {
    const json = readKnownFields(body);
    if (json === undefined) return refusalAnswer(refuse('bad-json'));
    const message = join.omit({ type: true }).safeParse(json);
    if (!message.success) return refusalAnswer(explain(message.error, 'join'));
    const attach = (peer: PeerId) => this.#signaling.fanout.displace(room, peer);
    const request = { room, message: message.data, caller, until: this.#peers.presentUntil(), attach };
    const result = await joinRoom(this.#signaling, request);
    if ('refused' in result) return refusalAnswer(result);
    this.#peers.record(room, result.first.self.id, caller, result.isNew).renewIceAt = result.renewIceAt;
    // Missed events follow in the response to the next request for events, so the peer keeps its own `after`.
    return { status: 200, body: encodeMessage(result.first) };
  }

  /**
   * `POST …/messages`: handles one message or several (JSON text), in order, up to the first one that has to be retried (those after
   * it would be out of order) or that leaves. If no message was accepted, the status is that of the first refusal.
   */
  async messages(room: RoomName, session: string | undefined, body: string, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#peers.authenticate(room, session, caller);
    if ('refused' in known) return refusalAnswer(known);
    const posted = readPosted(body);
    if ('refused' in posted) return refusalAnswer(posted);
    const replies: ServerMessage[] = [];
    const buckets = addressBuckets(this.#signaling, caller);
    for (const text of posted) {
      const reply = await this.#handle(room, known.id, text, caller, buckets);
      // An acknowledgement replaces one right before it, but not across an error.
      if (reply.type === 'ack' && replies.at(-1)?.type === 'ack') replies.pop();
      replies.push(reply);
      if (reply.type === 'error') countFault(this.#signaling, reply.code, caller);
      if ((reply.type === 'error' && reply.retry !== undefined) || reply.type === 'bye') break;
    }
    // The client repeats them: their numbers are known.
    if (this.#signaling.store.flush?.() === false) return refusalAnswer(refuse('store-unavailable'));
    return { status: statusOf(replies), body: JSON.stringify({ messages: replies }) };
  }

  /**
   * `GET …/events`: the events after number `after`; waits up to `wait` seconds if there are none. `onDisconnect` registers a
   * callback for when the client disconnects before the response.
   */
  events(
    room: RoomName,
    session: string | undefined,
    range: { after: number; wait: number },
    caller: Caller,
    onDisconnect: (callback: () => void) => void,
  ): Promise<HttpAnswer> {
    return this.#events.poll(room, session, range, caller, onDisconnect);
  }

  /** `GET …/events` as a stream. @returns the response if it is refused; otherwise the stream is open */
  stream(
    room: RoomName,
    session: string | undefined,
    after: number,
    caller: Caller,
    request: StreamRequest,
  ): Promise<HttpAnswer | undefined> {
    return this.#events.stream(room, session, after, caller, request);
  }

  /** `POST …/leave`: the body (JSON text) is the `leave` message; `type` may be left out. */
  async leave(room: RoomName, session: string | undefined, body: string, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#peers.authenticate(room, session, caller);
    if ('refused' in known) return refusalAnswer(known);
    const json = readKnownFields(body);
    if (json === undefined) return refusalAnswer(refuse('bad-json'));
    const message = leave.omit({ type: true }).safeParse(json);
    if (!message.success) return refusalAnswer(explain(message.error, 'leave'));
    await this.#leave(room, known.id, message.data.mayReturn);
    return { status: 204, body: '' };
  }

  async #leave(room: RoomName, peer: PeerId, mayReturn = false): Promise<void> {
    this.#signaling.fanout.displace(room, peer, 'left');
    if (mayReturn) await leaveRoomForNow(this.#signaling, room, peer);
    else await leaveRoom(this.#signaling, room, peer, 'left');
    this.#peers.forget(room, peer);
  }

  /** Charges the body of a request to the budget of its address. */
  chargeBody(bytes: number, address: string): Refusal | undefined {
    const { addresses, clock } = this.#signaling;
    const wait = bytes > 0 ? addresses.take('bytes', address, clock(), bytes * bodyPrice) : 0;
    return wait > 0 ? tooOften(wait) : undefined;
  }

  /** Refunds what was charged for a body that is shorter than announced. */
  giveBackBody(bytes: number, address: string): void {
    const { addresses, clock } = this.#signaling;
    addresses.giveBack('bytes', address, clock(), bytes * bodyPrice);
  }

  /** Refuses a request without a valid session before its large body is read. */
  async refuseStranger(room: RoomName, session: string | undefined, caller: Caller): Promise<Refusal | undefined> {
    if (session === undefined) return refuse('not-joined');
    const known = readSession(session);
    if (!known) return this.#peers.refuseSession(caller);
    const { store } = this.#signaling;
    const valid = await store.commit(room, (current) => ({
      events: [],
      result: (current.peers.get(known.id) ?? current.waiting.get(known.id))?.secretHash === known.secretHash,
    }));
    if ('refused' in valid) return valid;
    return valid.result ? undefined : this.#peers.refuseSession(caller);
  }

  /** `GET …/inside`. */
  async inside(room: RoomName, caller: Caller): Promise<HttpAnswer> {
    const occupancy = await occupancyOf(this.#signaling, room, caller);
    return 'refused' in occupancy ? refusalAnswer(occupancy) : { status: 200, body: JSON.stringify(occupancy) };
  }

  /** Called periodically: ends the polls that are due, and forgets peers without a recent request. */
  tick(now: number): void {
    this.#events.tick(now);
  }

  /** Ends every poll and stream with `draining`, so that its client reconnects elsewhere or later. */
  drain(): void {
    this.#events.drain();
  }

  async #handle(
    room: RoomName,
    peer: PeerId,
    text: string,
    caller: Caller,
    buckets: AddressBuckets,
  ): Promise<ServerMessage> {
    const { counts, limits, clock, log } = this.#signaling;
    const bytes = Buffer.byteLength(text);
    const { seat } = this.#peers.record(room, peer, caller);
    // The bytes of the body were charged to the address when it arrived.
    const now = clock();
    if (seat.take(bytes, now) !== 'within') return countedError(counts, refuse('rate-limited'), numberAtStart(text));
    const { messageBytes } = limits;
    const message = bytes > messageBytes ? decodeTooLong(text, bytes, messageBytes) : decode(text);
    if ('refused' in message) return countedError(counts, message);
    const overBudget = chargeAddress(this.#signaling, room, buckets, message, now);
    if (overBudget) return countedError(counts, overBudget, numberOf(message));
    if (message.type === 'leave') {
      await this.#leave(room, peer, message.mayReturn);
      return byeMessage(refuse('left'));
    }
    try {
      return await handleMessage(this.#signaling, room, peer, message, caller);
    } catch (error) {
      log.warn({ err: error, room }, 'a message could not be handled');
      return countedError(counts, refuse('internal'), numberOf(message));
    }
  }
}

/** Weight of a body byte compared with a WebSocket byte: a body is parsed in one piece, which can cost several times as much. */
const bodyPrice = 4;

const statusOf = (replies: ServerMessage[]): number => {
  const refused = replies.filter((reply) => reply.type === 'error');
  const first = refused[0];
  return first && refused.length === replies.length ? fateOf(first.code).status : 200;
};
