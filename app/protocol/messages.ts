/** The zod schemas of all messages of the protocols `genkan.v1` and `genkan.v2`. (!) Docstrings of exported schemas are part of the documents. */
import { z } from 'zod';
import { type ErrorCode, errors } from './errors.ts';
import { most, peerIdForm } from './limits.ts';
import { cleanName } from './shown.ts';

/** The WebSocket subprotocol. A change that breaks older clients needs the next number. */
export const protocolVersion = 'genkan.v1';
/** The same with signals in binary frames: binary-signals.ts. */
export const binaryProtocolVersion = 'genkan.v2';

/** 1–64 code points in Unicode normal form C: letters (with their marks) and digits of any script, `-` and `_`. */
export const roomName = z
  .string()
  .normalize('NFC')
  .regex(/^[\p{L}\p{M}\p{N}_-]{1,64}$/u);
export const peerId = z.string().regex(peerIdForm);
const nameText = z
  .string()
  .trim()
  // Aborts, because each of the checks below takes up to milliseconds for a long name.
  .max(most.name, { abort: true })
  .regex(/^\P{Cc}*$/u, 'control characters are not allowed');
/** A display name: 1–64 characters without control characters; spaces around it are removed. */
export const peerName = nameText.min(1);
/** A new display name. The server removes invisible characters, and refuses a name that is empty afterwards. */
export const visibleName = peerName.overwrite(cleanName).min(1, 'it has no visible characters');
/**
 * The display name of a peer that joins: up to 64 characters without control characters. The server removes spaces around it and invisible
 * characters; if nothing is left, the peer has no name.
 */
export const ownName = nameText.overwrite(cleanName).transform((name) => (name === '' ? undefined : name));
/** The kinds of media that a peer says it sends: a hint for the user interface. Only the tracks themselves are reliable. */
export const mediaState = z.object({ audio: z.boolean(), video: z.boolean(), screen: z.boolean().optional() });
export const role = z.enum(['host', 'guest']);
/** Who may join: everyone, those whom a host admits, or nobody. */
export const access = z.enum(['open', 'knock', 'locked']);
export const mediaKind = z.enum(['audio', 'video', 'screen']);
/** A passcode: 1 to 256 characters. */
export const passcodeText = z.string().min(1).max(most.passcode);
const token = z.string().max(most.token);
const n = z.int().min(1);
const seq = z.int().min(0);
const epoch = z.int().min(1);

// ── client → server ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The first message of a connection. `session`, and `after` (the number of the last event received), resume a session. */
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
 * An offer, answer or candidate for the peer `to`. `epoch` is the one that the server sent for this pair. `data` is any JSON value of up
 * to 32 768 characters, relayed unread. The browser library expects `{link, description}` or `{link, candidate}`, and ignores the rest.
 */
export const signal = z.object({
  type: z.literal('signal'),
  n,
  to: peerId,
  epoch,
  data: z.unknown().refine((data) => data !== undefined, 'data is missing'),
});
/** A text for everyone else in the room, or for the peer `to`. */
export const chat = z.object({
  type: z.literal('chat'),
  n,
  text: z.string().min(1).max(most.text),
  to: peerId.optional(),
});
/** Changes what the other peers see of the sender. `token` replaces the token of the join: its role and name apply from now on. */
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
/** Ends the session. With `mayReturn`, it can be resumed for some seconds, in case the page is being reloaded. */
export const leave = z.object({ type: z.literal('leave'), mayReturn: z.boolean().optional() });
/**
 * Answered by `pong`. `quiet` (ms) shows whether a proxy closes idle connections: the server sends nothing, not even pings, for this time
 * or for its own maximum, and then answers. It works over a WebSocket, before `join`, once; otherwise it is ignored.
 */
export const ping = z.object({ type: z.literal('ping'), quiet: z.int().min(1).optional() });

// For hosts only.

/** Admits a peer in the lobby. */
export const admit = z.object({ type: z.literal('admit'), n, peer: peerId });
/** Refuses a peer in the lobby. */
export const deny = z.object({ type: z.literal('deny'), n, peer: peerId });
/** Sets who may join from now on. */
export const lock = z.object({ type: z.literal('lock'), n, access });
/** Sets the passcode that new peers must send in `join`; null removes it. */
export const passcode = z.object({ type: z.literal('passcode'), n, passcode: passcodeText.nullable() });
/** Makes a peer host or guest. The last host stays host. */
export const setRole = z.object({ type: z.literal('role'), n, peer: peerId, role });
/**
 * Removes a peer. With `ban`, neither its session nor the subject of its token may join again for as long as the room exists. With
 * `network`, nobody may join from its network (an IPv4 address or IPv6 /56) for an hour.
 */
export const kick = z.object({
  type: z.literal('kick'),
  n,
  peer: peerId,
  ban: z.boolean().optional(),
  network: z.boolean().optional(),
});
/** Asks a peer to turn off a kind of media. Only the peer itself can do so. */
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
 * Another peer, as seen by the receiver of the message. `initiator`: the receiver sends the first offer to this peer. `polite`: the
 * receiver rolls back its own offer when offers collide. `epoch` identifies the connection of the pair, and changes when either peer
 * joins again. `away`: the peer has lost its connection to the server.
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

/** A peer in the lobby, as sent to hosts. */
export const waitingPeer = z.object({ id: peerId, name: peerName.optional(), away: z.boolean() });
/** An earlier chat text to everyone. `name`: the sender's name at that time. `at`: server time, milliseconds since 1970. */
export const saidBefore = z.object({ from: peerId, name: peerName.optional(), text: z.string(), at: z.int() });
/** Who may join the room. `passcode`: whether new peers need one. */
export const roomState = z.object({ access, passcode: z.boolean() });

/**
 * The reply to `join` if a host has to admit the peer, which is in the lobby until `joined` or `bye`. `host`: whether a host is present.
 * `seq`: the first `after` of requests for events. `session` is a secret: it resumes the stay in the lobby within `grace` milliseconds.
 */
export const waiting = z.object({
  type: z.literal('waiting'),
  self: z.object({ id: peerId, name: peerName.optional() }),
  host: z.boolean(),
  seq,
  session: z.string(),
  grace: z.int(),
});
/** To peers in the lobby: whether a host is present now. */
export const waitingUpdated = z.object({ type: z.literal('waiting-updated'), seq, host: z.boolean() });
/** To hosts: all peers in the lobby, in the order of arrival. */
export const lobby = z.object({ type: z.literal('lobby'), seq, waiting: z.array(waitingPeer) });

/**
 * The reply to `join`. `session` is a secret: it resumes within `grace` milliseconds after a lost connection. `recovered` false: discard
 * all previous peers and start from `peers`; `seq` is the first `after`; `chat` has the recent texts to everyone, the oldest first.
 * `recovered` true: the session was resumed; keep your `after`, because the missed events, with numbers up to `seq`, follow; `peers` is
 * only a check. `waiting`: the peers in the lobby, for hosts.
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
/** A peer joined, or joined again: then it replaces the peer with the same id. */
export const peerJoined = z.object({ type: z.literal('peer-joined'), seq, peer });
/** The changed fields of a peer. `role` is also sent to the peer itself. */
export const peerUpdated = z.object({
  type: z.literal('peer-updated'),
  seq,
  peer: peerId,
  name: peerName.optional(),
  media: mediaState.optional(),
  hand: z.boolean().optional(),
  role: role.optional(),
});
/** A peer has lost its connection to the server. Media between peers is not affected. */
export const peerAway = z.object({ type: z.literal('peer-away'), seq, peer: peerId });
/** A peer that was away has resumed. */
export const peerBack = z.object({ type: z.literal('peer-back'), seq, peer: peerId });
/** `timeout`: away for longer than `grace`, or evicted from a full room. `error`: the server closed its connection for an error. */
export const leaveReason = z.enum(['left', 'timeout', 'error', 'kicked']);
export const peerLeft = z.object({ type: z.literal('peer-left'), seq, peer: peerId, reason: leaveReason });
/** A signal from another peer. `data` is as its sender wrote it. */
export const relayedSignal = z.object({
  type: z.literal('signal'),
  seq,
  from: peerId,
  epoch,
  data: z.unknown(),
});
/** A text from another peer. `at`: server time, milliseconds since 1970. `to`: present if the text is only for the receiver. */
export const relayedChat = z.object({
  type: z.literal('chat'),
  seq,
  from: peerId,
  to: peerId.optional(),
  text: z.string(),
  at: z.int(),
});
/** A host changed who may join. `passcode`: whether new peers need one. */
export const roomUpdated = z.object({
  type: z.literal('room-updated'),
  seq,
  access: access.optional(),
  passcode: z.boolean().optional(),
});
/** A host asks the receiver to turn off a kind of media. */
export const muteRequested = z.object({ type: z.literal('mute-request'), seq, from: peerId, kind: mediaKind });
/** All messages of the receiver up to number `n` are settled: accepted, or refused by an `error` with their number. */
export const ack = z.object({ type: z.literal('ack'), n: z.int().min(0) });
/** The room has reached this number: the events since the receiver's last one were for other peers. It is the `after` of a resume. */
export const reached = z.object({ type: z.literal('reached'), seq });
/** The reply to `ping`. */
export const pong = z.object({ type: z.literal('pong') });
/** A complete new list of ICE servers, sent before the credentials of the previous one expire. */
export const ice = z.object({ type: z.literal('ice'), ice: z.array(iceServer) });
export const errorCode = z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]);
/**
 * A message, a join or a request is refused. `n`: the number of the message, if it has one. With `retry`, it may be sent again after this
 * delay (ms), and its number stays open. Without it, the refusal is final and settles the number.
 */
export const error = z.object({
  type: z.literal('error'),
  code: errorCode,
  message: z.string(),
  n: n.optional(),
  retry: z.int().optional(),
});
/** The last message before the server closes the connection. `retry`: delay (ms) before reconnecting; null = do not reconnect. */
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
/** The messages with a number `n`. */
export type Numbered = Extract<ClientMessage, { n: number }>;
export type Peer = z.infer<typeof peer>;
export type IceServer = z.infer<typeof iceServer>;
export type Joined = z.infer<typeof joined>;
export type ServerMessage = z.infer<typeof serverMessage>;
