/**
 * Validates the server's messages: the schemas of the protocol in compact form, because zod would be larger than the library.
 * Unknown fields of a later protocol are dropped; unknown enum values (a role, a reason) are accepted.
 */
import { peerIdForm } from '../protocol/limits.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { longestText } from './request.ts';

/** @returns the value, with only its known fields. @throws TypeError if it does not match */
type Shape = (value: unknown) => unknown;
type Fields = Record<string, Shape>;

/** Maximum entries of lists, as a server can be configured to have, and maximum events in one response. */
const maxPeers = 1_000;
const maxListed = 10_000;
const maxEvents = 2 ** 17;
/** Maximum ICE servers, and URLs of each. */
const maxIce = 64;

const mismatch = (): never => {
  throw new TypeError();
};
const anything: Shape = (value) => value;
const bool: Shape = (value) => (typeof value === 'boolean' ? value : mismatch());
const text =
  (max = longestText): Shape =>
  (value) =>
    typeof value === 'string' && value.length <= max ? value : mismatch();
const integer =
  (max = Number.MAX_SAFE_INTEGER): Shape =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max ? value : mismatch();
const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined ? value : shape(value);
const list =
  (shape: Shape, max: number): Shape =>
  (value) =>
    Array.isArray(value) && value.length <= max ? value.map((entry) => shape(entry)) : mismatch();
const fields =
  (shapes: Fields): Shape =>
  (value) => {
    if (typeof value !== 'object' || value === null) return mismatch();
    const input = value as Record<string, unknown>;
    const known = Object.entries(shapes).map(([name, shape]) => [name, shape(input[name])]);
    return Object.fromEntries(known.filter(([, field]) => field !== undefined));
  };

const shortString = text(256);
const name = optional(shortString);
/** Must be valid, because the library itself refuses to send to any other id. */
const id: Shape = (value) => (typeof value === 'string' && peerIdForm.test(value) ? value : mismatch());
const count = integer();
/** Milliseconds, up to the limit of timers. */
const time = integer(2 ** 31 - 1);
/** Milliseconds since 1970, up to the limit of `Date`. */
const date = integer(8.64e15);
/** Backoff requires a finite number, so anything else becomes 0. null: do not reconnect. */
const retry: Shape = (value) => (value == null || Number.isFinite(value) ? value : 0);
const media = fields({ audio: bool, video: bool, screen: optional(bool) });
const self = { id, name, role: shortString, media, hand: bool };
const peer = fields({ ...self, away: bool, initiator: bool, polite: bool, epoch: count });
const waiting = list(fields({ id, name, away: bool }), maxListed);
const longString = text(1024);
const ice = list(
  fields({ urls: list(longString, maxIce), username: optional(longString), credential: optional(longString) }),
  maxIce,
);
const chatMessage = fields({ from: id, name, text: text(), at: date });
const peerEvent = { seq: count, peer: id };

const messages: Record<ServerMessage['type'], Fields> = {
  joined: {
    self: fields(self),
    peers: list(peer, maxPeers),
    room: fields({ access: shortString, passcode: bool }),
    waiting: optional(waiting),
    chat: optional(list(chatMessage, maxListed)),
    seq: count,
    session: shortString,
    ice,
    grace: time,
    recovered: bool,
  },
  waiting: { self: fields({ id, name }), host: bool, seq: count, session: shortString, grace: time },
  'waiting-updated': { seq: count, host: bool },
  lobby: { seq: count, waiting },
  'room-updated': { seq: count, access: name, passcode: optional(bool) },
  'mute-request': { seq: count, from: id, kind: shortString },
  'peer-joined': { seq: count, peer },
  'peer-updated': { ...peerEvent, name, media: optional(media), hand: optional(bool), role: name },
  'peer-away': peerEvent,
  'peer-back': peerEvent,
  'peer-left': { ...peerEvent, reason: shortString },
  signal: { seq: count, from: id, epoch: count, data: anything },
  chat: { seq: count, from: id, to: optional(id), text: text(), at: date },
  ack: { n: count },
  reached: { seq: count },
  pong: {},
  ice: { ice },
  error: { code: shortString, message: text(), n: optional(count), retry },
  bye: { code: shortString, message: text(), retry },
};

/** A message of a known type that does not match its schema, or that is too long to parse. */
export type Malformed = { type: 'malformed'; of: string };

/** Parses a message of the server, given as text or as a parsed value. @returns undefined if it is not a message, or of an unknown type */
export const parse = (data: unknown): ServerMessage | Malformed | undefined => {
  let type: unknown;
  try {
    const value = typeof data === 'string' ? read(data) : data;
    type = (value as { type?: unknown } | null)?.type;
    if (typeof type !== 'string' || !Object.hasOwn(messages, type)) return undefined;
    const known = fields(messages[type as ServerMessage['type']])(value);
    return { type, ...(known as object) } as ServerMessage;
  } catch (error) {
    return error instanceof SyntaxError ? undefined : { type: 'malformed', of: String(type) };
  }
};

/** A response over plain HTTP, whose `messages` are not validated yet. */
export type MessageBatch = { messages: unknown[]; seq?: number };
export type ErrorMessage = Extract<ServerMessage, { type: 'error' }>;
const batch = fields({ messages: list(anything, maxEvents), seq: optional(count) });

export const parseBatch = (data: string): MessageBatch | ErrorMessage | undefined => {
  try {
    const value = read(data);
    const message = parse(value);
    return message?.type === 'error' ? message : (batch(value) as MessageBatch);
  } catch {
    return undefined;
  }
};

/** @throws RangeError if it is too long, or too deeply nested for the browser; SyntaxError */
const read = (data: string): unknown => {
  if (data.length > longestText) throw new RangeError('too long');
  return JSON.parse(data);
};
