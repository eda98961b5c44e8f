/** What peers say and what the rooms answer, apart from what carries it: entering, coming back, speaking, leaving. */
import { hashPasscode, saltedHash } from '../auth/passcode.ts';
import { type MintedSession, mintSession, readSession } from '../auth/session.ts';
import type { IceSet } from '../auth/turn.ts';
import type { Counts } from '../ops/counts.ts';
import type { Incoming } from '../protocol/decode.ts';
import { errors, fateOf, type Refusal, refuse, retryOf, sentence } from '../protocol/errors.ts';
import type { Join, Joined, PeerId, RoomName, ServerMessage, Update, Waiting } from '../protocol/messages.ts';
import { type Arrival, join, resume } from '../rooms/entering.ts';
import { leave, leaveForNow, lose } from '../rooms/leaving.ts';
import type { Entry } from '../rooms/log.ts';
import { admits, concerns, type Rules } from '../rooms/room.ts';
import type { Said } from '../rooms/speaking.ts';
import * as rooms from '../rooms/speaking.ts';
import type { Store } from '../store/store.ts';
import { admit, type Caller, type Doorkeeping, guess, redeem, restore } from './admit.ts';
import type { Fanout } from './fanout.ts';
import type { AllowanceLimits } from './rate.ts';

export type SignalingLimits = AllowanceLimits & {
  rules: Rules;
  /** Bytes of one message. */
  messageBytes: number;
  /** Bytes that may wait for a receiver that does not read. */
  unsentBytes: number;
  /** ms a connection may take to join, a plain HTTP peer to ask again. */
  joinTimeout: number;
  pollGrace: number;
  /** ms a request for events may wait. */
  pollWait: number;
  /** ms of silence after which an event stream says that it is there. */
  heartbeat: number;
  /** ms between WebSocket pings, and for the pong to come. */
  pingInterval: number;
  /** ms for which a WebSocket may have it silent. */
  maxQuiet: number;
  /** ms over which acknowledgements are gathered. */
  ackDelay: number;
};

/** What every transport needs. */
export type Signaling = Doorkeeping & {
  store: Store;
  fanout: Fanout;
  limits: SignalingLimits;
  /** The ICE servers for a peer, from now (ms since 1970) on. */
  ice: (room: RoomName, peer: PeerId, now: number) => IceSet;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Incremented in place: where messages are relayed, counting may cost no more. */
  counts: Counts;
  /** Told how long one message of 64 took from its arrival until the store had it and its receivers were told. */
  settled(seconds: number): void;
};

/**
 * `first` is what the peer is told first, `renewIceAt` when the ICE servers in it are to be replaced (ms since 1970). For a
 * session that went on, `missed` is what came since the number the peer named, and `accepted` the last of its own messages
 * that is settled.
 */
export type Entered = { first: Joined | Waiting; renewIceAt: number; missed: Entry[]; accepted: number };
/** Makes the peer's receiver known before the room changes, so that no event can fall between the two. */
export type Attach = (peer: PeerId) => void;

/**
 * Enters a room anew or takes a session up again. `until`: how long (ms since 1970) the peer counts as here without
 * being heard of; Infinity for a transport that notices when it breaks.
 */
export const enter = async (
  signaling: Signaling,
  name: RoomName,
  message: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
): Promise<Entered | Refusal> => {
  const anew = (seat?: MintedSession) => enterAnew(signaling, name, message, until, attach, caller, seat);
  const { session, after } = message;
  const known = session === undefined ? undefined : readSession(session);
  if (!known || session === undefined) return anew();
  const back = await comeBack(signaling, name, { ...known, session, after, until }, attach);
  // The session is there but what it missed is not: a real rejoin, in the same seat.
  if (back === 'gone') return anew({ ...known, session });
  return 'refused' in back && back.refused === 'unknown-session' ? anew() : back;
};

/** Carries out one message of a peer; the answer has at most one reply, an acknowledgement or an error. */
export const speak = (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  message: Incoming,
  caller: Caller,
): Promise<ServerMessage | undefined> => {
  switch (message.type) {
    case 'ping':
      return Promise.resolve({ type: 'pong' });
    case 'join':
      return Promise.resolve(told(signaling.counts, refuse('already-joined')));
    case 'leave':
      return depart(signaling, name, peer, 'left').then(() => undefined);
    case 'passcode':
      return prepare(message).then((said) => say(signaling, name, peer, said));
    case 'update':
      return message.token === undefined
        ? say(signaling, name, peer, message)
        : refresh(signaling, name, peer, message, caller);
    default:
      return say(signaling, name, peer, message);
  }
};

/** Whether a message takes time before the room can be asked: those that follow it have to wait. */
export const takesTime = (message: Incoming): boolean =>
  message.type === 'passcode' || (message.type === 'update' && message.token !== undefined);

/** The page went away, and may be one that is loaded again. */
export const departForNow = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
): Promise<unknown> => store.commit(name, (place, now) => leaveForNow(place, peer, now, limits.rules), 'insist');

/** Takes the peer out of its room. */
export const depart = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
  reason: 'left' | 'error',
): Promise<unknown> => store.commit(name, (place, now) => leave(place, peer, reason, now, limits.rules), 'insist');

/** The error message of a refusal that is about to be sent, counted. */
export const told = (counts: Counts, refusal: Refusal, n?: number): ServerMessage => {
  counts.refused[refusal.refused] += 1;
  return errorMessage(refusal, n);
};

export const errorMessage = (refusal: Refusal, n?: number): ServerMessage => {
  const retry = retryOf(refusal);
  return {
    type: 'error',
    code: refusal.refused,
    message: sentence(refusal),
    ...(n === undefined ? {} : { n }),
    ...(retry === undefined ? {} : { retry }),
  };
};

/** The last message before a close. */
export const byeMessage = (refusal: Refusal): ServerMessage => ({
  type: 'bye',
  code: refusal.refused,
  message: sentence(refusal),
  retry: retryOf(refusal) ?? null,
});

/** What a server that drains says to all at once; they do not all come back at once. */
export const comeBackLater = (): Refusal => ({
  ...refuse('draining'),
  retry: Math.round(errors.draining.retry * (0.5 + Math.random())),
});

/** The close code of a refusal that ends a connection. */
export const closeCode = (refusal: Refusal): number => fateOf(refusal.refused).close ?? errors.internal.close;

/** The number of a message, for the error that refuses it. */
export const numberOf = (message: Incoming): number | undefined => ('n' in message ? message.n : undefined);

type Return = { id: PeerId; secretHash: string; session: string; after: number | undefined; until: number };

const comeBack = async (
  signaling: Signaling,
  name: RoomName,
  { session, after, ...who }: Return,
  attach: Attach,
): Promise<Entered | Refusal | 'gone'> => {
  const { store, limits, counts } = signaling;
  const { worker } = store;
  const back = await store.commit(name, (place) => resume(place, { ...who, worker }, limits.rules));
  if ('refused' in back) {
    // It may be here nevertheless, and the connection is not.
    if (back.refused === 'store-unavailable')
      store
        .commit(name, (place, now) => lose(place, who.id, now, limits.rules, worker), 'insist')
        .catch((error: unknown) => signaling.log.warn({ err: error, room: name }, 'a lost peer could not be noted'));
    return back;
  }
  attach(who.id);
  if (back.result.at === 'door') return welcome(signaling, name, back, session);
  const missed = after === undefined ? 'gone' : await store.since(name, after);
  if (missed === 'gone' || 'refused' in missed) return missed;
  counts.resumes += 1;
  // Let in while it was not here: it knows nothing of the room yet.
  const admission = missed.find(({ event }) => admits(event, who.id));
  if (admission) return asOf(admission.seq, welcome(signaling, name, back, session), missed);
  return {
    ...welcome(signaling, name, back, session, true),
    missed: missed.filter(({ event }) => concerns(event, who.id)),
  };
};

const enterAnew = async (
  signaling: Signaling,
  name: RoomName,
  { name: own, media, passcode, token }: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
  seat?: MintedSession,
): Promise<Entered | Refusal> => {
  const { store, limits, counts } = signaling;
  // Whoever has a seat was let in once, and an expired token does not end a call.
  const bearer = { ...caller, token: token ?? caller.token };
  const granted = seat ? undefined : await admit(signaling, name, bearer);
  if (granted && 'refused' in granted) return granted;
  // A seat keeps its secret: if this answer does not arrive, the peer can ask again.
  const { id, secretHash, session } = seat ?? mintSession();
  attach(id);
  const enterWith = async (passcodeHash?: string) => {
    const held = { until, worker: store.worker };
    const entrance = { id, secretHash, name: own, media, granted, passcodeHash, ...held };
    return store.commit(name, (place) =>
      // A seat that was lost since the session was recognised is no way in.
      seat && !place.peers.has(id) && !place.waiting.has(id)
        ? refuse('unknown-session')
        : join(place, entrance, limits.rules),
    );
  };
  const salt = passcode === undefined ? undefined : await saltOf(store, name);
  const done =
    passcode === undefined || salt === undefined
      ? await enterWith()
      : await guess(signaling, caller, async () => enterWith(await saltedHash(passcode, salt)));
  if ('refused' in done) {
    if (granted) await restore(signaling, granted);
    return done;
  }
  if (done.result.at === 'room') counts[seat ? 'rejoins' : 'joins'] += 1;
  return welcome(signaling, name, done, session);
};

/** What passcodes of the room are hashed with, as it is now; undefined where none is asked for. */
const saltOf = async (store: Store, name: RoomName): Promise<string | undefined> => {
  const asked = await store.commit(name, (place) => ({ events: [], result: place.passcode?.salt }));
  return 'refused' in asked ? undefined : asked.result;
};

/** What one who arrived is told first, with the session's secret; with `recovered` its session went on. */
const welcome = (
  { ice, clock, limits }: Signaling,
  room: RoomName,
  { result, seq }: { result: Arrival; seq: number },
  session: string,
  recovered = false,
): Entered => {
  const { grace } = limits.rules;
  if (result.at === 'door') {
    const { id, name } = result.self;
    const self = { id, ...optional({ name }) };
    const first: Waiting = { type: 'waiting', self, host: result.host, seq, session, grace };
    return { first, renewIceAt: Number.POSITIVE_INFINITY, missed: [], accepted: 0 };
  }
  const { self, said, waiting, ...view } = result.view;
  const { id, name, role, media, hand, accepted } = self;
  const { servers, renewAt } = ice(room, id, clock());
  const first: Joined = {
    type: 'joined',
    self: { id, ...optional({ name }), role, media, hand },
    ...view,
    ...optional({ waiting }),
    ...(recovered || said.length === 0 ? {} : { chat: said }),
    seq,
    session,
    ice: servers,
    grace,
    recovered,
  };
  return { first, renewIceAt: renewAt, missed: [], accepted };
};

/** The fields that are there. */
const optional = <Fields extends object>(fields: Fields): { [Name in keyof Fields]?: NonNullable<Fields[Name]> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

const say = async (signaling: Signaling, name: RoomName, peer: PeerId, said: Said): Promise<ServerMessage> => {
  const { store, limits, counts } = signaling;
  const began = counts.relayed[said.type] % 64 === 0 ? performance.now() : undefined;
  const outcome = await store.commit(name, (place, now) => rooms.speak(place, peer, said, now, limits.rules));
  if ('refused' in outcome) return told(counts, outcome, said.n);
  const { accepted, refusal } = outcome.result;
  if (refusal) return told(counts, refusal, said.n);
  counts.relayed[said.type] += 1;
  if (began !== undefined) signaling.settled((performance.now() - began) / 1000);
  if (said.type === 'admit') counts.joins += 1;
  return { type: 'ack', n: accepted };
};

const prepare = async ({ passcode, ...message }: Extract<Incoming, { type: 'passcode' }>): Promise<Said> => ({
  ...message,
  passcode: passcode === null ? null : await hashPasscode(passcode),
});

/** What a fresh token grants holds from now on. */
const refresh = async (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  { token, ...update }: Update,
  { address }: Caller,
): Promise<ServerMessage> => {
  const granted = await redeem(signaling, name, { address, token });
  // What may be tried again leaves the message's number open; what is final settles it.
  if ('refused' in granted && retryOf(granted) !== undefined) return told(signaling.counts, granted, update.n);
  const answer = await say(signaling, name, peer, { ...update, granted });
  if (answer.type === 'error' && !('refused' in granted)) await restore(signaling, granted);
  return answer;
};

/**
 * What one who was let in, by event number `admission`, is told of the room; `unknown-session` when it has left again
 * already.
 */
export const letInto = async (
  signaling: Signaling,
  name: RoomName,
  session: string,
  until: number,
  admission: number,
): Promise<Entered | Refusal> => {
  const known = readSession(session);
  if (!known) return refuse('unknown-session');
  const { store, limits } = signaling;
  const who = { ...known, until, worker: store.worker };
  const done = await store.commit(name, (place) => resume(place, who, limits.rules));
  if ('refused' in done) return done;
  const since = done.seq > admission ? await store.since(name, admission) : [];
  const entered = welcome(signaling, name, done, session);
  if (since !== 'gone' && 'refused' in since) return since;
  return since === 'gone' ? entered : asOf(admission, entered, since);
};

/**
 * The view is that of now, but what was said and signalled to the peer since its admission is not in it: the number is
 * that of the admission, and the events since then follow. They tell of peers what the view shows already.
 */
const asOf = (admission: number, { first, ...entered }: Entered, entries: Entry[]): Entered => {
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
