/** Sessions over plain HTTP: join, messages, events by long polling or as a stream, leave. */
import type { ServerResponse } from 'node:http';
import { readSession } from '../../auth/session.ts';
import type { SeatBudget } from '../../budgets/seat-budgets.ts';
import { check, explain, numberIn, sizeOf } from '../../protocol/decode.ts';
import { type ErrorCode, errors, fateOf, type Refusal, refuse, retryOf } from '../../protocol/errors.ts';
import {
  join,
  leave,
  type PeerId,
  postedMessages,
  type RoomName,
  type ServerMessage,
} from '../../protocol/messages.ts';
import type { RoomLogEntry } from '../../rooms/event-log.ts';
import { hear, listen, listenAndWait } from '../../rooms/join.ts';
import { expectBy } from '../../rooms/leave.ts';
import { admits, concerns, concernsAtTheDoor, endedBy } from '../../rooms/room.ts';
import { eventsFor } from '../../rooms/view.ts';
import { type Caller, tooManyConnections, tooOften } from '../authorize.ts';
import type { Signaling } from '../context.ts';
import { encode, encodeMessage } from '../encode.ts';
import {
  type AddressBuckets,
  addressBuckets,
  byeMessage,
  chargeAddress,
  comeBackLater,
  countedError,
  errorMessage,
  handleMessage,
  leaveRoom,
  leaveRoomForNow,
  numberOf,
} from '../handle-message.ts';
import { joinAdmitted, joinRoom } from '../join.ts';
import { occupancyOf } from '../occupancy.ts';
import { countReplay, refuseReplay } from '../replay.ts';
import { EventStream, type Streamed, silence, type Traffic } from './event-stream.ts';
import { LongPoll } from './long-poll.ts';

/** A response. `body` is JSON text; `refused` is the code if the whole request is refused, `retry` the delay before a retry (ms). */
export type HttpAnswer = { status: number; body: string; refused?: ErrorCode; retry?: number | undefined };

/**
 * What this process keeps about a peer between its requests: `lastRequest` is the time of the last one, `renewIceAt` is when its
 * ICE servers have to be replaced (0: unknown).
 */
type PeerRecord = {
  room: RoomName;
  peer: PeerId;
  /** The client address of the last request. */
  address: string | undefined;
  seat: SeatBudget;
  poll?: LongPoll;
  stream?: EventStream;
  lastRequest: number;
  renewIceAt: number;
};
/** A peer with a valid session. `waits`: it is in the lobby; `seq`: the number of the room's last event at that time. */
type AuthenticatedPeer = { id: PeerId; secretHash: string; session: string; waits: boolean; seq: number };
/** Receives every stream that has closed, for the log. */
export type Streams = { streamed(stream: Streamed): void };
/** A request for a stream. `begin` sends the headers of its response. */
export type Asking = Pick<Streamed, 'reqId' | 'ip'> & { begin(): ServerResponse };

export const refusalAnswer = (refusal: Refusal): HttpAnswer => ({
  status: errors[refusal.refused].status,
  body: JSON.stringify(errorMessage(refusal)),
  refused: refusal.refused,
  retry: retryOf(refusal),
});

export class HttpConversations {
  readonly #records = new Map<string, PeerRecord>();
  readonly #streams = new Map<EventStream, PeerRecord>();
  readonly #signaling: Signaling;
  readonly #streamLog: Streams;
  #draining = false;

  constructor(signaling: Signaling, streamLog: Streams) {
    this.#signaling = signaling;
    this.#streamLog = streamLog;
  }

  /** `POST …/join`: the body is the `join` message; `type` may be left out. */
  async join(room: RoomName, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const message = join.omit({ type: true }).safeParse(body);
    if (!message.success) return refusalAnswer(explain(message.error, 'join'));
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => fanout.displace(room, peer);
    const result = await joinRoom(this.#signaling, room, message.data, this.#presentUntil(), attach, caller);
    if ('refused' in result) return refusalAnswer(result);
    this.#record(room, result.first.self.id, caller, result.isNew).renewIceAt = result.renewIceAt;
    // Missed events follow in the response to the next request for events, so the peer keeps its own `after`.
    return { status: 200, body: encodeMessage(result.first) };
  }

  /**
   * `POST …/messages`: handles one message or several, in order, up to the first one that has to be retried (those after it would
   * be out of order) or that leaves. If no message was accepted, the status is that of the first refusal.
   */
  async messages(room: RoomName, session: string | undefined, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#authenticate(room, session, caller);
    if ('refused' in known) return refusalAnswer(known);
    const posted = postedMessages.safeParse(body);
    if (!posted.success) return refusalAnswer(refuse('bad-message', 'expected a message or an array of messages'));
    const replies: ServerMessage[] = [];
    const buckets = addressBuckets(this.#signaling, caller);
    for (const json of Array.isArray(posted.data) ? posted.data : [posted.data]) {
      const reply = await this.#handle(room, known.id, json, caller, buckets);
      // An acknowledgement replaces one right before it, but not across an error.
      if (reply.type === 'ack' && replies.at(-1)?.type === 'ack') replies.pop();
      replies.push(reply);
      if ((reply.type === 'error' && reply.retry !== undefined) || reply.type === 'bye') break;
    }
    return { status: statusOf(replies), body: JSON.stringify({ messages: replies }) };
  }

  /**
   * `GET …/events`: the events after number `after`; waits up to `wait` seconds if there are none. `onDisconnect` registers a
   * callback for when the client disconnects before the response.
   */
  async events(
    room: RoomName,
    session: string | undefined,
    { after, wait }: { after: number; wait: number },
    caller: Caller,
    onDisconnect: (callback: () => void) => void,
  ): Promise<HttpAnswer> {
    const known = await this.#authenticate(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    if (this.#draining) return refusalAnswer(refuse('draining'));
    const waitMs = Math.min(wait * 1000, this.#signaling.limits.pollWait);
    const record = this.#record(room, known.id, caller);
    const overBudget = this.#refuseEvents(record, caller);
    if (overBudget) return refusalAnswer(overBudget);
    const poll = new LongPoll(this.#signaling, room, known, waitMs);
    record.poll = poll;
    let connected = true;
    onDisconnect(() => {
      connected = false;
      poll.finish();
    });
    try {
      await this.#extendPresence(room, known, waitMs);
      const missed = await this.#missedEvents(room, known, after, record, caller);
      if ('refused' in missed) return refusalAnswer(missed);
      const entries = await poll.gather(missed);
      // The peer left by another request, which is not an error.
      if (poll.ended?.refused === 'left') return eventsAnswer([this.#bye(room, known.id, poll.ended)], after);
      if (poll.ended) return refusalAnswer(poll.ended);
      const { messages, seq = after } = await this.#messagesFor(room, known, entries);
      // New ICE servers are only taken while the client is connected, or this set would be lost.
      return eventsAnswer(connected ? [...messages, ...this.#iceRenewal(record)] : messages, seq);
    } finally {
      poll.finish();
      if (record.poll === poll) delete record.poll;
      await this.#expectNextRequest(room, known.id);
    }
  }

  /** `GET …/events` as a stream. @returns the response if it is refused; otherwise the stream is open */
  async stream(
    room: RoomName,
    session: string | undefined,
    after: number,
    caller: Caller,
    { begin, ...request }: Asking,
  ): Promise<HttpAnswer | undefined> {
    const known = await this.#authenticate(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    const record = this.#record(room, known.id, caller);
    const overBudget = this.#refuseEvents(record, caller);
    if (overBudget) return refusalAnswer(overBudget);
    if (!this.#signaling.addresses.hasRoomFor('connections', request.ip)) return refusalAnswer(tooManyConnections());
    const stream = new EventStream(this.#signaling, room, known);
    try {
      await this.#extendPresence(room, known, silence(this.#signaling));
      const missed = await this.#missedEvents(room, known, after, record, caller);
      if ('refused' in missed) return refusalAnswer(missed);
      if (!stream.starting) return refusalAnswer(refuse('replaced'));
      if (this.#draining) return refusalAnswer(refuse('draining'));
      stream.open(begin(), after, missed, this.#track(stream, record, { ...request, room, peer: known.id }));
      return undefined;
    } finally {
      if (stream.starting) {
        stream.abandon();
        await this.#expectNextRequest(room, known.id);
      }
    }
  }

  /** `POST …/leave`: the body is the `leave` message; `type` may be left out. */
  async leave(room: RoomName, session: string | undefined, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#authenticate(room, session, caller);
    if ('refused' in known) return refusalAnswer(known);
    const message = leave.omit({ type: true }).safeParse(body);
    if (!message.success) return refusalAnswer(explain(message.error, 'leave'));
    await this.#leave(room, known.id, message.data.mayReturn);
    return { status: 204, body: '' };
  }

  async #leave(room: RoomName, peer: PeerId, mayReturn = false): Promise<void> {
    this.#signaling.fanout.displace(room, peer, 'left');
    if (mayReturn) await leaveRoomForNow(this.#signaling, room, peer);
    else await leaveRoom(this.#signaling, room, peer, 'left');
    this.#forget(room, peer);
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
  async refuseStranger(room: RoomName, session: string | undefined): Promise<Refusal | undefined> {
    const known = session === undefined ? undefined : readSession(session);
    if (!known) return refuse(session === undefined ? 'not-joined' : 'unknown-session');
    const { store } = this.#signaling;
    const valid = await store.commit(room, (current) => ({
      events: [],
      result: (current.peers.get(known.id) ?? current.waiting.get(known.id))?.secretHash === known.secretHash,
    }));
    if ('refused' in valid) return valid;
    return valid.result ? undefined : refuse('unknown-session');
  }

  /** `GET …/inside`. */
  async inside(room: RoomName, caller: Caller): Promise<HttpAnswer> {
    const occupancy = await occupancyOf(this.#signaling, room, caller);
    return 'refused' in occupancy ? refusalAnswer(occupancy) : { status: 200, body: JSON.stringify(occupancy) };
  }

  /** Called periodically: ends the polls that are due, and forgets peers without a recent request. */
  tick(now: number): void {
    const { pollWait, pollGrace, rules } = this.#signaling.limits;
    for (const [stream, { lastRequest }] of this.#streams) stream.tick(now, lastRequest);
    for (const record of this.#records.values()) {
      const { poll, stream, lastRequest, renewIceAt } = record;
      if (poll && Math.min(poll.deadline, renewIceAt) <= now) poll.finish();
      if (stream?.isOpen) for (const text of this.#iceRenewal(record)) stream.tell(text);
      const keptUntil = lastRequest + pollWait + pollGrace + rules.grace;
      if (!poll && !stream && keptUntil < now) this.#forget(record.room, record.peer);
    }
  }

  /** Ends every poll and stream with `draining`, so that its client reconnects elsewhere or later. */
  drain(): void {
    this.#draining = true;
    for (const { poll } of this.#records.values()) poll?.end(comeBackLater());
    for (const stream of this.#streams.keys()) stream.end(comeBackLater());
  }

  /** Authenticates the session and extends the peer's presence. `command`: what the request does in the room. */
  async #authenticate(
    room: RoomName,
    session: string | undefined,
    caller: Caller,
    command = hear,
  ): Promise<AuthenticatedPeer | Refusal> {
    if (session === undefined) return refuse('not-joined', 'no session in the Authorization header');
    const known = readSession(session);
    if (!known) return refuse('unknown-session');
    const until = this.#presentUntil(this.#records.get(keyOf(room, known.id))?.stream ? silence(this.#signaling) : 0);
    const { store } = this.#signaling;
    const who = { ...known, until, worker: store.worker };
    const committed = await store.commit(room, (current, now) => command(current, who, now));
    if ('refused' in committed) return committed;
    this.#record(room, known.id, caller);
    return { ...known, session, waits: committed.result.waits, seq: committed.seq };
  }

  /** Extends the presence by `wait` (ms). Called right after a receiver was attached, so that the last one attached decides. */
  async #extendPresence(room: RoomName, { id, secretHash }: AuthenticatedPeer, wait: number): Promise<void> {
    const { store } = this.#signaling;
    const who = { id, secretHash, until: this.#presentUntil(wait), worker: store.worker };
    const command = wait > 0 ? listenAndWait : listen;
    await store.commit(room, (current, now) => command(current, who, now));
  }

  /** Refuses a request for events when the budgets for requests or replay are used up. */
  #refuseEvents({ seat }: PeerRecord, caller: Caller): Refusal | undefined {
    return seat.request(this.#signaling.clock()) ? refuseReplay(this.#signaling, seat, caller) : refuse('rate-limited');
  }

  /** The room's events after a number that the peer may see. */
  async #missedEvents(
    room: RoomName,
    known: AuthenticatedPeer,
    after: number,
    { seat }: PeerRecord,
    caller: Caller,
  ): Promise<RoomLogEntry[] | Refusal> {
    const entries = await this.#signaling.store.since(room, after);
    if (entries === 'gone') return refuse('events-gone');
    if ('refused' in entries) return entries;
    countReplay(this.#signaling, seat, caller, entries);
    return eventsFor(entries, known.id, known);
  }

  /** A request for events has ended: sets the deadline for the next one, unless one is already waiting. */
  async #expectNextRequest(room: RoomName, peer: PeerId): Promise<void> {
    const record = this.#records.get(keyOf(room, peer));
    // Without a record, the peer has left.
    if (!record || record.poll || record.stream) return;
    const until = this.#presentUntil();
    const { store } = this.#signaling;
    await store.commit(room, (current, now) => expectBy(current, peer, until, now, store.worker));
  }

  async #handle(
    room: RoomName,
    peer: PeerId,
    json: unknown,
    caller: Caller,
    buckets: AddressBuckets,
  ): Promise<ServerMessage> {
    const { counts, limits, clock, log } = this.#signaling;
    const bytes = sizeOf(json, limits.messageBytes);
    const { seat } = this.#record(room, peer, caller);
    // The bytes of the body were charged to the address when it arrived.
    const now = clock();
    if (seat.take(bytes, now) !== 'within') return countedError(counts, refuse('rate-limited'), numberIn(json));
    const message = check(json, bytes, limits.messageBytes);
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

  /** The events for a peer as JSON texts, up to the end of its session, or from its admission on. */
  async #messagesFor(
    room: RoomName,
    { id, session, waits }: AuthenticatedPeer,
    entries: RoomLogEntry[],
  ): Promise<{ messages: string[]; seq?: number | undefined }> {
    const seq = entries.at(-1)?.seq;
    const endIndex = entries.findIndex(({ event }) => endedBy(event, id, waits));
    if (endIndex >= 0) {
      const last = entries[endIndex];
      const code = (last && endedBy(last.event, id, waits)) ?? 'room-ended';
      const before = waits ? [] : entries.slice(0, endIndex).filter(({ event }) => concerns(event, id));
      const { messages } = this.#takeUpToLimit(before, seq);
      // Events beyond the limit may be dropped, because the session ends here.
      return { messages: [...messages, this.#bye(room, id, refuse(code))], seq };
    }
    const admission = entries.find(({ event }) => admits(event, id));
    if (admission) {
      const result = await joinAdmitted(this.#signaling, room, session, this.#presentUntil(), admission.seq);
      if ('refused' in result) return { messages: [this.#bye(room, id, result)], seq };
      // Later events are for the next request.
      return { messages: [encodeMessage(result.first)], seq: result.first.seq };
    }
    const isRelevant = waits ? concernsAtTheDoor : concerns;
    return this.#takeUpToLimit(
      entries.filter(({ event }) => isRelevant(event, id)),
      seq,
    );
  }

  /** Limits a response to `unsentBytes`; the rest is for the next request. `seq`: the number to return if all entries fit. */
  #takeUpToLimit(entries: RoomLogEntry[], seq?: number): { messages: string[]; seq?: number | undefined } {
    const messages: string[] = [];
    let remaining = this.#signaling.limits.unsentBytes;
    for (const [at, entry] of entries.entries()) {
      const text = encode(entry);
      remaining -= text.length;
      if (remaining < 0 && messages.length > 0) return { messages, seq: entries[at - 1]?.seq };
      messages.push(text);
    }
    return { messages, seq };
  }

  #bye(room: RoomName, peer: PeerId, refusal: Refusal): string {
    this.#signaling.counts.refused[refusal.refused] += 1;
    this.#forget(room, peer);
    return encodeMessage(byeMessage(refusal));
  }

  /** A message with new ICE servers, if those of the peer are due to be replaced. */
  #iceRenewal(record: PeerRecord): string[] {
    const now = this.#signaling.clock();
    if (record.renewIceAt > now) return [];
    const { servers, renewAt } = this.#signaling.ice(record.peer, record.address, now);
    record.renewIceAt = renewAt;
    return renewAt === Number.POSITIVE_INFINITY ? [] : [encodeMessage({ type: 'ice', ice: servers })];
  }

  /** Registers an open stream. @returns the callback for its close */
  #track(stream: EventStream, record: PeerRecord, request: Omit<Streamed, keyof Traffic>): (traffic: Traffic) => void {
    const { addresses, counts } = this.#signaling;
    const { streams } = counts;
    addresses.hold('connections', request.ip);
    record.stream = stream;
    this.#streams.set(stream, record);
    streams.opened += 1;
    return (traffic) => {
      streams.closed += 1;
      addresses.hold('connections', request.ip, -1);
      this.#streams.delete(stream);
      if (record.stream === stream) delete record.stream;
      this.#streamLog.streamed({ ...request, ...traffic });
    };
  }

  /** Gets or creates the record of a peer; called for each of its requests. */
  #record(room: RoomName, peer: PeerId, { address }: Caller, isNew = false): PeerRecord {
    const { clock, seats } = this.#signaling;
    const now = clock();
    const key = keyOf(room, peer);
    const existing = this.#records.get(key);
    if (existing) return Object.assign(existing, { lastRequest: now, address });
    const seat = seats.open(room, peer, now, isNew);
    const record = { room, peer, address, seat, lastRequest: now, renewIceAt: 0 };
    this.#records.set(key, record);
    return record;
  }

  #forget(room: RoomName, peer: PeerId): void {
    if (this.#records.delete(keyOf(room, peer))) this.#signaling.seats.release(room, peer);
  }

  #presentUntil(wait = 0): number {
    return this.#signaling.clock() + wait + this.#signaling.limits.pollGrace;
  }
}

/** Weight of a body byte compared with a WebSocket byte: a body is parsed in one piece, which can cost several times as much. */
const bodyPrice = 4;

const eventsAnswer = (messages: string[], seq: number): HttpAnswer => ({
  status: 200,
  body: `{"messages":[${messages.join(',')}],"seq":${seq}}`,
});

const keyOf = (room: RoomName, peer: PeerId): string => `${room}/${peer}`;

const statusOf = (replies: ServerMessage[]): number => {
  const refused = replies.filter((reply) => reply.type === 'error');
  const first = refused[0];
  return first && refused.length === replies.length ? fateOf(first.code).status : 200;
};
