/** Joins for all transports: a new join, a resume, a rejoin into a seat, an admission from the lobby; and the first message sent. */
import { type MintedSession, readSession } from '../auth/session.ts';
import { smallestNetwork } from '../budgets/address.ts';
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, Joined, PeerId, RoomName, Waiting } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import {
  enterAdmitted,
  join as enterRoom,
  isTaken,
  type JoinOutcome,
  mayBeLost,
  resume as resumeSession,
} from '../rooms/join.ts';
import { lose } from '../rooms/leave.ts';
import { admits, concerns, type PreviousSession } from '../rooms/room.ts';
import { eventsFor } from '../rooms/view.ts';
import type { Store } from '../store/store.ts';
import { authorize, type Caller, guess, hashFor, redeemToken, restoreToken, tooOften } from './authorize.ts';
import type { Signaling } from './context.ts';
import { countReplay, refuseReplay } from './replay.ts';

/**
 * `first` is the first message to the peer; `renewIceAt` is when its ICE servers have to be replaced (ms since 1970). For a
 * resumed session, `missed` has the events since the number that the peer sent, and `accepted` is the last of its own messages
 * that is settled. `isNew`: the seat is a new one.
 */
export type JoinResult = {
  first: Joined | Waiting;
  renewIceAt: number;
  missed: RoomLogEntry[];
  accepted: number;
  isNew: boolean;
};
/** Attaches the peer's receiver before the room changes, so that no event is lost in between. */
export type Attach = (peer: PeerId) => void;

/**
 * Joins a room or resumes a session. `until`: how long (ms since 1970) the peer counts as present without another request;
 * Infinity for a transport that detects a lost connection.
 */
export const joinRoom = async (
  signaling: Signaling,
  name: RoomName,
  message: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
): Promise<JoinResult | Refusal> => {
  const joinNew = (seat?: Seat) => join(signaling, name, message, until, attach, caller, seat);
  const { session, after } = message;
  const known = session === undefined ? undefined : readSession(session);
  if (!known || session === undefined) return joinNew();
  const wait = signaling.addresses.take('resumes', caller.address, signaling.clock());
  if (wait > 0) return tooOften(wait);
  const from = smallestNetwork(caller.address);
  const resumed = await resume(signaling, name, { ...known, session, after, until, from }, attach, caller);
  // The session exists, but the events that it missed do not: a rejoin in the same seat.
  const result = resumed === 'gone' ? await joinNew({ ...known, session }) : resumed;
  if (!isUnknown(result)) return result;
  const seat = await restoreSeat(signaling, name, session, caller);
  if (seat && 'refused' in seat) return seat;
  const rejoined = await joinNew(seat);
  return seat && isUnknown(rejoined) ? joinNew() : rejoined;
};

const isUnknown = (result: JoinResult | Refusal): boolean =>
  'refused' in result && result.refused === 'unknown-session';

/**
 * The seat for a session that the room does not know, if the session id proves that it had one and the seat is free. Costs a join,
 * because the peer may have left by itself, unless the room may have been lost.
 */
const restoreSeat = async (
  { sessions, store, clock, addresses }: Signaling,
  name: RoomName,
  session: string,
  { address }: Caller,
): Promise<Seat | Refusal | undefined> => {
  const now = clock();
  const known = sessions.proves(name, session, now) && readSession(session);
  if (!known) return undefined;
  // The seat gets a new secret: a client with the previous one does not know what has happened since.
  const seat = { ...sessions.mint(name, now, known.id), former: { secretHash: known.secretHash, at: now } };
  const found = await store.commit(name, (room, at) => ({
    events: [],
    result: { taken: isTaken(room, seat), lost: mayBeLost(room, at) },
  }));
  if ('refused' in found) return found;
  if (found.result.taken) return undefined;
  const wait = found.result.lost ? 0 : addresses.take('joins', address, now);
  return wait > 0 ? tooOften(wait) : seat;
};

/** The seat of a client with a valid session; `former` is set if the room does not know that session. */
type Seat = MintedSession & { former?: PreviousSession };

/**
 * Completes the join of a peer that a host admitted; `admission` is the number of that event. Refused as `unknown-session`
 * when the peer has left meanwhile.
 */
export const joinAdmitted = async (
  signaling: Signaling,
  name: RoomName,
  session: string,
  until: number,
  admission: number,
): Promise<JoinResult | Refusal> => {
  const known = readSession(session);
  if (!known) return refuse('unknown-session');
  const { store, limits } = signaling;
  const who = { ...known, until, worker: store.worker };
  const committed = await store.commit(name, (room, now) => enterAdmitted(room, who, now, limits.rules));
  if ('refused' in committed) return committed;
  const since = committed.seq > admission ? await store.since(name, admission) : [];
  const result = joinResult(signaling, committed, session);
  if (since !== 'gone' && 'refused' in since) return since;
  return since === 'gone' ? result : asOf(admission, result, since);
};

/**
 * Sets `seq` back to that of the admission and lets the events since then follow, because the current view has no chat texts
 * or signals sent to the peer since then. Events about peers repeat what the view already shows.
 */
const asOf = (admission: number, { first, ...rest }: JoinResult, entries: RoomLogEntry[]): JoinResult => {
  if (first.type === 'waiting') return { first, ...rest };
  const { chat = [], ...joined } = first;
  const since = entries.filter(({ seq }) => seq > admission);
  const newTexts = since.filter(({ event }) => event.type === 'chat' && event.to === undefined).length;
  const history = chat.slice(0, Math.max(0, chat.length - newTexts));
  return {
    ...rest,
    first: { ...joined, ...(history.length === 0 ? {} : { chat: history }), seq: admission },
    missed: since.filter(({ event }) => concerns(event, joined.self.id)),
  };
};

type ResumingPeer = {
  id: PeerId;
  secretHash: string;
  session: string;
  after: number | undefined;
  until: number;
  from: string;
};

const resume = async (
  signaling: Signaling,
  name: RoomName,
  { session, after, ...who }: ResumingPeer,
  attach: Attach,
  caller: Caller,
): Promise<JoinResult | Refusal | 'gone'> => {
  const { store, limits, counts } = signaling;
  const { worker } = store;
  const resumed = await store.commit(name, (room, now) => resumeSession(room, { ...who, worker }, now, limits.rules));
  if ('refused' in resumed) {
    // The commit may have succeeded nevertheless, while the connection is about to close.
    if (resumed.refused === 'store-unavailable')
      store
        .commit(name, (room, now) => lose(room, who.id, now, limits.rules, worker), 'insist')
        .catch((error: unknown) =>
          signaling.log.warn({ err: error, room: name }, 'the loss of a peer could not be recorded'),
        );
    return resumed;
  }
  attach(who.id);
  if (resumed.result.state === 'waiting') return joinResult(signaling, resumed, session);
  const since = after === undefined ? 'gone' : await missedSince(signaling, name, who.id, after, caller);
  if (since === 'gone' || 'refused' in since) return since;
  const missed = eventsFor(since, who.id, { waits: false, seq: resumed.seq });
  counts.resumes += 1;
  // Admitted while it was away: it knows nothing of the room yet.
  const admission = missed.find(({ event }) => admits(event, who.id));
  if (admission) return asOf(admission.seq, joinResult(signaling, resumed, session), missed);
  return {
    ...joinResult(signaling, resumed, session, { recovered: true }),
    missed: missed.filter(({ event }) => concerns(event, who.id)),
  };
};

/** The events since `after` for a resuming peer; `gone`, which makes it rejoin, when its replay budget is used up. */
const missedSince = async (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  after: number,
  caller: Caller,
): Promise<RoomLogEntry[] | 'gone' | Refusal> => {
  const { store, seats, clock } = signaling;
  const seat = seats.open(name, peer, clock(), false);
  try {
    if (refuseReplay(signaling, seat, caller)) return 'gone';
    const missed = await store.since(name, after);
    if (Array.isArray(missed)) countReplay(signaling, seat, caller, missed);
    return missed;
  } finally {
    seats.release(name, peer);
  }
};

const join = async (
  signaling: Signaling,
  name: RoomName,
  { name: peerName, media, passcode, token, after }: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
  seat?: Seat,
): Promise<JoinResult | Refusal> => {
  const { store, limits, counts, addresses } = signaling;
  const { former } = seat ?? {};
  const hasSeat = seat !== undefined && former === undefined;
  // A peer with a seat needs no token, so that an expired one does not end a call. A session that the room has lost only proves the id.
  const bearer = { ...caller, token: token ?? caller.token };
  const granted = hasSeat ? undefined : await (seat ? redeemToken : authorize)(signaling, name, bearer);
  if (granted && 'refused' in granted) return granted;
  // A seat keeps its secret: if this response does not arrive, the peer can repeat its request.
  const { id, secretHash, session } = seat ?? signaling.sessions.mint(name, signaling.clock());
  attach(id);
  const joinWith = async (passcodeHash?: string) => {
    const lease = { until, worker: store.worker };
    const mayOpen = addresses.hasRoomFor('rooms', caller.address);
    const from = smallestNetwork(caller.address);
    const entrance = { id, secretHash, name: peerName, media, granted, former, passcodeHash, from, mayOpen, ...lease };
    return store.commit(name, (room, now) =>
      // The seat may have been lost since the session was found; then no checks may be skipped for it.
      hasSeat && !room.peers.has(id) && !room.waiting.has(id)
        ? refuse('unknown-session')
        : enterRoom(room, entrance, now, limits.rules),
    );
  };
  const committed =
    hasSeat || addresses.hasRoomFor('seats', caller.address)
      ? await tryPasscode(signaling, name, caller, passcode, joinWith)
      : tooManySeats();
  if ('refused' in committed) {
    if (granted) await restoreToken(signaling, granted);
    return committed;
  }
  if (!hasSeat) addresses.hold('seats', caller.address);
  if (!hasSeat && committed.result.state === 'joined' && committed.result.view.peers.length === 0)
    addresses.hold('rooms', caller.address);
  if (committed.result.state === 'joined') counts[seat ? 'rejoins' : 'joins'] += 1;
  const lastSeen = hasSeat ? after : undefined;
  return joinResult(signaling, committed, session, { lastSeen, isNew: seat === undefined });
};

/** Joins with the hash of the passcode, if the peer sent one and the room requires one. */
const tryPasscode = async <T extends object>(
  signaling: Signaling,
  name: RoomName,
  caller: Caller,
  passcode: string | undefined,
  joinWith: (passcodeHash?: string) => Promise<T | Refusal>,
): Promise<T | Refusal> => {
  const salt = passcode === undefined ? undefined : await saltOf(signaling.store, name);
  if (passcode === undefined || salt === undefined) return joinWith();
  return guess(signaling, name, caller, async () => {
    const hash = await hashFor(signaling, caller, passcode, salt);
    return typeof hash === 'string' ? joinWith(hash) : hash;
  });
};

const tooManySeats = (): Refusal => ({ ...tooOften(errors['lobby-full'].retry), detail: 'peers from this address' });

/** The current salt of the room's passcode; undefined if the room has none. */
const saltOf = async (store: Store, name: RoomName): Promise<string | undefined> => {
  const salt = await store.commit(name, (room) => ({ events: [], result: room.passcode?.salt }));
  return 'refused' in salt ? undefined : salt.result;
};

/**
 * Builds the first message to a peer that joined or resumed (`recovered`). `lastSeen`: the last event number that it has seen;
 * chat texts up to it are not sent again.
 */
const joinResult = (
  { ice, clock, limits }: Signaling,
  { result, seq }: { result: JoinOutcome; seq: number },
  session: string,
  {
    recovered = false,
    lastSeen = 0,
    isNew = false,
  }: { recovered?: boolean; lastSeen?: number | undefined; isNew?: boolean } = {},
): JoinResult => {
  const { grace } = limits.rules;
  if (result.state === 'waiting') {
    const { id, name } = result.self;
    const self = { id, ...optional({ name }) };
    const first: Waiting = { type: 'waiting', self, host: result.host, seq, session, grace };
    return { first, renewIceAt: Number.POSITIVE_INFINITY, missed: [], accepted: 0, isNew };
  }
  const { self, said: history, waiting, ...view } = result.view;
  const { id, name, role, media, hand, accepted } = self;
  const { servers, renewAt } = ice(id, self.from, clock());
  const chat = history
    .filter((text) => text.seq === undefined || text.seq > lastSeen)
    .map(({ seq: _, ...text }) => text);
  const first: Joined = {
    type: 'joined',
    self: { id, ...optional({ name }), role, media, hand },
    ...view,
    ...optional({ waiting }),
    ...(recovered || chat.length === 0 ? {} : { chat }),
    seq,
    session,
    ice: servers,
    grace,
    recovered,
  };
  return { first, renewIceAt: renewAt, missed: [], accepted, isNew };
};

/** The fields without those that are undefined. */
const optional = <Fields extends object>(fields: Fields): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
