/** The same conversation over plain HTTP requests: join, messages, events by long-poll or as a stream, leave. */
import type { ServerResponse } from 'node:http';
import { readSession } from '../auth/session.ts';
import { check, explain, type Incoming } from '../protocol/decode.ts';
import { type ErrorCode, errors, fateOf, type Refusal, refuse } from '../protocol/errors.ts';

import { join, type PeerId, postedMessages, type RoomName, type ServerMessage } from '../protocol/messages.ts';
import type { Entry } from '../rooms/log.ts';
import * as rooms from '../rooms/room.ts';
import { depart, enter, errorMessage, numberOf, type Signaling, speak, told } from './conversation.ts';
import { encode } from './encode.ts';
import type { Receiver } from './fanout.ts';
import { TokenBucket } from './rate.ts';
import { EventStream, type Streamed, silence, type Traffic } from './stream.ts';

/** `body` is JSON text; `refused` is the code when all of it is a refusal. */
export type Answer = { status: number; body: string; refused?: ErrorCode };

/** A request for events that waits. `over` settles when something came, or nothing will; `ended` says why it was ended. */
type Poll = {
  receiver: Receiver;
  deadline: number;
  heard: Entry[];
  ended?: Refusal;
  over: Promise<void>;
  finish(): void;
};
/** What this process keeps of a peer between its requests: `seen` is when the last one came. */
type Visitor = { bucket: TokenBucket; poll?: Poll; stream?: EventStream; seen: number };
/** A peer whose session is sound. */
type Known = { id: PeerId; secretHash: string };
/** Told of every stream that is over. */
export type Streams = { streamed(stream: Streamed): void };
/** Who asks for a stream, and its answer's beginning: headers, then what is written as it comes. */
export type Asking = Pick<Streamed, 'reqId' | 'ip'> & { begin(): ServerResponse };

export const refusalAnswer = (refusal: Refusal): Answer => ({
  status: errors[refusal.refused].status,
  body: JSON.stringify(errorMessage(refusal)),
  refused: refusal.refused,
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
  async join(room: RoomName, body: unknown): Promise<Answer> {
    const message = join.omit({ type: true }).safeParse(body);
    if (!message.success) return refusalAnswer(explain(message.error, 'join'));
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => fanout.displace(room, peer);
    const entered = await enter(this.#signaling, room, message.data, this.#heardUntil(), attach);
    if ('refused' in entered) return refusalAnswer(entered);
    // What was missed comes with the next request for events, so the number to ask after stays the peer's own.
    return { status: 200, body: JSON.stringify(entered.joined) };
  }

  /**
   * `POST …/messages`: one message or several, in order, up to the first that is to be sent again: what follows it would be
   * out of order. The status is that of the first refusal when nothing was accepted.
   */
  async messages(room: RoomName, session: string | undefined, body: unknown): Promise<Answer> {
    const known = await this.#recognise(room, session);
    if ('refused' in known) return refusalAnswer(known);
    const posted = postedMessages.safeParse(body);
    if (!posted.success) return refusalAnswer(refuse('bad-message', 'a message or an array of them is wanted'));
    const replies: ServerMessage[] = [];
    for (const json of Array.isArray(posted.data) ? posted.data : [posted.data]) {
      const reply = await this.#speak(room, known.id, json);
      // An acknowledgement covers those right before it, but not an error between them.
      if (reply?.type === 'ack' && replies.at(-1)?.type === 'ack') replies.pop();
      if (reply) replies.push(reply);
      if (reply?.type === 'error' && reply.retry !== undefined) break;
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
    gone: (callback: () => void) => void,
  ): Promise<Answer> {
    const known = await this.#recognise(room, session);
    if ('refused' in known) return refusalAnswer(known);
    if (this.#draining) return refusalAnswer(refuse('draining'));
    const waitMs = Math.min(wait * 1000, this.#signaling.limits.pollWait);
    const poll = this.#startPoll(room, known.id, waitMs);
    gone(poll.finish);
    try {
      await this.#expect(room, known, waitMs);
      const kept = await this.#signaling.store.since(room, after);
      if (kept === 'gone') return refusalAnswer(refuse('events-gone'));
      if (!kept.some(({ event }) => rooms.concerns(event, known.id))) await poll.over;
      const last = kept.at(-1)?.seq ?? after;
      return poll.ended
        ? refusalAnswer(poll.ended)
        : eventsAnswer(known.id, after, [...kept, ...poll.heard.filter(({ seq }) => seq > last)]);
    } finally {
      poll.finish();
      await this.#expectAgain(room, known.id);
    }
  }

  /** `GET …/events` as a stream; only a refusal is an answer. Otherwise the stream is open when this resolves. */
  async stream(
    room: RoomName,
    session: string | undefined,
    after: number,
    { begin, ...asking }: Asking,
  ): Promise<Answer | undefined> {
    const known = await this.#recognise(room, session);
    if ('refused' in known) return refusalAnswer(known);
    const stream = new EventStream(this.#signaling, room, known.id);
    try {
      await this.#expect(room, known, silence(this.#signaling));
      const missed = await this.#signaling.store.since(room, after);
      if (missed === 'gone') return refusalAnswer(refuse('events-gone'));
      if (!stream.starting) return refusalAnswer(refuse('replaced'));
      if (this.#draining) return refusalAnswer(refuse('draining'));
      stream.open(begin(), after, missed, this.#keep(stream, { ...asking, room, peer: known.id }));
      return undefined;
    } finally {
      if (stream.starting) {
        stream.abandon();
        await this.#expectAgain(room, known.id);
      }
    }
  }

  /** `POST …/leave`. */
  async leave(room: RoomName, session: string | undefined): Promise<Answer> {
    const known = await this.#recognise(room, session);
    if ('refused' in known) return refusalAnswer(known);
    this.#signaling.fanout.displace(room, known.id);
    await depart(this.#signaling, room, known.id, 'left');
    this.#visitors.delete(keyOf(room, known.id));
    return { status: 204, body: '' };
  }

  /** Lets time pass: ends the waits that are over, forgets who has not asked for long. */
  tick(now: number): void {
    const { pollWait, pollGrace, grace } = this.#signaling.limits;
    for (const [stream, { seen }] of this.#streams) stream.tick(now, seen);
    for (const [key, { poll, stream, seen }] of this.#visitors) {
      if (poll && poll.deadline <= now) poll.finish();
      if (!poll && !stream && seen + pollWait + pollGrace + grace < now) this.#visitors.delete(key);
    }
  }

  /** Tells everyone who waits to come back elsewhere or later. */
  drain(): void {
    this.#draining = true;
    for (const { poll } of this.#visitors.values()) if (poll) endPoll(poll, refuse('draining'));
    for (const stream of this.#streams.keys()) stream.end(refuse('draining'));
  }

  /** The peer whose session it is; heard of now, whatever it listens on. */
  async #recognise(room: RoomName, session: string | undefined): Promise<Known | Refusal> {
    if (session === undefined) return refuse('not-joined', 'no session in the Authorization header');
    const known = readSession(session);
    if (!known) return refuse('unknown-session');
    const until = this.#heardUntil(this.#visitors.get(keyOf(room, known.id))?.stream ? silence(this.#signaling) : 0);
    const heard = await this.#signaling.store.commit(room, (place) =>
      rooms.hear(place, known.id, known.secretHash, until),
    );
    if ('refused' in heard) return heard;
    this.#visitor(room, known.id);
    return known;
  }

  /** Given right after the peer's receiver was attached, so that the last to attach also says how long it waits (ms). */
  async #expect(room: RoomName, { id, secretHash }: Known, wait: number): Promise<void> {
    const until = this.#heardUntil(wait);
    await this.#signaling.store.commit(room, (place) => rooms.resume(place, id, secretHash, until));
  }

  async #expectAgain(room: RoomName, peer: PeerId): Promise<void> {
    const until = this.#heardUntil();
    await this.#signaling.store.commit(room, (place) => rooms.expectBy(place, peer, until));
  }

  #check(json: unknown): Incoming | Refusal {
    const { messageBytes } = this.#signaling.limits;
    const bytes = Buffer.byteLength(JSON.stringify(json));
    return bytes > messageBytes ? refuse('too-long', `${bytes} bytes, at most ${messageBytes}`) : check(json);
  }

  async #speak(room: RoomName, peer: PeerId, json: unknown): Promise<ServerMessage | undefined> {
    const { counts, clock } = this.#signaling;
    const message = this.#check(json);
    const owed = this.#visitor(room, peer).bucket.take(clock());
    if ('refused' in message) return told(counts, owed > 0 ? refuse('rate-limited') : message);
    return owed > 0
      ? told(counts, refuse('rate-limited'), numberOf(message))
      : speak(this.#signaling, room, peer, message);
  }

  /** Lets time reach an open stream. @returns what is to be told its end */
  #keep(stream: EventStream, asking: Omit<Streamed, keyof Traffic>): (traffic: Traffic) => void {
    const { streams } = this.#signaling.counts;
    const visitor = this.#visitor(asking.room, asking.peer);
    visitor.stream = stream;
    this.#streams.set(stream, visitor);
    streams.opened += 1;
    return (traffic) => {
      streams.closed += 1;
      this.#streams.delete(stream);
      if (visitor.stream === stream) delete visitor.stream;
      this.#told.streamed({ ...asking, ...traffic });
    };
  }

  /** Hears the room from now on, until an event for the peer, the deadline, another connection or the client's end. */
  #startPoll(room: RoomName, peer: PeerId, wait: number): Poll {
    const { fanout, store, clock } = this.#signaling;
    const visitor = this.#visitor(room, peer);
    const { promise, resolve } = Promise.withResolvers<void>();
    // Every event of the room is heard, not only the peer's own: the number to ask after next has to move on, or a peer
    // that is told nothing for long would fall off the end of the log.
    const unsubscribe = store.subscribe(room, (entry) => poll.heard.push(entry));
    const poll: Poll = {
      receiver: {
        deliver: () => resolve(),
        replaced: () => endPoll(poll, refuse('replaced')),
      },
      deadline: clock() + wait,
      heard: [],
      over: promise,
      finish: () => {
        unsubscribe();
        fanout.detach(room, peer, poll.receiver);
        if (visitor.poll === poll) delete visitor.poll;
        resolve();
      },
    };
    fanout.attach(room, peer, poll.receiver);
    visitor.poll = poll;
    if (wait === 0) resolve();
    return poll;
  }

  #visitor(room: RoomName, peer: PeerId): Visitor {
    const now = this.#signaling.clock();
    const key = keyOf(room, peer);
    const visitor = this.#visitors.get(key) ?? { bucket: new TokenBucket(this.#signaling.limits, now), seen: now };
    visitor.seen = now;
    this.#visitors.set(key, visitor);
    return visitor;
  }

  #heardUntil(wait = 0): number {
    return this.#signaling.clock() + wait + this.#signaling.limits.pollGrace;
  }
}

const eventsAnswer = (peer: PeerId, after: number, entries: Entry[]): Answer => {
  const texts = entries.filter(({ event }) => rooms.concerns(event, peer)).map(encode);
  return { status: 200, body: `{"messages":[${texts.join(',')}],"seq":${entries.at(-1)?.seq ?? after}}` };
};

const endPoll = (poll: Poll, reason: Refusal): void => {
  poll.ended = reason;
  poll.finish();
};

const keyOf = (room: RoomName, peer: PeerId): string => `${room}/${peer}`;

const statusOf = (replies: ServerMessage[]): number => {
  const refused = replies.filter((reply) => reply.type === 'error');
  const first = refused[0];
  return first && refused.length === replies.length ? fateOf(first.code).status : 200;
};
