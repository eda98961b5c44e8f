/** The same conversation over plain HTTP requests: join, messages, events by long-poll, leave. */
import { readSession } from '../auth/session.ts';
import { check, explain } from '../protocol/decode.ts';
import { type ErrorCode, errors, fateOf, type Refusal, refuse, retryOf } from '../protocol/errors.ts';
import { join, type PeerId, postedMessages, type RoomName, type ServerMessage } from '../protocol/messages.ts';
import { hear, listen } from '../rooms/entering.ts';
import { expectBy } from '../rooms/leaving.ts';
import type { Entry } from '../rooms/log.ts';
import { concerns } from '../rooms/room.ts';
import type { Caller } from './admit.ts';
import { depart, enter, errorMessage, numberOf, type Signaling, speak, told } from './conversation.ts';
import { encode, encodeMessage } from './encode.ts';
import type { Receiver } from './fanout.ts';
import { Allowance } from './rate.ts';

/** `body` is JSON text; `refused` is the code when all of it is a refusal, `retry` the ms after which to try again. */
export type Answer = { status: number; body: string; refused?: ErrorCode; retry?: number | undefined };

/** A request for events that waits. `over` settles when something came, or nothing will. */
type Poll = {
  receiver: Receiver;
  deadline: number;
  heard: Entry[];
  replaced: boolean;
  over: Promise<void>;
  finish(): void;
};
/** What this process keeps of a peer between its requests; `renewIceAt` 0: whether its ICE servers age is not known. */
type Visitor = { allowance: Allowance; poll?: Poll; seen: number; renewIceAt: number };

export const refusalAnswer = (refusal: Refusal): Answer => ({
  status: errors[refusal.refused].status,
  body: JSON.stringify(errorMessage(refusal)),
  refused: refusal.refused,
  retry: retryOf(refusal),
});

export class HttpConversations {
  readonly #visitors = new Map<string, Visitor>();
  readonly #signaling: Signaling;

  constructor(signaling: Signaling) {
    this.#signaling = signaling;
  }

  /** `POST …/join`: the body is the `join` message; `type` may be left out. */
  async join(room: RoomName, body: unknown, caller: Caller): Promise<Answer> {
    const message = join.omit({ type: true }).safeParse(body);
    if (!message.success) return refusalAnswer(explain(message.error, 'join'));
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => fanout.displace(room, peer);
    const entered = await enter(this.#signaling, room, message.data, this.#heardUntil(), attach, caller);
    if ('refused' in entered) return refusalAnswer(entered);
    this.#visitor(room, entered.first.self.id).renewIceAt = entered.renewIceAt;
    // What was missed comes with the next request for events, so the number to ask after stays the peer's own.
    return { status: 200, body: JSON.stringify(entered.first) };
  }

  /** `POST …/messages`: one message or several. The status is that of the first refusal when nothing was accepted. */
  async messages(room: RoomName, session: string | undefined, body: unknown, caller: Caller): Promise<Answer> {
    const peer = await this.#recognise(room, session);
    if (typeof peer !== 'string') return refusalAnswer(peer);
    const posted = postedMessages.safeParse(body);
    if (!posted.success) return refusalAnswer(refuse('bad-message', 'a message or an array of them is wanted'));
    const replies: ServerMessage[] = [];
    for (const json of Array.isArray(posted.data) ? posted.data : [posted.data]) {
      const reply = await this.#speak(room, peer, json, caller);
      if (reply) replies.push(reply);
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
    const waitMs = Math.min(wait * 1000, this.#signaling.limits.pollWait);
    const peer = await this.#recognise(room, session, listen, waitMs);
    if (typeof peer !== 'string') return refusalAnswer(peer);
    const poll = this.#startPoll(room, peer, waitMs);
    let there = true;
    gone(() => {
      there = false;
      poll.finish();
    });
    try {
      const kept = await this.#signaling.store.since(room, after);
      if (kept === 'gone') return refusalAnswer(refuse('events-gone'));
      if (!kept.some(({ event }) => concerns(event, peer))) await poll.over;
      const last = kept.at(-1)?.seq ?? after;
      if (poll.replaced) return refusalAnswer(refuse('replaced'));
      const entries = [...kept, ...poll.heard.filter(({ seq }) => seq > last)];
      return eventsAnswer(peer, after, entries, there ? this.#renewal(room, peer) : []);
    } finally {
      poll.finish();
      await this.#expectAgain(room, peer);
    }
  }

  /** `POST …/leave`. */
  async leave(room: RoomName, session: string | undefined): Promise<Answer> {
    const peer = await this.#recognise(room, session);
    if (typeof peer !== 'string') return refusalAnswer(peer);
    this.#signaling.fanout.displace(room, peer);
    await depart(this.#signaling, room, peer, 'left');
    this.#visitors.delete(keyOf(room, peer));
    return { status: 204, body: '' };
  }

  /** Lets time pass: ends the waits that are over, forgets who has not asked for long. */
  tick(now: number): void {
    const { pollWait, pollGrace, rules } = this.#signaling.limits;
    for (const [key, visitor] of this.#visitors) {
      if (visitor.poll && Math.min(visitor.poll.deadline, visitor.renewIceAt) <= now) visitor.poll.finish();
      if (!visitor.poll && visitor.seen + pollWait + pollGrace + rules.grace < now) this.#visitors.delete(key);
    }
  }

  /** Answers everyone who waits. */
  drain(): void {
    for (const { poll } of this.#visitors.values()) poll?.finish();
  }

  /** The peer whose session it is; heard of now, and expected again in `wait` ms and the grace of the polling. */
  async #recognise(
    room: RoomName,
    session: string | undefined,
    command: typeof hear = hear,
    wait = 0,
  ): Promise<PeerId | Refusal> {
    if (session === undefined) return refuse('not-joined', 'no session in the Authorization header');
    const known = readSession(session);
    if (!known) return refuse('unknown-session');
    const heard = await this.#signaling.store.commit(room, (place) =>
      command(place, { ...known, until: this.#heardUntil(wait) }, this.#signaling.limits.rules),
    );
    return 'refused' in heard ? heard : known.id;
  }

  /** A request for events is over; unless a newer one waits, the next has the grace of the polling to come. */
  async #expectAgain(room: RoomName, peer: PeerId): Promise<void> {
    if (this.#visitor(room, peer).poll) return;
    const expected = this.#heardUntil();
    await this.#signaling.store.commit(room, (place) => expectBy(place, peer, expected));
  }

  async #speak(room: RoomName, peer: PeerId, json: unknown, caller: Caller): Promise<ServerMessage | undefined> {
    const { counts, limits, clock } = this.#signaling;
    const bytes = Buffer.byteLength(JSON.stringify(json));
    const message =
      bytes > limits.messageBytes ? refuse('too-long', `${bytes} bytes, at most ${limits.messageBytes}`) : check(json);
    if ('refused' in message) return told(counts, message);
    if (this.#visitor(room, peer).allowance.take(bytes, clock()) !== 'within')
      return told(counts, refuse('rate-limited'), numberOf(message));
    return speak(this.#signaling, room, peer, message, caller);
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
        replaced: () => {
          poll.replaced = true;
          poll.finish();
        },
      },
      deadline: clock() + wait,
      heard: [],
      replaced: false,
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

  /** Other ICE servers for the peer, when those it has are to be replaced. */
  #renewal(room: RoomName, peer: PeerId): ServerMessage[] {
    const now = this.#signaling.clock();
    const visitor = this.#visitor(room, peer);
    if (visitor.renewIceAt > now) return [];
    const { servers, renewAt } = this.#signaling.ice(room, peer, now);
    visitor.renewIceAt = renewAt;
    return renewAt === Number.POSITIVE_INFINITY ? [] : [{ type: 'ice', ice: servers }];
  }

  #visitor(room: RoomName, peer: PeerId): Visitor {
    const now = this.#signaling.clock();
    const key = keyOf(room, peer);
    const visitor = this.#visitors.get(key) ?? {
      allowance: new Allowance(this.#signaling.limits, now),
      seen: now,
      renewIceAt: 0,
    };
    visitor.seen = now;
    this.#visitors.set(key, visitor);
    return visitor;
  }

  #heardUntil(wait = 0): number {
    return this.#signaling.clock() + wait + this.#signaling.limits.pollGrace;
  }
}

const eventsAnswer = (peer: PeerId, after: number, entries: Entry[], besides: ServerMessage[]): Answer => {
  const texts = entries.filter(({ event }) => concerns(event, peer)).map(encode);
  const all = [...texts, ...besides.map(encodeMessage)].join(',');
  return { status: 200, body: `{"messages":[${all}],"seq":${entries.at(-1)?.seq ?? after}}` };
};

const keyOf = (room: RoomName, peer: PeerId): string => `${room}/${peer}`;

const statusOf = (replies: ServerMessage[]): number => {
  const refused = replies.filter((reply) => reply.type === 'error');
  const first = refused[0];
  return first && refused.length === replies.length ? fateOf(first.code).status : 200;
};
