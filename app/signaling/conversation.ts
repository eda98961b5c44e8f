/** What peers say and what the rooms answer, apart from what carries it: entering, coming back, speaking, leaving. */
import { mintSession, readSession } from '../auth/session.ts';
import type { Grant } from '../auth/token.ts';
import type { Counts } from '../ops/counts.ts';
import type { Incoming } from '../protocol/decode.ts';
import { errors, fateOf, type Refusal, refuse, retryOf, sentence } from '../protocol/errors.ts';
import type {
  IceServer,
  Join,
  Joined,
  LeaveReason,
  PeerId,
  RoomName,
  ServerMessage,
  Update,
} from '../protocol/messages.ts';
import type { Entry } from '../rooms/log.ts';
import * as room from '../rooms/room.ts';
import type { Store } from '../store/store.ts';
import { admit, type Caller, type Doorkeeping, redeem, restore } from './admit.ts';
import type { Fanout } from './fanout.ts';
import type { AllowanceLimits } from './rate.ts';

export type SignalingLimits = AllowanceLimits & {
  maxPeers: number;
  /** Bytes of one message. */
  messageBytes: number;
  /** Bytes that may wait for a receiver that does not read. */
  unsentBytes: number;
  /** ms a connection may take to join, a lost one to come back, a plain HTTP peer to ask again. */
  joinTimeout: number;
  grace: number;
  pollGrace: number;
  /** ms a request for events may wait. */
  pollWait: number;
  /** ms between WebSocket pings, and for the pong to come. */
  pingInterval: number;
  /** ms over which acknowledgements are gathered. */
  ackDelay: number;
};

/** What every transport needs. */
export type Signaling = Doorkeeping & {
  store: Store;
  fanout: Fanout;
  limits: SignalingLimits;
  ice: IceServer[];
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Incremented in place: where messages are relayed, counting may cost no more. */
  counts: Counts;
};

/**
 * For a session that went on, `missed` is what came since the number the peer named, and `accepted` the last of its own
 * messages that is settled.
 */
export type Entered = { joined: Joined; missed: Entry[]; accepted: number };
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
  const anew = (id?: PeerId) => enterAnew(signaling, name, message, until, attach, caller, id);
  const known = message.session === undefined ? undefined : readSession(message.session);
  if (!known || message.session === undefined) return anew();
  const back = await signaling.store.commit(name, (place) => room.resume(place, known.id, known.secretHash, until));
  if ('refused' in back) return anew();
  attach(known.id);
  const missed = message.after === undefined ? 'gone' : await signaling.store.since(name, message.after);
  // The session is there but what it missed is not: a real rejoin, in the same seat.
  if (missed === 'gone') return anew(known.id);
  signaling.counts.resumes += 1;
  return {
    joined: joinedMessage(signaling, back.result, back.seq, message.session, true),
    missed: missed.filter(({ event }) => room.concerns(event, known.id)),
    accepted: back.result.self.accepted,
  };
};

/** Carries out one message of a peer that has joined; the answer has at most one reply, an acknowledgement or an error. */
export const speak = (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  message: Incoming,
  caller: Caller,
): Promise<ServerMessage | undefined> => {
  const { store, counts } = signaling;
  switch (message.type) {
    case 'signal':
      return store
        .commit(name, (place) => room.signal(place, peer, message))
        .then((outcome) => settled(counts, message, outcome));
    case 'chat':
      return store
        .commit(name, (place, now) => room.chat(place, peer, message, now))
        .then((outcome) => settled(counts, message, outcome));
    case 'update':
      return change(signaling, name, peer, message, caller).then((outcome) => settled(counts, message, outcome));
    case 'ping':
      return Promise.resolve({ type: 'pong' });
    case 'join':
      return Promise.resolve(told(counts, refuse('already-joined')));
    case 'leave':
      return depart(signaling, name, peer, 'left').then(() => undefined);
  }
};

/** Takes the peer out of its room. */
export const depart = (
  { store, counts }: Pick<Signaling, 'store' | 'counts'>,
  name: RoomName,
  peer: PeerId,
  reason: Exclude<LeaveReason, 'timeout'>,
): Promise<unknown> =>
  store.commit(name, (place) => {
    if (place.peers.has(peer)) counts.leaves[reason] += 1;
    return room.leave(place, peer, reason);
  });

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

/** The close code of a refusal that ends a connection. */
export const closeCode = (refusal: Refusal): number => fateOf(refusal.refused).close ?? errors.internal.close;

/** The number of a message, for the error that refuses it. */
export const numberOf = (message: Incoming): number | undefined => ('n' in message ? message.n : undefined);

const enterAnew = async (
  signaling: Signaling,
  name: RoomName,
  message: Omit<Join, 'type'>,
  until: number,
  attach: Attach,
  caller: Caller,
  id?: PeerId,
): Promise<Entered | Refusal> => {
  // Whoever has a seat was let in once, and an expired token does not end a call.
  const bearer = { ...caller, token: message.token ?? caller.token };
  const granted = id === undefined ? await admit(signaling, name, bearer) : undefined;
  if (granted && 'refused' in granted) return granted;
  const minted = mintSession(id);
  attach(minted.id);
  const { name: own, media } = message;
  const { maxPeers } = signaling.limits;
  const entrance = { id: minted.id, secretHash: minted.secretHash, name: own, media, granted, until, maxPeers };
  const done = await signaling.store.commit(name, (place) =>
    // A seat that was lost since the session was recognised is no way in.
    id !== undefined && !place.peers.has(id) ? refuse('unknown-session') : room.join(place, entrance),
  );
  if ('refused' in done) {
    if (granted) await restore(signaling, granted);
    return done;
  }
  signaling.counts[id === undefined ? 'joins' : 'rejoins'] += 1;
  return { joined: joinedMessage(signaling, done.result, done.seq, minted.session, false), missed: [], accepted: 0 };
};

/** Without a token it is carried out at once, like any other message. */
const change = async (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  message: Update,
  { address }: Caller,
): Promise<{ result: room.Settled } | Refusal> => {
  const { token, ...update } = message;
  const commit = (granted?: Grant | Refusal) =>
    signaling.store.commit(name, (place) => room.update(place, peer, { ...update, granted }));
  if (token === undefined) return commit();
  const granted = await redeem(signaling, name, { address, token });
  if (!('refused' in granted)) {
    const outcome = await commit(granted);
    if ('refused' in outcome) await restore(signaling, granted);
    return outcome;
  }
  // What may be tried again leaves the message's number open; what is final settles it.
  return retryOf(granted) === undefined ? commit(granted) : granted;
};

const joinedMessage = (
  { ice, limits }: Signaling,
  { self, peers }: room.View,
  seq: number,
  session: string,
  recovered: boolean,
): Joined => ({
  type: 'joined',
  self: {
    id: self.id,
    ...(self.name === undefined ? {} : { name: self.name }),
    role: self.role,
    media: self.media,
  },
  peers,
  seq,
  session,
  ice,
  grace: limits.grace,
  recovered,
});

const settled = (
  counts: Counts,
  { type, n }: { type: keyof Counts['relayed']; n: number },
  outcome: { result: room.Settled } | Refusal,
): ServerMessage => {
  if ('refused' in outcome) return told(counts, outcome, n);
  const { accepted, refusal } = outcome.result;
  if (refusal) return told(counts, refusal, n);
  counts.relayed[type] += 1;
  return { type: 'ack', n: accepted };
};
