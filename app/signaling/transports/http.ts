/** The same conversation over plain HTTP requests: join, messages, events by long-poll or as a stream, leave. */
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
  type Signaling,
} from '../handle-message.ts';
import { joinAdmitted, joinRoom } from '../join.ts';
import { occupancyOf } from '../occupancy.ts';
import { countReplay, refuseReplay } from '../replay.ts';
import { EventStream, type Streamed, silence, type Traffic } from './event-stream.ts';
import { LongPoll } from './long-poll.ts';

/** `body` is JSON text; `refused` is the code when all of it is a refusal, `retry` the ms after which to try again. */
export type HttpAnswer = { status: number; body: string; refused?: ErrorCode; retry?: number | undefined };

/**
 * What this process keeps of a peer between its requests: `seen` is when the last one came, `renewIceAt` when its ICE servers
 * are to be replaced (0: whether they age is not known).
 */
type Visitor = {
  room: RoomName;
  peer: PeerId;
  /** Its client address, as of its last request. */
  address: string | undefined;
  seat: SeatBudget;
  poll?: LongPoll;
  stream?: EventStream;
  seen: number;
  renewIceAt: number;
};
/** A peer whose session is sound; `waits`: to be let in; `seq`: the number of the room's last event then. */
type Known = { id: PeerId; secretHash: string; session: string; waits: boolean; seq: number };
/** Told of every stream that is over. */
export type Streams = { streamed(stream: Streamed): void };
/** Who asks for a stream, and its answer's beginning: headers, then what is written as it comes. */
export type Asking = Pick<Streamed, 'reqId' | 'ip'> & { begin(): ServerResponse };

export const refusalAnswer = (refusal: Refusal): HttpAnswer => ({
  status: errors[refusal.refused].status,
  body: JSON.stringify(errorMessage(refusal)),
  refused: refusal.refused,
  retry: retryOf(refusal),
});

export class HttpConversations {
  readonly #visitors = new Map<string, Visitor>();
  readonly #streams = new Map<EventStream, Visitor>();
  readonly #signaling: Signaling;
  readonly #told: Streams;
  #draining = false;

  constructor(signaling: Signaling, told: Streams) {
    this.#signaling = signaling;
    this.#told = told;
  }

  /** `POST …/join`: the body is the `join` message; `type` may be left out. */
  async join(room: RoomName, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const message = join.omit({ type: true }).safeParse(body);
    if (!message.success) return refusalAnswer(explain(message.error, 'join'));
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => fanout.displace(room, peer);
    const entered = await joinRoom(this.#signaling, room, message.data, this.#heardUntil(), attach, caller);
    if ('refused' in entered) return refusalAnswer(entered);
    this.#visitor(room, entered.first.self.id, caller, entered.isNew).renewIceAt = entered.renewIceAt;
    // What was missed comes with the next request for events, so the number to ask after stays the peer's own.
    return { status: 200, body: encodeMessage(entered.first) };
  }

  /**
   * `POST …/messages`: one message or several, in order, up to the first that is to be sent again (what follows it would be
   * out of order) or that leaves. The status is that of the first refusal when nothing was accepted.
   */
  async messages(room: RoomName, session: string | undefined, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#recognise(room, session, caller);
    if ('refused' in known) return refusalAnswer(known);
    const posted = postedMessages.safeParse(body);
    if (!posted.success) return refusalAnswer(refuse('bad-message', 'a message or an array of them is wanted'));
    const replies: ServerMessage[] = [];
    const purse = addressBuckets(this.#signaling, caller);
    for (const json of Array.isArray(posted.data) ? posted.data : [posted.data]) {
      const reply = await this.#speak(room, known.id, json, caller, purse);
      // An acknowledgement covers those right before it, but not an error between them.
      if (reply.type === 'ack' && replies.at(-1)?.type === 'ack') replies.pop();
      replies.push(reply);
      if ((reply.type === 'error' && reply.retry !== undefined) || reply.type === 'bye') break;
    }
    return { status: statusOf(replies), body: JSON.stringify({ messages: replies }) };
  }

  /**
   * `GET …/events`: what came after number `after`; waits up to `wait` seconds for something to come. `gone` is called
   * back when the client is no longer there to be answered.
   */
  async events(
    room: RoomName,
    session: string | undefined,
    { after, wait }: { after: number; wait: number },
    caller: Caller,
    gone: (callback: () => void) => void,
  ): Promise<HttpAnswer> {
    const known = await this.#recognise(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    if (this.#draining) return refusalAnswer(refuse('draining'));
    const waitMs = Math.min(wait * 1000, this.#signaling.limits.pollWait);
    const visitor = this.#visitor(room, known.id, caller);
    const tooSoon = this.#refuseEvents(visitor, caller);
    if (tooSoon) return refusalAnswer(tooSoon);
    const poll = new LongPoll(this.#signaling, room, known, waitMs);
    visitor.poll = poll;
    let there = true;
    gone(() => {
      there = false;
      poll.finish();
    });
    try {
      await this.#expect(room, known, waitMs);
      const missed = await this.#missed(room, known, after, visitor, caller);
      if ('refused' in missed) return refusalAnswer(missed);
      const entries = await poll.gather(missed);
      // Who leaves by another request is not refused anything.
      if (poll.ended?.refused === 'left') return eventsAnswer([this.#bye(room, known.id, poll.ended)], after);
      if (poll.ended) return refusalAnswer(poll.ended);
      const { messages, seq = after } = await this.#tell(room, known, entries);
      // What nobody is there to get is given again.
      return eventsAnswer(there ? [...messages, ...this.#renewal(visitor)] : messages, seq);
    } finally {
      poll.finish();
      if (visitor.poll === poll) delete visitor.poll;
      await this.#expectAgain(room, known.id);
    }
  }

  /** `GET …/events` as a stream; only a refusal is an answer. Otherwise the stream is open when this resolves. */
  async stream(
    room: RoomName,
    session: string | undefined,
    after: number,
    caller: Caller,
    { begin, ...asking }: Asking,
  ): Promise<HttpAnswer | undefined> {
    const known = await this.#recognise(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    const visitor = this.#visitor(room, known.id, caller);
    const tooSoon = this.#refuseEvents(visitor, caller);
    if (tooSoon) return refusalAnswer(tooSoon);
    if (!this.#signaling.addresses.hasRoomFor('connections', asking.ip)) return refusalAnswer(tooManyConnections());
    const stream = new EventStream(this.#signaling, room, known);
    try {
      await this.#expect(room, known, silence(this.#signaling));
      const missed = await this.#missed(room, known, after, visitor, caller);
      if ('refused' in missed) return refusalAnswer(missed);
      if (!stream.starting) return refusalAnswer(refuse('replaced'));
      if (this.#draining) return refusalAnswer(refuse('draining'));
      stream.open(begin(), after, missed, this.#keep(stream, visitor, { ...asking, room, peer: known.id }));
      return undefined;
    } finally {
      if (stream.starting) {
        stream.abandon();
        await this.#expectAgain(room, known.id);
      }
    }
  }

  /** `POST …/leave`: the body is the `leave` message; `type` may be left out. */
  async leave(room: RoomName, session: string | undefined, body: unknown, caller: Caller): Promise<HttpAnswer> {
    const known = await this.#recognise(room, session, caller);
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

  /** Counts the body of a request against what its address may send. */
  chargeBody(bytes: number, address: string): Refusal | undefined {
    const { addresses, clock } = this.#signaling;
    const wait = bytes > 0 ? addresses.take('bytes', address, clock(), bytes * bodyPrice) : 0;
    return wait > 0 ? tooOften(wait) : undefined;
  }

  /** What was counted of a body that turned out to be shorter. */
  giveBackBody(bytes: number, address: string): void {
    const { addresses, clock } = this.#signaling;
    addresses.giveBack('bytes', address, clock(), bytes * bodyPrice);
  }

  /** Why a request with a large body need not be read: there is no such session. */
  async refuseStranger(room: RoomName, session: string | undefined): Promise<Refusal | undefined> {
    const known = session === undefined ? undefined : readSession(session);
    if (!known) return refuse(session === undefined ? 'not-joined' : 'unknown-session');
    const { store } = this.#signaling;
    const asked = await store.commit(room, (place) => ({
      events: [],
      result: (place.peers.get(known.id) ?? place.waiting.get(known.id))?.secretHash === known.secretHash,
    }));
    if ('refused' in asked) return asked;
    return asked.result ? undefined : refuse('unknown-session');
  }

  /** `GET …/inside`. */
  async inside(room: RoomName, caller: Caller): Promise<HttpAnswer> {
    const told = await occupancyOf(this.#signaling, room, caller);
    return 'refused' in told ? refusalAnswer(told) : { status: 200, body: JSON.stringify(told) };
  }

  /** Lets time pass: ends the waits that are over, forgets who has not asked for long. */
  tick(now: number): void {
    const { pollWait, pollGrace, rules } = this.#signaling.limits;
    for (const [stream, { seen }] of this.#streams) stream.tick(now, seen);
    for (const visitor of this.#visitors.values()) {
      const { poll, stream, seen, renewIceAt } = visitor;
      if (poll && Math.min(poll.deadline, renewIceAt) <= now) poll.finish();
      if (stream?.isOpen) for (const text of this.#renewal(visitor)) stream.tell(text);
      if (!poll && !stream && seen + pollWait + pollGrace + rules.grace < now) this.#forget(visitor.room, visitor.peer);
    }
  }

  /** Tells everyone who waits to come back elsewhere or later. */
  drain(): void {
    this.#draining = true;
    for (const { poll } of this.#visitors.values()) poll?.end(comeBackLater());
    for (const stream of this.#streams.keys()) stream.end(comeBackLater());
  }

  /** The peer whose session it is; heard of now, whatever it listens on. `command`: what its request is to the room. */
  async #recognise(
    room: RoomName,
    session: string | undefined,
    caller: Caller,
    command = hear,
  ): Promise<Known | Refusal> {
    if (session === undefined) return refuse('not-joined', 'no session in the Authorization header');
    const known = readSession(session);
    if (!known) return refuse('unknown-session');
    const until = this.#heardUntil(this.#visitors.get(keyOf(room, known.id))?.stream ? silence(this.#signaling) : 0);
    const { store } = this.#signaling;
    const who = { ...known, until, worker: store.worker };
    const heard = await store.commit(room, (place, now) => command(place, who, now));
    if ('refused' in heard) return heard;
    this.#visitor(room, known.id, caller);
    return { ...known, session, waits: heard.result.waits, seq: heard.seq };
  }

  /** Given right after the peer's receiver was attached, so that the last to attach also says how long it waits (ms). */
  async #expect(room: RoomName, { id, secretHash }: Known, wait: number): Promise<void> {
    const { store } = this.#signaling;
    const who = { id, secretHash, until: this.#heardUntil(wait), worker: store.worker };
    const command = wait > 0 ? listenAndWait : listen;
    await store.commit(room, (place, now) => command(place, who, now));
  }

  /** What is asked for again and again is not sent again and again. */
  #refuseEvents({ seat }: Visitor, caller: Caller): Refusal | undefined {
    return seat.request(this.#signaling.clock()) ? refuseReplay(this.#signaling, seat, caller) : refuse('rate-limited');
  }

  /** The room's events after a number, as far as the peer may know of them. */
  async #missed(
    room: RoomName,
    known: Known,
    after: number,
    { seat }: Visitor,
    caller: Caller,
  ): Promise<RoomLogEntry[] | Refusal> {
    const entries = await this.#signaling.store.since(room, after);
    if (entries === 'gone') return refuse('events-gone');
    if ('refused' in entries) return entries;
    countReplay(this.#signaling, seat, caller, entries);
    return eventsFor(entries, known.id, known);
  }

  /** A request for events is over; unless a newer one waits, the next has the grace of the polling to come. */
  async #expectAgain(room: RoomName, peer: PeerId): Promise<void> {
    const visitor = this.#visitors.get(keyOf(room, peer));
    // Without one it has left.
    if (!visitor || visitor.poll || visitor.stream) return;
    const until = this.#heardUntil();
    const { store } = this.#signaling;
    await store.commit(room, (place, now) => expectBy(place, peer, until, now, store.worker));
  }

  async #speak(
    room: RoomName,
    peer: PeerId,
    json: unknown,
    caller: Caller,
    purse: AddressBuckets,
  ): Promise<ServerMessage> {
    const { counts, limits, clock, log } = this.#signaling;
    const bytes = sizeOf(json, limits.messageBytes);
    const { seat } = this.#visitor(room, peer, caller);
    // The bytes of the body were counted when it came.
    const now = clock();
    if (seat.take(bytes, now) !== 'within') return countedError(counts, refuse('rate-limited'), numberIn(json));
    const message = check(json, bytes, limits.messageBytes);
    if ('refused' in message) return countedError(counts, message);
    const over = chargeAddress(this.#signaling, room, purse, message, now);
    if (over) return countedError(counts, over, numberOf(message));
    if (message.type === 'leave') {
      await this.#leave(room, peer, message.mayReturn);
      return byeMessage(refuse('left'));
    }
    try {
      return await handleMessage(this.#signaling, room, peer, message, caller);
    } catch (error) {
      log.warn({ err: error, room }, 'a command could not be carried out');
      return countedError(counts, refuse('internal'), numberOf(message));
    }
  }

  /** What a peer is told of events: as JSON texts, up to the end of its session, or from the moment it was let in. */
  async #tell(
    room: RoomName,
    { id, session, waits }: Known,
    entries: RoomLogEntry[],
  ): Promise<{ messages: string[]; seq?: number | undefined }> {
    const seq = entries.at(-1)?.seq;
    const over = entries.findIndex(({ event }) => endedBy(event, id, waits));
    if (over >= 0) {
      const last = entries[over];
      const code = (last && endedBy(last.event, id, waits)) ?? 'room-ended';
      const before = waits ? [] : entries.slice(0, over).filter(({ event }) => concerns(event, id));
      const told = this.#asManyAsFit(before, seq);
      // What is left out is no loss: nothing follows it.
      return { messages: [...told.messages, this.#bye(room, id, refuse(code))], seq };
    }
    const admission = entries.find(({ event }) => admits(event, id));
    if (admission) {
      const entered = await joinAdmitted(this.#signaling, room, session, this.#heardUntil(), admission.seq);
      if ('refused' in entered) return { messages: [this.#bye(room, id, entered)], seq };
      // What came since is for the next request.
      return { messages: [encodeMessage(entered.first)], seq: entered.first.seq };
    }
    const matters = waits ? concernsAtTheDoor : concerns;
    return this.#asManyAsFit(
      entries.filter(({ event }) => matters(event, id)),
      seq,
    );
  }

  /** One answer has no more than may wait unread; the rest is for the next request. `seq`: the number when all of it fits. */
  #asManyAsFit(entries: RoomLogEntry[], seq?: number): { messages: string[]; seq?: number | undefined } {
    const messages: string[] = [];
    let room = this.#signaling.limits.unsentBytes;
    for (const [at, entry] of entries.entries()) {
      const text = encode(entry);
      room -= text.length;
      if (room < 0 && messages.length > 0) return { messages, seq: entries[at - 1]?.seq };
      messages.push(text);
    }
    return { messages, seq };
  }

  #bye(room: RoomName, peer: PeerId, refusal: Refusal): string {
    this.#signaling.counts.refused[refusal.refused] += 1;
    this.#forget(room, peer);
    return encodeMessage(byeMessage(refusal));
  }

  /** Other ICE servers for the peer, when those it has are to be replaced. */
  #renewal(visitor: Visitor): string[] {
    const now = this.#signaling.clock();
    if (visitor.renewIceAt > now) return [];
    const { servers, renewAt } = this.#signaling.ice(visitor.peer, visitor.address, now);
    visitor.renewIceAt = renewAt;
    return renewAt === Number.POSITIVE_INFINITY ? [] : [encodeMessage({ type: 'ice', ice: servers })];
  }

  /** Lets time reach an open stream. @returns what is to be told its end */
  #keep(stream: EventStream, visitor: Visitor, asking: Omit<Streamed, keyof Traffic>): (traffic: Traffic) => void {
    const { addresses, counts } = this.#signaling;
    const { streams } = counts;
    addresses.hold('connections', asking.ip);
    visitor.stream = stream;
    this.#streams.set(stream, visitor);
    streams.opened += 1;
    return (traffic) => {
      streams.closed += 1;
      addresses.hold('connections', asking.ip, -1);
      this.#streams.delete(stream);
      if (visitor.stream === stream) delete visitor.stream;
      this.#told.streamed({ ...asking, ...traffic });
    };
  }

  #visitor(room: RoomName, peer: PeerId, { address }: Caller, isNew = false): Visitor {
    const { clock, seats } = this.#signaling;
    const now = clock();
    const key = keyOf(room, peer);
    const known = this.#visitors.get(key);
    if (known) return Object.assign(known, { seen: now, address });
    const seat = seats.open(room, peer, now, isNew);
    const visitor = { room, peer, address, seat, seen: now, renewIceAt: 0 };
    this.#visitors.set(key, visitor);
    return visitor;
  }

  #forget(room: RoomName, peer: PeerId): void {
    if (this.#visitors.delete(keyOf(room, peer))) this.#signaling.seats.release(room, peer);
  }

  #heardUntil(wait = 0): number {
    return this.#signaling.clock() + wait + this.#signaling.limits.pollGrace;
  }
}

/** A byte of a body may cost several times what one of a WebSocket's message does: it is parsed in one piece. */
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
