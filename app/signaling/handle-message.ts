/** What peers say and what the rooms answer, apart from what carries it. */
import { newSalt } from '../auth/passcode.ts';
import type { Sessions } from '../auth/session.ts';
import type { IceSet } from '../auth/turn.ts';
import type { SeatBudget, SeatBudgets, SeatLimits } from '../budgets/seat-budgets.ts';
import type { TokenBucket } from '../budgets/token-bucket.ts';
import type { Incoming } from '../protocol/decode.ts';
import { errors, fateOf, type Refusal, refuse, retryOf, sentence } from '../protocol/errors.ts';
import type { PeerId, RoomName, ServerMessage, Update } from '../protocol/messages.ts';
import { leave, leaveForNow } from '../rooms/leave.ts';
import type { Said } from '../rooms/messages.ts';
import * as rooms from '../rooms/messages.ts';
import type { Command, Rules } from '../rooms/room.ts';
import type { Counts } from '../stats/counters.ts';
import type { Committed, Store } from '../store/store.ts';
import { type AuthorizationContext, type Caller, hashFor, redeemToken, restoreToken, tooOften } from './authorize.ts';
import type { Fanout } from './fanout.ts';
import type { OccupancyDetail } from './occupancy.ts';

export type SignalingLimits = SeatLimits & {
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
  /** What somebody who has not entered is told of who is inside. */
  lobbyShows: OccupancyDetail;
};

/** What every transport needs. */
export type Signaling = AuthorizationContext & {
  store: Store;
  sessions: Sessions;
  fanout: Fanout;
  /** What seats may send and be sent again. */
  seats: SeatBudgets;
  limits: SignalingLimits;
  /** The ICE servers for a peer whose client is in a network, from now (ms since 1970) on. */
  ice: (peer: PeerId, network: string | undefined, now: number) => IceSet;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Incremented in place: where messages are relayed, counting may cost no more. */
  counts: Counts;
  /** Told of each refusal that a client at this address has caused. */
  refusedTo(address: string | undefined): void;
  /** Told how long one message of 64 took from its arrival until the store had it and its receivers were told. */
  settled(seconds: number): void;
};

/**
 * Carries out one message of a peer but `leave`; the reply is an acknowledgement, an error or a pong. What need not wait
 * is answered when this returns: a promise for every message would cost a relay as much as its room does.
 */
export const handleMessage = (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  message: Exclude<Incoming, { type: 'leave' }>,
  caller: Caller,
): ServerMessage | Promise<ServerMessage> => {
  switch (message.type) {
    case 'ping':
      return { type: 'pong' };
    case 'join':
      return countedError(signaling.counts, refuse('already-joined'));
    case 'passcode':
      return prepare(signaling, message, caller).then((said) =>
        'refused' in said ? countedError(signaling.counts, said, message.n) : say(signaling, name, peer, said),
      );
    case 'update':
      return message.token === undefined
        ? say(signaling, name, peer, message)
        : refresh(signaling, name, peer, message, caller);
    default:
      return say(signaling, name, peer, message);
  }
};

/** The budgets that a peer's messages are counted against: its seat's, and those of its address. */
export type MessageBudgets = { seat: SeatBudget; address: AddressBuckets };
/** The buckets of an address, the smallest network first. */
export type AddressBuckets = { messages: TokenBucket[]; bytes: TokenBucket[] };

export const addressBuckets = (
  { addresses, clock }: Pick<Signaling, 'addresses' | 'clock'>,
  { address }: Caller,
): AddressBuckets => ({
  messages: addresses.buckets('messages', address, clock()),
  bytes: addresses.buckets('bytes', address, clock()),
});

/**
 * Counts a message that has come, before anything is done with it: what is too much is not even read.
 * `far-over`: a whole burst is owed, so the peer does not respond to refusals.
 */
export const chargeBytes = (
  { seat, address }: MessageBudgets,
  bytes: number,
  now: number,
): ReturnType<SeatBudget['take']> => {
  const taken = seat.take(bytes, now);
  let over = taken !== 'within';
  for (const bucket of address.messages) over ||= bucket.wait(now) > 0;
  for (const bucket of address.bytes) {
    over ||= bucket.wait(now, bytes) > 0;
    if (!over) bucket.take(now, bytes);
  }
  return taken === 'within' && over ? 'over' : taken;
};

/**
 * Counts a message against the budget of its address, on which what goes to everyone in the room costs as much as it has
 * receivers. @returns the refusal when the address has sent too much
 */
export const chargeAddress = (
  { fanout }: Pick<Signaling, 'fanout'>,
  name: RoomName,
  { messages }: AddressBuckets,
  message: Incoming,
  now: number,
): Refusal | undefined => {
  const cost = goesToAll(message) ? Math.max(1, fanout.receiversIn(name) - 1) : 1;
  let wait = 0;
  for (const bucket of messages) wait = Math.max(wait, bucket.wait(now, cost));
  if (wait > 0) return tooOften(wait);
  for (const bucket of messages) bucket.take(now, cost);
  return undefined;
};

/** What is malformed and pings go to nobody. */
const goesToAll = (message: Incoming): boolean =>
  message.type !== 'malformed' &&
  message.type !== 'ping' &&
  message.type !== 'signal' &&
  !(message.type === 'chat' && message.to !== undefined);

/** Whether a message takes time before the room can be asked: those that follow it have to wait. */
export const takesTime = (message: Incoming): boolean =>
  message.type === 'passcode' || (message.type === 'update' && message.token !== undefined);

/** The page went away, and may be one that is loaded again. */
export const leaveRoomForNow = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
): Promise<unknown> => store.commit(name, (place, now) => leaveForNow(place, peer, now, limits.rules), 'insist');

/** Takes the peer out of its room. */
export const leaveRoom = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
  reason: 'left' | 'error',
): Promise<unknown> => store.commit(name, (place, now) => leave(place, peer, reason, now, limits.rules), 'insist');

/** The error message of a refusal that is about to be sent, counted. */
export const countedError = (counts: Counts, refusal: Refusal, n?: number): ServerMessage => {
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
export const numberOf = (message: Incoming | Refusal): number | undefined => ('n' in message ? message.n : undefined);

const say = (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  said: Said,
): ServerMessage | Promise<ServerMessage> => {
  const { store, limits, counts } = signaling;
  const began = said.type !== 'malformed' && counts.relayed[said.type] % 64 === 0 ? performance.now() : undefined;
  const command: Command<rooms.Settled> = (place, now) => rooms.applyMessage(place, peer, said, now, limits.rules);
  return store.commitNow
    ? answerTo(signaling, said, began, store.commitNow(name, command))
    : store.commit(name, command).then((outcome) => answerTo(signaling, said, began, outcome));
};

const answerTo = (
  signaling: Signaling,
  said: Said,
  began: number | undefined,
  outcome: Committed<rooms.Settled> | Refusal,
): ServerMessage => {
  const { counts } = signaling;
  if ('refused' in outcome) return countedError(counts, outcome, said.n);
  const { accepted, refusal } = outcome.result;
  if (refusal) return countedError(counts, refusal, said.n);
  // Also a repeat of what was refused before: it is settled.
  if (said.type !== 'malformed') counts.relayed[said.type] += 1;
  if (began !== undefined) signaling.settled((performance.now() - began) / 1000);
  if (said.type === 'admit') counts.joins += 1;
  return { type: 'ack', n: accepted };
};

const prepare = async (
  signaling: Signaling,
  { passcode, ...message }: Extract<Incoming, { type: 'passcode' }>,
  caller: Caller,
): Promise<Said | Refusal> => {
  if (passcode === null) return { ...message, passcode };
  const salt = newSalt();
  const hash = await hashFor(signaling, caller, passcode, salt);
  return typeof hash === 'string' ? { ...message, passcode: { salt, hash } } : hash;
};

/** What a fresh token grants holds from now on. */
const refresh = async (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  { token, ...update }: Update,
  { address }: Caller,
): Promise<ServerMessage> => {
  const granted = await redeemToken(signaling, name, { address, token });
  // What may be tried again leaves the message's number open; what is final settles it.
  if ('refused' in granted && retryOf(granted) !== undefined) return countedError(signaling.counts, granted, update.n);
  const answer = await say(signaling, name, peer, { ...update, granted });
  if (answer.type === 'error' && !('refused' in granted)) await restoreToken(signaling, granted);
  return answer;
};
