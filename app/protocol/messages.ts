/** The zod schemas of all messages of the protocol `genkan.v1`. (!) Docstrings of exported schemas are part of the documents. */
import { z } from 'zod';
import { type ErrorCode, errors } from './errors.ts';
import { most, peerIdForm } from './limits.ts';
import { cleanName } from './shown.ts';

/** The WebSocket subprotocol. A change that breaks older clients needs the next number. */
export const protocolVersion = 'genkan.v1';

/** Letters (with their marks), digits, `-` and `_` of any script, 1–64 code points, in Unicode normal form C. */
export const roomName = z
  .string()
  .normalize('NFC')
  .regex(/^[\p{L}\p{M}\p{N}_-]{1,64}$/u);
export const peerId = z.string().regex(peerIdForm);
/** What a person calls themselves: trimmed, 1–64 characters, no control characters. */
export const peerName = z
  .string()
  .trim()
  .min(1)
  .max(most.name)
  .regex(/^\P{Cc}*$/u, 'control characters are not allowed');
/** A name, from which the server takes what cannot be seen; something has to be left. */
export const visibleName = peerName.overwrite(cleanName).min(1, 'nothing in it can be seen');
/** A name, from which the server takes what cannot be seen; where nothing is left it is none. */
export const ownName = peerName.overwrite(cleanName).transform((name) => (name === '' ? undefined : name));
/** Which kinds of media the peer sends now; a hint for the others' pages, the tracks themselves tell the truth. */
export const mediaState = z.object({ audio: z.boolean(), video: z.boolean(), screen: z.boolean().optional() });
export const role = z.enum(['host', 'guest']);
/** Who gets in: everyone, who a host admits, or nobody more. */
export const access = z.enum(['open', 'knock', 'locked']);
export const mediaKind = z.enum(['audio', 'video', 'screen']);
const passcodeText = z.string().min(1).max(most.passcode);
const token = z.string().max(most.token);
const n = z.int().min(1);
const seq = z.int().min(0);
const epoch = z.int().min(1);

// ── client → server ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The first message of every connection. `session` and `after` (the last `seq` seen) resume an earlier one. */
export const join = z.object({
  type: z.literal('join'),
  name: ownName.optional(),
  token: token.optional(),
  passcode: passcodeText.optional(),
  session: z.string().max(256).optional(),
  after: seq.optional(),
  media: mediaState.optional(),
});
/**
 * An offer, answer or candidate for `to`, relayed unread. `epoch` is the pair's, as the server told it. `data`: up to 32 768 characters
 * of JSON text.
 */
export const signal = z.object({
  type: z.literal('signal'),
  n,
  to: peerId,
  epoch,
  data: z.unknown().refine((data) => data !== undefined, 'data is missing'),
});
export const chat = z.object({
  type: z.literal('chat'),
  n,
  text: z.string().min(1).max(most.text),
  to: peerId.optional(),
});
/** `token`: a fresh one in place of that of the join; what it grants holds from now on. */
export const update = z.object({
  type: z.literal('update'),
  n,
  name: visibleName.optional(),
  media: mediaState.optional(),
  /** Whether the hand is raised. */
  hand: z.boolean().optional(),
  /** A new token, whose grant replaces the previous one. */
  token: token.optional(),
});
/** With `mayReturn` the page went away but may be one that is loaded again: a short grace, and it left. */
export const leave = z.object({ type: z.literal('leave'), mayReturn: z.boolean().optional() });
/**
 * Answered by `pong`. `quiet`, over WebSocket and before `join`, once: the server answers after so many ms, or after as many as it
 * allows, and says nothing at all meanwhile, so that a connection that something between cuts for its silence can be found.
 */
export const ping = z.object({ type: z.literal('ping'), quiet: z.int().min(1).optional() });

// For hosts only. `peer` of `admit` and `deny` is a waiting peer.
export const admit = z.object({ type: z.literal('admit'), n, peer: peerId });
export const deny = z.object({ type: z.literal('deny'), n, peer: peerId });
export const lock = z.object({ type: z.literal('lock'), n, access });
/** null takes the passcode away. */
export const passcode = z.object({ type: z.literal('passcode'), n, passcode: passcodeText.nullable() });
export const setRole = z.object({ type: z.literal('role'), n, peer: peerId, role });
/**
 * With `ban` neither the session nor the subject of its token may come back for as long as the room lives; with `network` nobody may
 * join from its network for an hour: an IPv4 address, an IPv6 /56.
 */
export const kick = z.object({
  type: z.literal('kick'),
  n,
  peer: peerId,
  ban: z.boolean().optional(),
  network: z.boolean().optional(),
});
/** Asks a peer to turn something off; nobody else can do it. */
export const muteRequest = z.object({ type: z.literal('mute-request'), n, peer: peerId, kind: mediaKind });
/** Ends the room for everyone. */
export const end = z.object({ type: z.literal('end'), n });

export const clientMessage = z.discriminatedUnion('type', [
  join,
  signal,
  chat,
  update,
  leave,
  ping,
  admit,
  deny,
  lock,
  passcode,
  setRole,
  kick,
  muteRequest,
  end,
]);

// ── server → client ─────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Another peer as the receiver sees it. `initiator`: the receiver makes the first offer to this peer. `polite`: the
 * receiver yields when offers collide. `epoch` names the pair's connection and changes when either of them joins anew.
 */
export const peer = z.object({
  id: peerId,
  name: peerName.optional(),
  role,
  media: mediaState,
  hand: z.boolean(),
  away: z.boolean(),
  initiator: z.boolean(),
  polite: z.boolean(),
  epoch,
});
/** RTCIceServer, https://www.w3.org/TR/webrtc/#rtciceserver-dictionary */
export const iceServer = z.object({
  urls: z.array(z.string()),
  username: z.string().optional(),
  credential: z.string().optional(),
});

/** One who knocked and waits, as hosts see it. */
export const waitingPeer = z.object({ id: peerId, name: peerName.optional(), away: z.boolean() });
/** What was said to everyone before; `name` as it was then. */
export const saidBefore = z.object({ from: peerId, name: peerName.optional(), text: z.string(), at: z.int() });
/** What everyone in it knows of a room; `passcode`: whether newcomers need one. */
export const roomState = z.object({ access, passcode: z.boolean() });

/**
 * The answer to `join` where newcomers knock: wait. `host`: whether one is here who could open. Nothing of the room is told
 * until `joined`, or until `bye`. `session` resumes the waiting.
 */
export const waiting = z.object({
  type: z.literal('waiting'),
  self: z.object({ id: peerId, name: peerName.optional() }),
  host: z.boolean(),
  seq,
  session: z.string(),
  grace: z.int(),
});
/** To those who wait: a host has come, or none is here any more. */
export const waitingUpdated = z.object({ type: z.literal('waiting-updated'), seq, host: z.boolean() });
/** To hosts: everyone who waits now, in the order in which they came. */
export const lobby = z.object({ type: z.literal('lobby'), seq, waiting: z.array(waitingPeer) });

/**
 * The answer to `join`. `session` is the secret that resumes; `grace` is how long (milliseconds) a lost connection may
 * take to do so. With `recovered` the session went on: what it missed follows, up to `seq`, and `peers` is only a
 * check. Without it this is a new beginning: forget every peer of before and start from `peers`; `chat` is what was said to
 * everyone of late, oldest first. `waiting` is for hosts.
 */
export const joined = z.object({
  type: z.literal('joined'),
  self: z.object({ id: peerId, name: peerName.optional(), role, media: mediaState, hand: z.boolean() }),
  peers: z.array(peer),
  room: roomState,
  waiting: z.array(waitingPeer).optional(),
  chat: z.array(saidBefore).optional(),
  seq,
  session: z.string(),
  ice: z.array(iceServer),
  grace: z.int(),
  recovered: z.boolean(),
});
export const peerJoined = z.object({ type: z.literal('peer-joined'), seq, peer });
/** What has changed of a peer; `role` is told to the peer itself as well. */
export const peerUpdated = z.object({
  type: z.literal('peer-updated'),
  seq,
  peer: peerId,
  name: peerName.optional(),
  media: mediaState.optional(),
  hand: z.boolean().optional(),
  role: role.optional(),
});
export const peerAway = z.object({ type: z.literal('peer-away'), seq, peer: peerId });
export const peerBack = z.object({ type: z.literal('peer-back'), seq, peer: peerId });
export const leaveReason = z.enum(['left', 'timeout', 'error', 'kicked']);
export const peerLeft = z.object({ type: z.literal('peer-left'), seq, peer: peerId, reason: leaveReason });
export const relayedSignal = z.object({
  type: z.literal('signal'),
  seq,
  from: peerId,
  epoch,
  data: z.unknown(),
});
/** `at` is the server's clock, milliseconds since 1970; `to` is there when the text is for the receiver alone. */
export const relayedChat = z.object({
  type: z.literal('chat'),
  seq,
  from: peerId,
  to: peerId.optional(),
  text: z.string(),
  at: z.int(),
});
/** A host changed who gets in, or the passcode (true: there is one). */
export const roomUpdated = z.object({
  type: z.literal('room-updated'),
  seq,
  access: access.optional(),
  passcode: z.boolean().optional(),
});
export const muteRequested = z.object({ type: z.literal('mute-request'), seq, from: peerId, kind: mediaKind });
/** Everything up to and including number `n` is settled: stored, or refused by an `error` that named it. */
export const ack = z.object({ type: z.literal('ack'), n: z.int().min(0) });
/** The room is at this number, and what came before it was for others: come back after it. */
export const reached = z.object({ type: z.literal('reached'), seq });
export const pong = z.object({ type: z.literal('pong') });
/** Another set of ICE servers in place of the one in `joined`, before credentials in that one expire. */
export const ice = z.object({ type: z.literal('ice'), ice: z.array(iceServer) });
export const errorCode = z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]);
/** `retry`: milliseconds after which the same message may be sent again; without it the refusal is final. */
export const error = z.object({
  type: z.literal('error'),
  code: errorCode,
  message: z.string(),
  n: n.optional(),
  retry: z.int().optional(),
});
/** The last message before the server closes. `retry`: come back after so many milliseconds; null = do not. */
export const bye = z.object({
  type: z.literal('bye'),
  code: errorCode,
  message: z.string(),
  retry: z.int().nullable(),
});

export const serverMessage = z.discriminatedUnion('type', [
  joined,
  waiting,
  waitingUpdated,
  lobby,
  roomUpdated,
  muteRequested,
  peerJoined,
  peerUpdated,
  peerAway,
  peerBack,
  peerLeft,
  relayedSignal,
  relayedChat,
  ack,
  reached,
  pong,
  ice,
  error,
  bye,
]);

// ── plain HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** `POST …/messages`: one message or several, in order; the response has the replies (acknowledgements, errors). */
export const postedMessages = z.union([z.array(z.unknown()).min(1), z.looseObject({})]);
/** `GET …/events`: what came after the number asked for; `seq` is the number to ask for next. */
export const eventsAnswer = z.object({ messages: z.array(serverMessage), seq });

/**
 * `GET …/seen`: how the request arrived. `by`: the kind of listener. `client`: the address that it counts as; `told`: whether that is
 * known, and not merely the front end's own. `scheme`, `host`: what the browser is taken to have asked for. `port`: the one that clients
 * of the front end connect to, if it says so and the scheme does not. `prefix`: the path before the app, `/meet` or empty. `origin`: the
 * header.
 */
export const seen = z.object({
  protocol: z.literal(protocolVersion),
  by: z.enum(['http', 'http-socket', 'socket']),
  client: z.string().nullable(),
  told: z.boolean(),
  scheme: z.enum(['http', 'https']),
  host: z.string(),
  port: z.int().min(1).max(65_535).optional(),
  prefix: z.string(),
  origin: z.string().nullable(),
});

/** `GET …/inside`: what somebody before the door may know. `peers`: how many are inside; `names`: of those who gave one. */
export const inside = z.object({ peers: z.int().min(0).optional(), names: z.array(peerName).optional() });

export type RoomName = z.infer<typeof roomName>;
export type PeerId = z.infer<typeof peerId>;
export type MediaState = z.infer<typeof mediaState>;
export type Role = z.infer<typeof role>;
export type Access = z.infer<typeof access>;
export type MediaKind = z.infer<typeof mediaKind>;
export type RoomState = z.infer<typeof roomState>;
export type WaitingPeer = z.infer<typeof waitingPeer>;
export type SaidBefore = z.infer<typeof saidBefore>;
export type Waiting = z.infer<typeof waiting>;
export type LeaveReason = z.infer<typeof leaveReason>;
export type Join = z.infer<typeof join>;
export type Update = z.infer<typeof update>;
export type ClientMessage = z.infer<typeof clientMessage>;
/** The messages with a number, which are settled once. */
export type Numbered = Extract<ClientMessage, { n: number }>;
export type Peer = z.infer<typeof peer>;
export type IceServer = z.infer<typeof iceServer>;
export type Joined = z.infer<typeof joined>;
export type Seen = z.infer<typeof seen>;
export type Inside = z.infer<typeof inside>;
export type ServerMessage = z.infer<typeof serverMessage>;
