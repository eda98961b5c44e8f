/** Every message of the protocol `genkan.v1`, in both directions, as zod schemas; the types are inferred from them. */
import { z } from 'zod';
import { type ErrorCode, errors } from './errors.ts';

/** The WebSocket subprotocol; a change that an old client would misread takes the next number. */
export const protocolVersion = 'genkan.v1';

/** Letters (with their marks), digits, `-` and `_` of any script, 1–64 code points, in Unicode normal form C. */
export const roomName = z
  .string()
  .normalize('NFC')
  .regex(/^[\p{L}\p{M}\p{N}_-]{1,64}$/u);
export const peerId = z.string().regex(/^[\w-]{1,32}$/);
/** What a person calls themselves: trimmed, 1–64 characters, no control characters. */
export const peerName = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/^\P{Cc}*$/u, 'control characters are not allowed');
/** Which kinds of media the peer sends now; a hint for the others' pages, the tracks themselves tell the truth. */
export const mediaState = z.object({ audio: z.boolean(), video: z.boolean(), screen: z.boolean().optional() });
export const role = z.enum(['host', 'guest']);
const n = z.int().min(1);
const seq = z.int().min(0);
const epoch = z.int().min(1);

// ── client → server ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The first message of every connection. `session` and `after` (the last `seq` seen) resume an earlier one. */
export const join = z.object({
  type: z.literal('join'),
  name: peerName.optional(),
  token: z.string().max(8192).optional(),
  passcode: z.string().max(256).optional(),
  session: z.string().max(256).optional(),
  after: seq.optional(),
  media: mediaState.optional(),
});
/** An offer, answer or candidate for `to`, relayed unread. `epoch` is the pair's, as the server told it. */
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
  text: z.string().min(1).max(4000),
  to: peerId.optional(),
});
export const update = z.object({
  type: z.literal('update'),
  n,
  name: peerName.optional(),
  media: mediaState.optional(),
});
export const leave = z.object({ type: z.literal('leave') });
export const ping = z.object({ type: z.literal('ping') });

export const clientMessage = z.discriminatedUnion('type', [join, signal, chat, update, leave, ping]);

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

/**
 * The answer to `join`. `session` is the secret that resumes; `grace` is how long (milliseconds) a lost connection may
 * take to do so. With `recovered` the session went on: what it missed follows, up to `seq`, and `peers` is only a
 * check. Without it this is a new beginning: forget every peer of before and start from `peers`.
 */
export const joined = z.object({
  type: z.literal('joined'),
  self: z.object({ id: peerId, name: peerName.optional(), role, media: mediaState }),
  peers: z.array(peer),
  seq,
  session: z.string(),
  ice: z.array(iceServer),
  grace: z.int(),
  recovered: z.boolean(),
});
export const peerJoined = z.object({ type: z.literal('peer-joined'), seq, peer });
export const peerUpdated = z.object({
  type: z.literal('peer-updated'),
  seq,
  peer: peerId,
  name: peerName.optional(),
  media: mediaState.optional(),
});
export const peerAway = z.object({ type: z.literal('peer-away'), seq, peer: peerId });
export const peerBack = z.object({ type: z.literal('peer-back'), seq, peer: peerId });
export const leaveReason = z.enum(['left', 'timeout', 'error']);
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
/** Everything up to and including number `n` is settled: stored, or refused by an `error` that named it. */
export const ack = z.object({ type: z.literal('ack'), n: z.int().min(0) });
export const pong = z.object({ type: z.literal('pong') });
/** Another set of ICE servers in place of the one in `joined`, before credentials in that one expire. */
export const ice = z.object({ type: z.literal('ice'), ice: z.array(iceServer) });
const errorCode = z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]);
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
  peerJoined,
  peerUpdated,
  peerAway,
  peerBack,
  peerLeft,
  relayedSignal,
  relayedChat,
  ack,
  pong,
  ice,
  error,
  bye,
]);

// ── plain HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** `POST …/messages`: one message or several, in order; the answer has the replies (acknowledgements, errors). */
export const postedMessages = z.union([z.array(z.unknown()).min(1), z.looseObject({})]);
/** `GET …/events`: what came after the number asked for; `seq` is the number to ask for next. */
export const eventsAnswer = z.object({ messages: z.array(serverMessage), seq });

export type RoomName = z.infer<typeof roomName>;
export type PeerId = z.infer<typeof peerId>;
export type MediaState = z.infer<typeof mediaState>;
export type Role = z.infer<typeof role>;
export type LeaveReason = z.infer<typeof leaveReason>;
export type Join = z.infer<typeof join>;
export type ClientMessage = z.infer<typeof clientMessage>;
export type Peer = z.infer<typeof peer>;
export type IceServer = z.infer<typeof iceServer>;
export type Joined = z.infer<typeof joined>;
export type ServerMessage = z.infer<typeof serverMessage>;
