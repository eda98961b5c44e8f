/**
 * Checks what the server says before it is used: the schemas of the protocol in a few lines, because zod would be larger than the library.
 * Fields of a later protocol are left out; words of a later protocol (a role, a reason) are let through.
 */
import { peerIdForm } from '../protocol/limits.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { longestText } from './request.ts';

/** @returns the value, or what is known of it. @throws TypeError when it has another shape */
type Shape = (value: unknown) => unknown;
type Fields = Record<string, Shape>;

/** Entries of a list, as many as a server can be set to have; events that one answer can hold. */
const mostPeers = 1_000;
const mostKept = 10_000;
const mostEvents = 2 ** 17;
/** Addresses of ICE servers, and servers. */
const mostIce = 64;

const wrong = (): never => {
  throw new TypeError();
};
const anything: Shape = (value) => value;
const flag: Shape = (value) => (typeof value === 'boolean' ? value : wrong());
const text =
  (most = longestText): Shape =>
  (value) =>
    typeof value === 'string' && value.length <= most ? value : wrong();
const whole =
  (most = Number.MAX_SAFE_INTEGER): Shape =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most ? value : wrong();
const maybe =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined ? value : shape(value);
const list =
  (shape: Shape, most: number): Shape =>
  (value) =>
    Array.isArray(value) && value.length <= most ? value.map((entry) => shape(entry)) : wrong();
const fields =
  (shapes: Fields): Shape =>
  (value) => {
    if (typeof value !== 'object' || value === null) return wrong();
    const told = value as Record<string, unknown>;
    const known = Object.entries(shapes).map(([name, shape]) => [name, shape(told[name])]);
    return Object.fromEntries(known.filter(([, field]) => field !== undefined));
  };

const word = text(256);
const name = maybe(word);
/** What is sent to a peer is refused by the library itself when this is no id. */
const id: Shape = (value) => (typeof value === 'string' && peerIdForm.test(value) ? value : wrong());
const count = whole();
/** Milliseconds that a timer can wait. */
const time = whole(2 ** 31 - 1);
/** The rule of Backoff is for what is no number. null: do not come back. */
const retry: Shape = (value) => (value == null || Number.isFinite(value) ? value : 0);
const media = fields({ audio: flag, video: flag, screen: maybe(flag) });
const self = { id, name, role: word, media, hand: flag };
const peer = fields({ ...self, away: flag, initiator: flag, polite: flag, epoch: count });
const waiting = list(fields({ id, name, away: flag }), mostKept);
const long = text(1024);
const ice = list(fields({ urls: list(long, mostIce), username: maybe(long), credential: maybe(long) }), mostIce);
const said = fields({ from: id, name, text: text(), at: count });
const about = { seq: count, peer: id };

const messages: Record<ServerMessage['type'], Fields> = {
  joined: {
    self: fields(self),
    peers: list(peer, mostPeers),
    room: fields({ access: word, passcode: flag }),
    waiting: maybe(waiting),
    chat: maybe(list(said, mostKept)),
    seq: count,
    session: word,
    ice,
    grace: time,
    recovered: flag,
  },
  waiting: { self: fields({ id, name }), host: flag, seq: count, session: word, grace: time },
  'waiting-updated': { seq: count, host: flag },
  lobby: { seq: count, waiting },
  'room-updated': { seq: count, access: name, passcode: maybe(flag) },
  'mute-request': { seq: count, from: id, kind: word },
  'peer-joined': { seq: count, peer },
  'peer-updated': { ...about, name, media: maybe(media), hand: maybe(flag), role: name },
  'peer-away': about,
  'peer-back': about,
  'peer-left': { ...about, reason: word },
  signal: { seq: count, from: id, epoch: count, data: anything },
  chat: { seq: count, from: id, to: maybe(id), text: text(), at: count },
  ack: { n: count },
  reached: { seq: count },
  pong: {},
  ice: { ice },
  error: { code: word, message: text(), n: maybe(count), retry },
  bye: { code: word, message: text(), retry },
};

/** A message of a known type that has another shape, or that is too long to be looked at. */
export type Malformed = { type: 'malformed'; of: string };

/**
 * A message of the server, as text or as a value out of JSON. undefined: it is none, or of a type that nobody here knows.
 */
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

/** What plain HTTP answers. `messages` are not looked at yet. undefined: nothing of ours. */
export type Answer = { messages: unknown[]; seq?: number };
const answer = fields({ messages: list(anything, mostEvents), seq: maybe(count) });

export const parseAnswer = (data: string): Answer | Extract<ServerMessage, { type: 'error' }> | undefined => {
  try {
    const value = read(data);
    const refusal = parse(value);
    return refusal?.type === 'error' ? refusal : (answer(value) as Answer);
  } catch {
    return undefined;
  }
};

/** @throws RangeError when it is too long, or too deep for the browser; SyntaxError */
const read = (data: string): unknown => {
  if (data.length > longestText) throw new RangeError('too long');
  return JSON.parse(data);
};
