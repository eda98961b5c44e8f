/** Joins for all transports: a new join, a resume, a rejoin into a seat, an admission from the lobby. */
import { type MintedSession, readSession } from '../auth/session.ts';
import { smallestNetwork } from '../budgets/address.ts';
import { type ErrorCode, errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, PeerId, RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import {
  type Entrance,
  enterAdmitted,
  join as enterRoom,
  isTaken,
  type JoinOutcome,
  mayBeLost,
  resume as resumeSession,
} from '../rooms/join.ts';
import { admits, concerns, type PreviousSession } from '../rooms/room.ts';
import { eventsFor } from '../rooms/view.ts';
import type { Committed, Store } from '../store/store.ts';
import {
  authorize,
  type Caller,
  chargeGuess,
  hashFor,
  redeemToken,
  restoreToken,
  settleGuess,
  tooOften,
} from './authorize.ts';
import type { Signaling } from './context.ts';
import { loseConnection } from './handle-message.ts';
import { asOf, type JoinResult, joinResult } from './join-result.ts';
import { countReplay, refuseReplay } from './replay.ts';

export type JoinRequest = {
  room: RoomName;
  message: Omit<Join, 'type'>;
  caller: Caller;
  /**
   * How long (ms since 1970) the peer counts as present without another request; Infinity for a transport that detects a lost
   * connection.
   */
  until: number;
  /** Attaches the peer's receiver before the room changes, so that no event is lost in between. */
  attach: (peer: PeerId) => void;
};

/** The seat of a client with a valid session; `former` is set if the room does not know that session. */
type Seat = MintedSession & { former?: PreviousSession };

/** Joins a room or resumes a session. */
export const joinRoom = async (signaling: Signaling, request: JoinRequest): Promise<JoinResult | Refusal> => {
  const { caller, message } = request;
  const seat = message.session === undefined ? undefined : seatOf(message.session);
  if (!seat) return join(signaling, request);
  const wait = signaling.addresses.take('resumes', caller.address, signaling.clock());
  if (wait > 0) return tooOften(wait);
  const resumed = await resume(signaling, request, seat);
  // The session exists, but the events that it missed do not: a rejoin in the same seat.
  const result = isRefused(resumed, 'events-gone') ? await join(signaling, request, seat) : resumed;
  if (!isRefused(result, 'unknown-session')) return result;
  const restored = await restoreSeat(signaling, request, seat);
  if (!restored) return join(signaling, request);
  if ('refused' in restored) return restored;
  const rejoined = await join(signaling, request, restored);
  return isRefused(rejoined, 'unknown-session') ? join(signaling, request) : rejoined;
};

const isRefused = (result: object, code: ErrorCode): boolean => 'refused' in result && result.refused === code;

const seatOf = (session: string): Seat | undefined => {
  const known = readSession(session);
  return known && { ...known, session };
};

/**
 * The seat for a session that the room does not know, if the session id proves that it had one and the seat is free. Costs a join,
 * because the peer may have left by itself, unless the room may have been lost.
 */
const restoreSeat = async (
  { sessions, store, clock, addresses }: Signaling,
  { room, caller }: JoinRequest,
  { id, secretHash, session }: Seat,
): Promise<Seat | Refusal | undefined> => {
  const now = clock();
  if (!sessions.proves(room, session, now)) return undefined;
  // The seat gets a new secret: a client with the previous one does not know what has happened since.
  const seat = { ...sessions.mint(room, now, id), former: { secretHash, at: now } };
  const found = await store.commit(room, (current, at) => ({
    events: [],
    result: { taken: isTaken(current, seat), lost: mayBeLost(current, at) },
  }));
  if ('refused' in found) return found;
  if (found.result.taken) return undefined;
  const wait = found.result.lost ? 0 : addresses.take('joins', caller.address, now);
  return wait > 0 ? tooOften(wait) : seat;
};

/** Joins under a new id, or in `seat`; refused as `unknown-session` if that seat is taken or lost. */
const join = async (signaling: Signaling, request: JoinRequest, seat?: Seat): Promise<JoinResult | Refusal> => {
  const { room, message, caller, attach } = request;
  const hasSeat = seat !== undefined && seat.former === undefined;
  // A peer with a seat needs no token, so that an expired one does not end a call. A session that the room has lost only proves the id.
  const bearer = { ...caller, token: message.token ?? caller.token };
  const granted = hasSeat ? undefined : await (seat ? redeemToken : authorize)(signaling, room, bearer);
  if (granted && 'refused' in granted) return granted;
  // A seat keeps its secret: if this response does not arrive, the peer can repeat its request.
  const { session, ...identity } = seat ?? signaling.sessions.mint(room, signaling.clock());
  attach(identity.id);
  const committed = await commitJoin(signaling, request, { ...identity, granted }, hasSeat);
  if ('refused' in committed) {
    if (granted) await restoreToken(signaling, granted);
    return committed;
  }
  countJoin(signaling, caller, committed.result, seat);
  const lastSeen = hasSeat ? message.after : undefined;
  return joinResult(signaling, committed, session, { lastSeen, isNew: seat === undefined });
};

type JoinIdentity = Pick<Entrance, 'id' | 'secretHash' | 'former' | 'granted'>;

const commitJoin = async (
  signaling: Signaling,
  request: JoinRequest,
  identity: JoinIdentity,
  hasSeat: boolean,
): Promise<Committed<JoinOutcome> | Refusal> => {
  const { store, limits, addresses } = signaling;
  const { room, message, caller, until } = request;
  const { id } = identity;
  if (!hasSeat && !addresses.hasRoomFor('seats', caller.address)) return tooManySeats();
  const passcodeHash = await hashGuess(signaling, request);
  if (typeof passcodeHash === 'object') return passcodeHash;
  const lease = { until, worker: store.worker };
  const mayOpen = addresses.hasRoomFor('rooms', caller.address);
  const from = smallestNetwork(caller.address);
  const { name, media } = message;
  const entrance = { ...identity, name, media, passcodeHash, from, mayOpen, ...lease };
  const committed = await store.commit(room, (current, now) =>
    // The seat may have been lost since the session was found; then no checks may be skipped for it.
    hasSeat && !current.peers.has(id) && !current.waiting.has(id)
      ? refuse('unknown-session')
      : enterRoom(current, entrance, now, limits.rules),
  );
  if (passcodeHash !== undefined) settleGuess(signaling, room, caller, committed);
  return committed;
};

const tooManySeats = (): Refusal => ({ ...tooOften(errors['lobby-full'].retry), detail: 'peers from this address' });

/** Hashes the passcode, if the peer sent one and the room requires one. It is charged as a guess, to be settled. */
const hashGuess = async (
  signaling: Signaling,
  { room, message: { passcode }, caller }: JoinRequest,
): Promise<string | undefined | Refusal> => {
  const salt = passcode === undefined ? undefined : await saltOf(signaling.store, room);
  if (passcode === undefined || salt === undefined) return undefined;
  const refusal = chargeGuess(signaling, room, caller);
  if (refusal) return refusal;
  const hash = await hashFor(signaling, caller, passcode, salt);
  if (typeof hash === 'object') settleGuess(signaling, room, caller, hash);
  return hash;
};

/** The current salt of the room's passcode; undefined if the room has none. */
const saltOf = async (store: Store, room: RoomName): Promise<string | undefined> => {
  const salt = await store.commit(room, ({ passcode }) => ({ events: [], result: passcode?.salt }));
  return 'refused' in salt ? undefined : salt.result;
};

const countJoin = ({ addresses, counts }: Signaling, { address }: Caller, outcome: JoinOutcome, seat?: Seat): void => {
  if (!seat || seat.former) {
    addresses.hold('seats', address);
    if (outcome.state === 'joined' && outcome.view.peers.length === 0) addresses.hold('rooms', address);
  }
  if (outcome.state === 'joined') counts[seat ? 'rejoins' : 'joins'] += 1;
};

const resume = async (
  signaling: Signaling,
  request: JoinRequest,
  { id, secretHash, session }: Seat,
): Promise<JoinResult | Refusal> => {
  const { store, limits, counts } = signaling;
  const { room, caller, until, attach } = request;
  const who = { id, secretHash, until, worker: store.worker, from: smallestNetwork(caller.address) };
  const resumed = await store.commit(room, (current, now) => resumeSession(current, who, now, limits.rules));
  if ('refused' in resumed) {
    // The commit may have succeeded nevertheless, while the connection is about to close.
    if (resumed.refused === 'store-unavailable')
      loseConnection(signaling, room, id).catch((error: unknown) =>
        signaling.log.warn({ err: error, room }, 'the loss of a peer could not be recorded'),
      );
    return resumed;
  }
  attach(id);
  if (resumed.result.state === 'waiting') return joinResult(signaling, resumed, session);
  const since = await missedSince(signaling, request, id);
  if ('refused' in since) return since;
  const missed = eventsFor(since, id, { waits: false, seq: resumed.seq });
  counts.resumes += 1;
  // Admitted while it was away: it knows nothing of the room yet.
  const admission = missed.find(({ event }) => admits(event, id));
  if (admission) return asOf(admission.seq, joinResult(signaling, resumed, session), missed);
  return {
    ...joinResult(signaling, resumed, session, { recovered: true }),
    missed: missed.filter(({ event }) => concerns(event, id)),
  };
};

/** The events that a resuming peer missed; `events-gone`, which makes it rejoin, also when its replay budget is used up. */
const missedSince = async (
  signaling: Signaling,
  { room, message: { after }, caller }: JoinRequest,
  peer: PeerId,
): Promise<RoomLogEntry[] | Refusal> => {
  if (after === undefined) return refuse('events-gone');
  const { store, seats, clock } = signaling;
  const seat = seats.open(room, peer, clock(), false);
  try {
    if (refuseReplay(signaling, seat, caller)) return refuse('events-gone');
    const missed = await store.since(room, after);
    if (!('refused' in missed)) countReplay(signaling, seat, caller, missed);
    return missed;
  } finally {
    seats.release(room, peer);
  }
};

/**
 * Completes the join of a peer that a host admitted; `admission` is the number of that event. Refused as `session-lost` when the
 * room has no seat for it any more: the connection ends, and the client joins again.
 */
export const joinAdmitted = async (
  signaling: Signaling,
  room: RoomName,
  session: string,
  until: number,
  admission: number,
): Promise<JoinResult | Refusal> => {
  const known = readSession(session);
  if (!known) return refuse('session-lost');
  const { store, limits } = signaling;
  const who = { ...known, until, worker: store.worker };
  const committed = await store.commit(room, (current, now) => enterAdmitted(current, who, now, limits.rules));
  if ('refused' in committed) return isRefused(committed, 'unknown-session') ? refuse('session-lost') : committed;
  const since = committed.seq > admission ? await store.since(room, admission) : [];
  const result = joinResult(signaling, committed, session);
  if (!('refused' in since)) return asOf(admission, result, since);
  return isRefused(since, 'events-gone') ? result : since;
};
