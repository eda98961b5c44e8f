/** Applies the messages of a peer to its room and builds the replies, whatever the transport. */
import { newSalt } from '../auth/passcode.ts';
import type { SeatBudget } from '../budgets/seat-budgets.ts';
import type { TokenBucket } from '../budgets/token-bucket.ts';
import { lastingOf } from '../protocol/byte-range.ts';
import type { Incoming } from '../protocol/decode.ts';
import {
  type ErrorCode,
  errors,
  fateOf,
  isCausedByClient,
  type Refusal,
  refuse,
  retryOf,
  sentence,
} from '../protocol/errors.ts';
import type { PeerId, RoomName, ServerMessage, Update } from '../protocol/messages.ts';
import { leave, leaveForNow, lose } from '../rooms/leave.ts';
import type { Said } from '../rooms/messages.ts';
import * as rooms from '../rooms/messages.ts';
import { stay } from '../rooms/presence.ts';
import type { Command } from '../rooms/room.ts';
import type { Counts } from '../stats/counters.ts';
import type { Committed } from '../store/store.ts';
import { type Caller, hashFor, redeemToken, restoreToken, tooOften } from './authorize.ts';
import type { Signaling } from './context.ts';

/**
 * Handles one message of a peer, any but `leave`. The reply is an acknowledgement, an error or a pong. It is returned
 * synchronously where possible: a promise for every message would cost as much as the work of the room itself.
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
      return hashPasscode(signaling, message, caller).then((prepared) =>
        'refused' in prepared
          ? countedError(signaling.counts, prepared, message.n)
          : apply(signaling, name, peer, prepared),
      );
    case 'update':
      return message.token === undefined
        ? apply(signaling, name, peer, message)
        : updateToken(signaling, name, peer, message, caller);
    default:
      return apply(signaling, name, peer, message);
  }
};

/** The budgets that a peer's messages are charged to: the one of its seat and those of its address. */
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
 * Charges the bytes of a message before it is parsed, so that a message over budget costs no more.
 * `far-over`: the debt is a whole burst, so the peer ignores refusals.
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
 * Charges a message to the budget of its address. A broadcast costs as much as it has receivers.
 * @returns the refusal when the address is over budget
 */
export const chargeAddress = (
  { fanout }: Pick<Signaling, 'fanout'>,
  name: RoomName,
  { messages }: AddressBuckets,
  message: Incoming,
  now: number,
): Refusal | undefined => {
  const cost = isBroadcast(message) ? Math.max(1, fanout.receiversIn(name) - 1) : 1;
  let wait = 0;
  for (const bucket of messages) wait = Math.max(wait, bucket.wait(now, cost));
  if (wait > 0) return tooOften(wait);
  for (const bucket of messages) bucket.take(now, cost);
  return undefined;
};

/** Malformed messages and pings are not relayed at all. */
const isBroadcast = (message: Incoming): boolean =>
  message.type !== 'malformed' &&
  message.type !== 'ping' &&
  message.type !== 'signal' &&
  !(message.type === 'chat' && message.to !== undefined);

/** Whether a message needs asynchronous work before it can be applied. Messages after it have to wait. */
export const takesTime = (message: Incoming): boolean =>
  message.type === 'passcode' || (message.type === 'update' && message.token !== undefined);

/** Leaves with `mayReturn`: the page closed, but may be reloading. */
export const leaveRoomForNow = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
): Promise<unknown> => store.commit(name, (room, now) => leaveForNow(room, peer, now, limits.rules), 'insist');

/** The peer's connection was lost: it is away until it resumes. */
export const loseConnection = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
): Promise<unknown> => store.commit(name, (room, now) => lose(room, peer, now, limits.rules, store.worker), 'insist');

/** The peer was marked as away although it is connected. */
export const keepConnection = ({ store }: Pick<Signaling, 'store'>, name: RoomName, peer: PeerId): Promise<unknown> => {
  const lease = { until: Number.POSITIVE_INFINITY, worker: store.worker };
  return store.commit(name, (room, now) => stay(room, peer, lease, now), 'insist');
};

/** Removes the peer from its room. */
export const leaveRoom = (
  { store, limits }: Pick<Signaling, 'store' | 'limits'>,
  name: RoomName,
  peer: PeerId,
  reason: 'left' | 'error',
): Promise<unknown> => store.commit(name, (room, now) => leave(room, peer, reason, now, limits.rules), 'insist');

/**
 * Counts a refusal against the client's address if the client caused it. Any page can make its visitors' browsers send requests and
 * open WebSockets that its origin is refused for, and not all browsers say so in `Sec-Fetch-Site`.
 */
export const countFault = (
  { refusedTo }: Pick<Signaling, 'refusedTo'>,
  code: ErrorCode,
  { address, crossSite = false }: Caller,
): void => {
  if (isCausedByClient(code)) refusedTo(address, crossSite || code === 'origin-refused');
};

/** The error message of a refusal; counts the refusal. */
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

/** What a connection ends with. A code without a close code refuses messages only, so that here it is a fault of the server. */
const closingRefusal = (refusal: Refusal): Refusal =>
  fateOf(refusal.refused).close === undefined ? refuse('internal', refusal.refused) : refusal;

/** The last message before a close. */
export const byeMessage = (refusal: Refusal): ServerMessage => {
  const end = closingRefusal(refusal);
  return { type: 'bye', code: end.refused, message: sentence(end), retry: retryOf(end) ?? null };
};

/** The refusal sent to all clients of a draining server. Its `retry` is random, so that they do not all reconnect at once. */
export const comeBackLater = (): Refusal => ({
  ...refuse('draining'),
  retry: Math.round(errors.draining.retry * (0.5 + Math.random())),
});

/** The close code of a refusal that ends a connection; agrees with its `bye` on whether to reconnect. */
export const closeCode = ({ refused }: Refusal): number => fateOf(refused).close ?? errors.internal.close;

/** The number `n` of a message, for the error that refuses it. */
export const numberOf = (message: Incoming | Refusal): number | undefined => ('n' in message ? message.n : undefined);

const apply = (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  message: Said,
): ServerMessage | Promise<ServerMessage> => {
  const { store, limits, counts } = signaling;
  const startedAt =
    message.type !== 'malformed' && counts.relayed[message.type] % 64 === 0 ? performance.now() : undefined;
  if (store.commitNow) {
    const command: Command<rooms.Settled> = (room, now) => rooms.applyMessage(room, peer, message, now, limits.rules);
    return replyTo(signaling, message, startedAt, store.commitNow(name, command));
  }
  // It may wait, and must not keep the bytes that it was received with.
  const said = message.type === 'signal' ? { ...message, data: lastingOf(message.data) } : message;
  return store
    .commit(name, (room, now) => rooms.applyMessage(room, peer, said, now, limits.rules))
    .then((outcome) => replyTo(signaling, message, startedAt, outcome));
};

const replyTo = (
  signaling: Signaling,
  message: Said,
  startedAt: number | undefined,
  outcome: Committed<rooms.Settled> | Refusal,
): ServerMessage => {
  const { counts } = signaling;
  if ('refused' in outcome) return countedError(counts, outcome, message.n);
  const { accepted, refusal } = outcome.result;
  if (refusal) return countedError(counts, refusal, message.n);
  // A repeat of a message that was refused before also gets here, because its number is settled.
  if (message.type !== 'malformed') counts.relayed[message.type] += 1;
  if (startedAt !== undefined) signaling.settled((performance.now() - startedAt) / 1000);
  if (message.type === 'admit') counts.joins += 1;
  return { type: 'ack', n: accepted };
};

const hashPasscode = async (
  signaling: Signaling,
  { passcode, ...message }: Extract<Incoming, { type: 'passcode' }>,
  caller: Caller,
): Promise<Said | Refusal> => {
  if (passcode === null) return { ...message, passcode };
  const salt = newSalt();
  const hash = await hashFor(signaling, caller, passcode, salt);
  return typeof hash === 'string' ? { ...message, passcode: { salt, hash } } : hash;
};

/** Handles an `update` with a new token, whose grant replaces the previous one. */
const updateToken = async (
  signaling: Signaling,
  name: RoomName,
  peer: PeerId,
  { token, ...update }: Update,
  { address }: Caller,
): Promise<ServerMessage> => {
  const granted = await redeemToken(signaling, name, { address, token });
  // A refusal that may be retried leaves the message's number open; a final one settles it.
  if ('refused' in granted && retryOf(granted) !== undefined) return countedError(signaling.counts, granted, update.n);
  const reply = await apply(signaling, name, peer, { ...update, granted });
  if (reply.type === 'error' && !('refused' in granted)) await restoreToken(signaling, granted);
  return reply;
};
