/** The peers that use plain HTTP: their sessions, their presence, and what this process keeps about them between requests. */
import { readSession } from '../../auth/session.ts';
import type { SeatBudget } from '../../budgets/seat-budgets.ts';
import { type Refusal, refuse } from '../../protocol/errors.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import { expectBy } from '../../rooms/leave.ts';
import { hear, listen, listenAndWait } from '../../rooms/presence.ts';
import { type Caller, tooOften } from '../authorize.ts';
import type { Signaling } from '../context.ts';
import { type EventStream, silence } from './event-stream.ts';
import type { LongPoll } from './long-poll.ts';

/**
 * What this process keeps about a peer between its requests: `lastRequest` is the time of the last one, `renewIceAt` is when its
 * ICE servers have to be replaced (0: unknown).
 */
export type PeerRecord = {
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
export type AuthenticatedPeer = { id: PeerId; secretHash: string; session: string; waits: boolean; seq: number };

export class HttpPeers {
  readonly #records = new Map<string, PeerRecord>();
  readonly #signaling: Signaling;

  constructor(signaling: Signaling) {
    this.#signaling = signaling;
  }

  /** The records of all peers. */
  records(): Iterable<PeerRecord> {
    return this.#records.values();
  }

  /** Authenticates the session and extends the peer's presence. `command`: what the request does in the room. */
  async authenticate(
    room: RoomName,
    session: string | undefined,
    caller: Caller,
    command = hear,
  ): Promise<AuthenticatedPeer | Refusal> {
    if (session === undefined) return refuse('not-joined', 'no session in the Authorization header');
    const known = readSession(session);
    if (!known) return this.refuseSession(caller);
    const hasStream = this.#records.get(keyOf(room, known.id))?.stream?.isAttached;
    const until = this.presentUntil(hasStream ? silence(this.#signaling) : 0);
    const { store } = this.#signaling;
    const who = { ...known, until, worker: store.worker };
    const committed = await store.commit(room, (current, now) => command(current, who, now));
    if ('refused' in committed) return committed.refused === 'unknown-session' ? this.refuseSession(caller) : committed;
    this.record(room, known.id, caller);
    return { ...known, session, waits: committed.result.waits, seq: committed.seq };
  }

  /** The refusal of an unknown session; it costs as much as a resume, because a restart of the server may also be the cause. */
  refuseSession({ address }: Caller): Refusal {
    const { addresses, clock } = this.#signaling;
    const wait = addresses.take('resumes', address, clock());
    return wait > 0 ? tooOften(wait) : refuse('unknown-session');
  }

  /** Extends the presence by `wait` (ms). Called right after a receiver was attached, so that the last one attached decides. */
  async extendPresence(room: RoomName, { id, secretHash }: AuthenticatedPeer, wait: number): Promise<void> {
    const { store } = this.#signaling;
    const who = { id, secretHash, until: this.presentUntil(wait), worker: store.worker };
    const command = wait > 0 ? listenAndWait : listen;
    await store.commit(room, (current, now) => command(current, who, now));
  }

  /** A request for events has ended: sets the deadline for the next one, unless one is already waiting. */
  async expectNextRequest(room: RoomName, peer: PeerId): Promise<void> {
    const record = this.#records.get(keyOf(room, peer));
    // Without a record, the peer has left.
    if (!record || record.poll || record.stream?.isAttached) return;
    const until = this.presentUntil();
    const { store } = this.#signaling;
    await store.commit(room, (current, now) => expectBy(current, peer, until, now, store.worker));
  }

  /** Gets or creates the record of a peer; called for each of its requests. */
  record(room: RoomName, peer: PeerId, { address }: Caller, isNew = false): PeerRecord {
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

  forget(room: RoomName, peer: PeerId): void {
    if (this.#records.delete(keyOf(room, peer))) this.#signaling.seats.release(room, peer);
  }

  /** Deadline for the next request of a peer whose current one takes `wait` ms. */
  presentUntil(wait = 0): number {
    return this.#signaling.clock() + wait + this.#signaling.limits.pollGrace;
  }
}

const keyOf = (room: RoomName, peer: PeerId): string => `${room}/${peer}`;
