/** Requests for events over plain HTTP: by long polling, or as a stream. */
import type { ServerResponse } from 'node:http';
import { largestNetwork } from '../../budgets/address.ts';
import { type Refusal, refuse } from '../../protocol/errors.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import type { RoomLogEntry } from '../../rooms/event-log.ts';
import { listen } from '../../rooms/presence.ts';
import { admits, concerns, concernsAtTheDoor, endedBy } from '../../rooms/room.ts';
import { eventsFor } from '../../rooms/view.ts';
import { type Caller, tooManyConnections } from '../authorize.ts';
import type { Signaling } from '../context.ts';
import { encode, encodeMessage } from '../encode.ts';
import { byeMessage, comeBackLater } from '../handle-message.ts';
import { joinAdmitted } from '../join.ts';
import { countReplay, refuseReplay } from '../replay.ts';
import { EventStream, type Streamed, silence, type Traffic } from './event-stream.ts';
import { type HttpAnswer, refusalAnswer } from './http-answer.ts';
import type { AuthenticatedPeer, HttpPeers, PeerRecord } from './http-peers.ts';
import { LongPoll } from './long-poll.ts';

/** Receives every stream that has closed, for the log. */
export type Streams = { streamed(stream: Streamed): void };
/** A request for a stream. `begin` sends the headers of its response. */
export type StreamRequest = Pick<Streamed, 'reqId' | 'ip'> & { begin(): ServerResponse };

export class EventRequests {
  /** The open streams; `network`: the key of the client's largest network. */
  readonly #streams = new Map<EventStream, { record: PeerRecord; network: string }>();
  readonly #signaling: Signaling;
  readonly #peers: HttpPeers;
  readonly #streamLog: Streams;
  #draining = false;

  constructor(signaling: Signaling, peers: HttpPeers, streamLog: Streams) {
    this.#signaling = signaling;
    this.#peers = peers;
    this.#streamLog = streamLog;
  }

  /** Long polling: waits up to `wait` seconds if there are no events after number `after`. */
  async poll(
    room: RoomName,
    session: string | undefined,
    { after, wait }: { after: number; wait: number },
    caller: Caller,
    onDisconnect: (callback: () => void) => void,
  ): Promise<HttpAnswer> {
    const known = await this.#peers.authenticate(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    if (this.#draining) return refusalAnswer(refuse('draining'));
    const waitMs = Math.min(wait * 1000, this.#signaling.limits.pollWait);
    const record = this.#peers.record(room, known.id, caller);
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
      await this.#peers.extendPresence(room, known, waitMs);
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
      await this.#peers.expectNextRequest(room, known.id);
    }
  }

  /** @returns the response if it is refused; otherwise the stream is open */
  async stream(
    room: RoomName,
    session: string | undefined,
    after: number,
    caller: Caller,
    { begin, ...request }: StreamRequest,
  ): Promise<HttpAnswer | undefined> {
    const known = await this.#peers.authenticate(room, session, caller, listen);
    if ('refused' in known) return refusalAnswer(known);
    const record = this.#peers.record(room, known.id, caller);
    const overBudget = this.#refuseEvents(record, caller);
    if (overBudget) return refusalAnswer(overBudget);
    if (!this.#signaling.addresses.hasRoomFor('connections', request.ip)) return refusalAnswer(tooManyConnections());
    const stream = new EventStream(this.#signaling, room, known);
    // Before the poll that it has replaced ends, which would otherwise expect the next request soon.
    record.stream = stream;
    try {
      await this.#peers.extendPresence(room, known, silence(this.#signaling));
      const missed = await this.#missedEvents(room, known, after, record, caller);
      if ('refused' in missed) return refusalAnswer(missed);
      if (!stream.starting) return refusalAnswer(refuse('replaced'));
      if (this.#draining) return refusalAnswer(refuse('draining'));
      stream.open(begin(), after, missed, this.#track(stream, record, { ...request, room, peer: known.id }));
      return undefined;
    } finally {
      if (!this.#streams.has(stream)) {
        stream.abandon();
        if (record.stream === stream) delete record.stream;
        await this.#peers.expectNextRequest(room, known.id);
      }
    }
  }

  /** Called periodically: counts unsent bytes, ends the polls that are due, and forgets peers without a recent request. */
  tick(now: number): void {
    const { pollWait, pollGrace, rules } = this.#signaling.limits;
    for (const [stream, { record, network }] of this.#streams) {
      stream.tick(now, record.lastRequest);
      stream.countUnsent(network);
    }
    for (const record of this.#peers.records()) {
      const { poll, stream, lastRequest, renewIceAt } = record;
      if (poll && Math.min(poll.deadline, renewIceAt) <= now) poll.finish();
      if (stream?.isOpen) for (const text of this.#iceRenewal(record)) stream.tell(text);
      const keptUntil = lastRequest + pollWait + pollGrace + rules.grace;
      if (!poll && !stream && keptUntil < now) this.#peers.forget(record.room, record.peer);
    }
  }

  /** Ends every poll and stream with `draining`, so that its client reconnects elsewhere or later. */
  drain(): void {
    this.#draining = true;
    for (const { poll } of this.#peers.records()) poll?.end(comeBackLater());
    for (const stream of this.#streams.keys()) stream.end(comeBackLater());
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
    if ('refused' in entries) return entries;
    countReplay(this.#signaling, seat, caller, entries);
    return eventsFor(entries, known.id, known);
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
      const result = await joinAdmitted(this.#signaling, room, session, this.#peers.presentUntil(), admission.seq);
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
    this.#peers.forget(room, peer);
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
    this.#streams.set(stream, { record, network: largestNetwork(request.ip) });
    streams.opened += 1;
    return (traffic) => {
      streams.closed += 1;
      addresses.hold('connections', request.ip, -1);
      this.#streams.delete(stream);
      if (record.stream === stream) delete record.stream;
      this.#streamLog.streamed({ ...request, ...traffic });
    };
  }
}

const eventsAnswer = (messages: string[], seq: number): HttpAnswer => ({
  status: 200,
  body: `{"messages":[${messages.join(',')}],"seq":${seq}}`,
});
