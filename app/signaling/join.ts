/** Coming into a room, as transports ask for it: anew, back into a seat, or from the door; and what one is told first. */
import { type MintedSession, readSession } from '../auth/session.ts';
import { smallestNetwork } from '../budgets/address.ts';
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, Joined, PeerId, RoomName, Waiting } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { type Arrival, enterAdmitted, isTaken, join, resume } from '../rooms/join.ts';
import { lose } from '../rooms/leave.ts';
import { admits, concerns, type PreviousSession } from '../rooms/room.ts';
import { eventsFor } from '../rooms/view.ts';
import type { Store } from '../store/store.ts';
import { authorize, type Caller, guess, hashFor, redeemToken, restoreToken, tooOften } from './authorize.ts';
import type { Signaling } from './handle-message.ts';
import { countReplay, refuseReplay } from './replay.ts';

/**
 * `first` is what the peer is told first, `renewIceAt` when the ICE servers in it are to be replaced (ms since 1970). For a
 * session that went on, `missed` is what came since the number the peer named, and `accepted` the last of its own messages
 * that is settled. `isNew`: the seat was not there before.
 */
export type JoinResult = {
  first: Joined | Waiting;
  renewIceAt: number;
  missed: RoomLogEntry[];
  accepted: number;
  isNew: boolean;
};
/** Makes the peer's receiver known before the room changes, so that no event can fall between the two. */
export type Attach = (peer: PeerId) => void;

/**
 * Enters a room anew or takes a session up again. `until`: how long (ms since 1970) the peer counts as here without
 * being heard of; Infinity for a transport that notices when it breaks.
 */
export const joinRoom = async (
  signaling: Signaling,
  name: RoomName,
  message: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
): Promise<JoinResult | Refusal> => {
  const anew = (seat?: Seat) => enterAnew(signaling, name, message, until, attach, caller, seat);
  const { session, after } = message;
  const known = session === undefined ? undefined : readSession(session);
  if (!known || session === undefined) return anew();
  const wait = signaling.addresses.take('resumes', caller.address, signaling.clock());
  if (wait > 0) return tooOften(wait);
  const from = smallestNetwork(caller.address);
  const back = await comeBack(signaling, name, { ...known, session, after, until, from }, attach, caller);
  // The session is there but what it missed is not: a real rejoin, in the same seat.
  const found = back === 'gone' ? await anew({ ...known, session }) : back;
  if (!isUnknown(found)) return found;
  const seat = await formerSeat(signaling, name, session);
  if (seat && 'refused' in seat) return seat;
  const entered = await anew(seat);
  return seat && isUnknown(entered) ? anew() : entered;
};

const isUnknown = (entered: JoinResult | Refusal): boolean =>
  'refused' in entered && entered.refused === 'unknown-session';

/** The seat of one whose session the room does not know, if it shows that it had one, and nobody else has it. */
const formerSeat = async (
  { sessions, store, clock }: Signaling,
  name: RoomName,
  session: string,
): Promise<Seat | Refusal | undefined> => {
  const now = clock();
  const known = sessions.proves(name, session, now) && readSession(session);
  if (!known) return undefined;
  // With a secret of its own in this room: one who shows that of before does not know what happened since.
  const seat = { ...sessions.mint(name, now, known.id), former: { secretHash: known.secretHash, at: now } };
  const asked = await store.commit(name, (place) => ({ events: [], result: isTaken(place, seat) }));
  if ('refused' in asked) return asked;
  return asked.result ? undefined : seat;
};

/** Where one enters whom the server knows; `former` where the room does not. */
type Seat = MintedSession & { former?: PreviousSession };

/**
 * What one who was let in, by event number `admission`, is told of the room; `unknown-session` when it has left again
 * already.
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
  const done = await store.commit(name, (place, now) => enterAdmitted(place, who, now, limits.rules));
  if ('refused' in done) return done;
  const since = done.seq > admission ? await store.since(name, admission) : [];
  const entered = welcome(signaling, done, session);
  if (since !== 'gone' && 'refused' in since) return since;
  return since === 'gone' ? entered : asOf(admission, entered, since);
};

/**
 * The view is that of now, but what was said and signalled to the peer since its admission is not in it: the number is
 * that of the admission, and the events since then follow. They tell of peers what the view shows already.
 */
const asOf = (admission: number, { first, ...entered }: JoinResult, entries: RoomLogEntry[]): JoinResult => {
  if (first.type === 'waiting') return { first, ...entered };
  const { chat = [], ...joined } = first;
  const since = entries.filter(({ seq }) => seq > admission);
  const toCome = since.filter(({ event }) => event.type === 'chat' && event.to === undefined).length;
  const said = chat.slice(0, Math.max(0, chat.length - toCome));
  return {
    ...entered,
    first: { ...joined, ...(said.length === 0 ? {} : { chat: said }), seq: admission },
    missed: since.filter(({ event }) => concerns(event, joined.self.id)),
  };
};

type Return = {
  id: PeerId;
  secretHash: string;
  session: string;
  after: number | undefined;
  until: number;
  from: string;
};

const comeBack = async (
  signaling: Signaling,
  name: RoomName,
  { session, after, ...who }: Return,
  attach: Attach,
  caller: Caller,
): Promise<JoinResult | Refusal | 'gone'> => {
  const { store, limits, counts } = signaling;
  const { worker } = store;
  const back = await store.commit(name, (place, now) => resume(place, { ...who, worker }, now, limits.rules));
  if ('refused' in back) {
    // It may be here nevertheless, and the connection is not.
    if (back.refused === 'store-unavailable')
      store
        .commit(name, (place, now) => lose(place, who.id, now, limits.rules, worker), 'insist')
        .catch((error: unknown) => signaling.log.warn({ err: error, room: name }, 'a lost peer could not be noted'));
    return back;
  }
  attach(who.id);
  if (back.result.at === 'door') return welcome(signaling, back, session);
  const since = after === undefined ? 'gone' : await missedSince(signaling, name, who.id, after, caller);
  if (since === 'gone' || 'refused' in since) return since;
  const missed = eventsFor(since, who.id, { waits: false, seq: back.seq });
  counts.resumes += 1;
  // Let in while it was not here: it knows nothing of the room yet.
  const admission = missed.find(({ event }) => admits(event, who.id));
  if (admission) return asOf(admission.seq, welcome(signaling, back, session), missed);
  return {
    ...welcome(signaling, back, session, { recovered: true }),
    missed: missed.filter(({ event }) => concerns(event, who.id)),
  };
};

/** What a peer that comes back is to be sent again; where it has asked for too much recently, it joins the room as it is. */
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

const enterAnew = async (
  signaling: Signaling,
  name: RoomName,
  { name: own, media, passcode, token, after }: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
  seat?: Seat,
): Promise<JoinResult | Refusal> => {
  const { store, limits, counts, addresses } = signaling;
  const { former } = seat ?? {};
  const hasSeat = seat !== undefined && former === undefined;
  // Whoever has a seat was let in once, and an expired token does not end a call. One whom the room has lost says who it was, and no more.
  const bearer = { ...caller, token: token ?? caller.token };
  const granted = hasSeat ? undefined : await (seat ? redeemToken : authorize)(signaling, name, bearer);
  if (granted && 'refused' in granted) return granted;
  // A seat keeps its secret: if this answer does not arrive, the peer can ask again.
  const { id, secretHash, session } = seat ?? signaling.sessions.mint(name, signaling.clock());
  attach(id);
  const enterWith = async (passcodeHash?: string) => {
    const held = { until, worker: store.worker };
    const mayOpen = addresses.hasRoomFor('rooms', caller.address);
    const from = smallestNetwork(caller.address);
    const entrance = { id, secretHash, name: own, media, granted, former, passcodeHash, from, mayOpen, ...held };
    return store.commit(name, (place, now) =>
      // A seat that was lost since the session was recognised is no way in.
      hasSeat && !place.peers.has(id) && !place.waiting.has(id)
        ? refuse('unknown-session')
        : join(place, entrance, now, limits.rules),
    );
  };
  const done =
    hasSeat || addresses.hasRoomFor('seats', caller.address)
      ? await tryPasscode(signaling, name, caller, passcode, enterWith)
      : tooManySeats();
  if ('refused' in done) {
    if (granted) await restoreToken(signaling, granted);
    return done;
  }
  if (!hasSeat) addresses.hold('seats', caller.address);
  if (!hasSeat && done.result.at === 'room' && done.result.view.peers.length === 0)
    addresses.hold('rooms', caller.address);
  if (done.result.at === 'room') counts[seat ? 'rejoins' : 'joins'] += 1;
  return welcome(signaling, done, session, { had: hasSeat ? after : undefined, isNew: seat === undefined });
};

/** Enters with what the passcode becomes by the room's salt, where one is given and asked for. */
const tryPasscode = async <T extends object>(
  signaling: Signaling,
  name: RoomName,
  caller: Caller,
  passcode: string | undefined,
  enterWith: (passcodeHash?: string) => Promise<T | Refusal>,
): Promise<T | Refusal> => {
  const salt = passcode === undefined ? undefined : await saltOf(signaling.store, name);
  if (passcode === undefined || salt === undefined) return enterWith();
  return guess(signaling, name, caller, async () => {
    const hash = await hashFor(signaling, caller, passcode, salt);
    return typeof hash === 'string' ? enterWith(hash) : hash;
  });
};

const tooManySeats = (): Refusal => ({ ...tooOften(errors['lobby-full'].retry), detail: 'peers from this address' });

/** What passcodes of the room are hashed with, as it is now; undefined where none is asked for. */
const saltOf = async (store: Store, name: RoomName): Promise<string | undefined> => {
  const asked = await store.commit(name, (place) => ({ events: [], result: place.passcode?.salt }));
  return 'refused' in asked ? undefined : asked.result;
};

/**
 * What one who arrived is told first, with the session's secret; with `recovered` its session went on. `had`: the last number that it
 * has seen; texts up to it are not sent again.
 */
const welcome = (
  { ice, clock, limits }: Signaling,
  { result, seq }: { result: Arrival; seq: number },
  session: string,
  {
    recovered = false,
    had = 0,
    isNew = false,
  }: { recovered?: boolean; had?: number | undefined; isNew?: boolean } = {},
): JoinResult => {
  const { grace } = limits.rules;
  if (result.at === 'door') {
    const { id, name } = result.self;
    const self = { id, ...optional({ name }) };
    const first: Waiting = { type: 'waiting', self, host: result.host, seq, session, grace };
    return { first, renewIceAt: Number.POSITIVE_INFINITY, missed: [], accepted: 0, isNew };
  }
  const { self, said, waiting, ...view } = result.view;
  const { id, name, role, media, hand, accepted } = self;
  const { servers, renewAt } = ice(id, self.from, clock());
  const chat = said.filter((text) => text.seq === undefined || text.seq > had).map(({ seq: _, ...text }) => text);
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

/** The fields that are there. */
const optional = <Fields extends object>(fields: Fields): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
