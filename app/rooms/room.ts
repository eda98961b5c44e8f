/** The state of a room: its peers, its lobby, its rules, and the events it emits. */
import type { Passcode } from '../auth/passcode.ts';
import { householdNetwork } from '../budgets/address.ts';
import { type RateLimits, TokenBucket } from '../budgets/token-bucket.ts';
import type { ByteRange } from '../protocol/byte-range.ts';
import type { Refusal } from '../protocol/errors.ts';
import type {
  Access,
  LeaveReason,
  MediaKind,
  MediaState,
  PeerId,
  Peer as PeerView,
  Role,
  RoomName,
  SaidBefore,
  WaitingPeer,
} from '../protocol/messages.ts';

/**
 * Why a peer counts as present. `until`: deadline for the next request of a peer without a connection (plain HTTP); Infinity for
 * a connected peer. `worker`: the worker it is connected to; absent if there is only one.
 */
export type PresenceLease = { until: number; worker?: string | undefined };

/** When away, `until` is when the peer leaves with `reason`, and `worker` is the one it was connected to. */
export type Presence = ({ at: 'here' } & PresenceLease) | ({ at: 'away'; reason: 'timeout' | 'left' } & PresenceLease);

/** What a token grants its bearer; it overrides what the peer claims about itself. */
export type Granted = { role?: Role | undefined; name?: string | undefined; subject?: string | undefined };

/** A peer in the lobby, waiting to be admitted. */
export type LobbyPeer = {
  id: PeerId;
  name?: string;
  media: MediaState;
  /** Hash of the secret that resumes its session. */
  secretHash: string;
  granted?: Granted | undefined;
  presence: Presence;
  former?: PreviousSession;
  /** The smallest network of its client address, a key from `budgets/address.ts`. */
  from?: string;
  /** Since when (ms since 1970) it has had no connection and requested no events; absent while connected. */
  idleSince?: number;
  /** It has requested events, or had a connection, since it joined. */
  listened?: true;
  /** Rest of its resume budget, as of `at` (ms since 1970); absent before its first resume. */
  resumes?: { tokens: number; at: number };
};

/** The session that a peer proved when it rejoined a room that no longer knew it: hash of its secret, and when (ms since 1970). */
export type PreviousSession = { secretHash: string; at: number };

export type Peer = LobbyPeer & {
  role: Role;
  hand: boolean;
  /** The number of its join in this room. The epoch of a pair is the larger of its two numbers. */
  entered: number;
  /** The last message number that was settled. */
  accepted: number;
  /** Made host while another one was lost, or by such a host: it is not remembered as lost itself. */
  deputy?: true;
};

/** Why a session has ended, kept until its owner has had time to ask. A ban lasts as long as the room. */
export type EndedSession = { code: 'denied' | 'kicked' | 'room-ended'; until: number };
/** Ways in which an event of the room can end a session. */
export type Ended = EndedSession['code'] | 'lobby-full';

/** A host that left because it did not reconnect. Until `until` (ms since 1970) it returns as host, with the proof of its session. */
export type LostHost = {
  secretHash: string;
  until: number;
  /** It has created the room and not joined yet: until then nobody else becomes host by joining or staying. */
  creator?: true;
};

export type Room = {
  name: RoomName;
  joins: number;
  peers: Map<PeerId, Peer>;
  waiting: Map<PeerId, LobbyPeer>;
  /** Absent while it is the default of the rules. */
  access?: Access;
  passcode?: Passcode;
  said: ChatRecord[];
  /** The network of the client that opened the room. */
  from?: string;
  /** Ended sessions by the hash of their secret; bans also by `subjectKey` and `networkKey`. */
  gone: Map<string, EndedSession>;
  /** Absent if there are none; the last of `maxPeers`. While there are, a room with settings keeps them when it is empty. */
  lostHosts?: LostHost[];
  /** Absent before the first `lobby` event. */
  lobbyNews?: LobbyNews;
};

/** Rest of a room's budget of `lobby` events, as of `at` (ms since 1970); `due`: hosts have not been sent the current lobby yet. */
export type LobbyNews = { tokens: number; at: number; due?: true };

/** A chat message to everyone. `seq`: the number of its event, if this process knows it. */
export type ChatRecord = SaidBefore & { seq?: number };

/** Rules for every room of this server; times in ms. */
export type Rules = {
  access: Exclude<Access, 'locked'>;
  /** Peers in a room, including those that are away. */
  maxPeers: number;
  maxWaiting: number;
  /** Denied, kicked and banned sessions that a room remembers. */
  maxEndedSessions: number;
  /** Chat messages to everyone that are kept for peers who join later. */
  chatHistory: number;
  grace: number;
  /** Grace for a page that was closed and may be reloading. */
  returnGrace: number;
  /** How long a room remembers a lost host, and its settings for it. */
  roomMemory: number;
  /** A seat without a connection for this long may be given to a newcomer if the room is full. */
  idleSeat: number;
  /** How often a peer may resume or rejoin its seat. */
  resumes: RateLimits;
};

export type RoomEvent =
  | { type: 'peer-joined'; peer: PeerView }
  | { type: 'peer-updated'; peer: PeerId; name?: string; media?: MediaState; hand?: boolean; role?: Role }
  | { type: 'peer-away'; peer: PeerId }
  | { type: 'peer-back'; peer: PeerId }
  | { type: 'peer-left'; peer: PeerId; reason: LeaveReason }
  /** `data` is JSON text, exactly as sent, or binary data that nobody has read. */
  | { type: 'signal'; from: PeerId; to: PeerId; epoch: number; data: string | ByteRange }
  | { type: 'chat'; from: PeerId; to?: PeerId; text: string; at: number }
  | { type: 'mute-request'; from: PeerId; among: PeerId[]; kind: MediaKind }
  | { type: 'room-updated'; access?: Access; passcode?: boolean }
  /** To the hosts, listed in `among`. */
  | { type: 'lobby'; among: PeerId[]; waiting: WaitingPeer[] }
  /** To the peers in the lobby, listed in `among`. */
  | { type: 'waiting-updated'; among: PeerId[]; host: boolean }
  /** `crowded`: evicted for a newcomer whose network has fewer peers in the lobby. */
  | { type: 'denied'; peer: PeerId; crowded?: true }
  /** The peer is now connected to this worker; sent to no peer. */
  | { type: 'moved'; peer: PeerId; worker: string }
  /** Ended for everyone (`peers`: how many), or only for the lobby. */
  | { type: 'room-ended'; for: 'all'; peers: number }
  | { type: 'room-ended'; for: 'waiting' };

/** Outcome of a command: events to store and send, and a result for the caller; or a refusal that changes nothing. */
export type Decision<T> = { events: RoomEvent[]; result: T } | Refusal;
export type Command<T> = (room: Room, now: number) => Decision<T>;

export const emptyRoom = (name: RoomName): Room => ({
  name,
  joins: 0,
  peers: new Map(),
  waiting: new Map(),
  said: [],
  gone: new Map(),
});

/** Whether the room has no peers and an empty lobby, so that the next peer to join opens it. */
export const isEmpty = ({ peers, waiting }: Room): boolean => peers.size + waiting.size === 0;

export const awaitsCreator = ({ lostHosts }: Room): boolean => lostHosts?.some(({ creator }) => creator) ?? false;

/** Whether the room is empty, waits for no lost host, and no peer may still ask why its session ended. */
export const isOver = ({ peers, waiting, gone, lostHosts }: Room): boolean =>
  peers.size === 0 &&
  waiting.size === 0 &&
  lostHosts === undefined &&
  ![...gone].some(([key, { until }]) => !isBan(key, until));

/** Keys of bans that cover more than one session. They contain a colon, which no hash does. */
export const subjectKey = (subject: string): string => `subject:${subject}`;
export const networkKey = (address: string): string => `network:${householdNetwork(address)}`;

/** Whether an entry of `gone` is a ban, which ends with the room, rather than a reason that its owner may still ask for. */
export const isBan = (key: string, until: number): boolean => until === Number.POSITIVE_INFINITY || key.includes(':');

/** Runs a command and adds the events that tell the lobby and the hosts what it changed for them. */
export const carryOut = <T>(room: Room, command: Command<T>, now: number): Decision<T> => {
  const before = room.waiting.size > 0 || room.lobbyNews?.due ? lobbyOf(room) : undefined;
  const decision = command(room, now);
  if (!('refused' in decision) && (before || room.waiting.size > 0))
    decision.events.push(...lobbyEvents(before ?? { ...lobbyOf(room), waiting: '[]' }, room, now));
  return decision;
};

/**
 * A room's budget of `lobby` events, per second and at once. Peers that knock and leave again and again would flood its hosts
 * otherwise. Each event has the whole lobby, so hosts miss nothing but what lasted less than a second.
 */
const lobbyRate = { rate: 1, burst: 20 };

/** When hosts have to be sent the lobby (ms since 1970); Infinity if they have been. */
export const lobbyDue = ({ lobbyNews }: Room): number =>
  lobbyNews?.due
    ? lobbyNews.at + new TokenBucket(lobbyRate, lobbyNews.at, lobbyNews.tokens).wait(lobbyNews.at)
    : Number.POSITIVE_INFINITY;

/**
 * Whether a receiver gets an event. Some events go to one or a few peers, the rest to everyone but their subject. The subject
 * only gets what others did to it: it was admitted or removed, or its role changed.
 */
export const concerns = (event: RoomEvent, receiver: PeerId): boolean => {
  switch (event.type) {
    case 'signal':
      return event.to === receiver;
    case 'chat':
      return event.to === undefined ? event.from !== receiver : event.to === receiver;
    case 'peer-updated':
      return event.peer !== receiver || event.role !== undefined;
    case 'peer-left':
      return event.peer !== receiver || event.reason === 'kicked';
    case 'peer-away':
    case 'peer-back':
      return event.peer !== receiver;
    case 'denied':
      return event.peer === receiver;
    case 'mute-request':
    case 'lobby':
    case 'waiting-updated':
      return event.among.includes(receiver);
    case 'moved':
      return false;
    case 'peer-joined':
    case 'room-updated':
    case 'room-ended':
      return true;
  }
};

/** Whether an event admits the receiver. */
export const admits = (event: RoomEvent, receiver: PeerId): boolean =>
  event.type === 'peer-joined' && event.peer.id === receiver;

/** Like `concerns`, for a receiver in the lobby. */
export const concernsAtTheDoor = (event: RoomEvent, receiver: PeerId): boolean =>
  event.type === 'waiting-updated'
    ? event.among.includes(receiver)
    : admits(event, receiver) || endedBy(event, receiver, true) !== undefined;

/** Why an event ends the receiver's session; undefined if it does not. */
export const endedBy = (event: RoomEvent, receiver: PeerId, waits: boolean): Ended | undefined => {
  if (event.type === 'denied' && event.peer === receiver) return event.crowded ? 'lobby-full' : 'denied';
  if (event.type === 'peer-left' && event.peer === receiver && event.reason === 'kicked') return 'kicked';
  if (event.type === 'room-ended' && (event.for === 'all' || waits)) return 'room-ended';
  return undefined;
};

/** The lobby, as hosts see it. */
export const waitingList = ({ waiting }: Room): WaitingPeer[] =>
  [...waiting.values()].map(({ id, name, presence }) => ({
    id,
    ...(name === undefined ? {} : { name }),
    away: presence.at === 'away',
  }));

export const hostIsHere = ({ peers }: Room): boolean =>
  [...peers.values()].some(({ role, presence }) => role === 'host' && presence.at === 'here');

/** Whether a peer is connected to a different worker. */
export const isElsewhere = (room: Room, id: PeerId, worker: string | undefined): boolean => {
  const presence = (room.peers.get(id) ?? room.waiting.get(id))?.presence;
  return presence?.at === 'here' && presence.worker !== worker;
};

const hostsOf = ({ peers }: Room): PeerId[] =>
  [...peers.values()].filter(({ role }) => role === 'host').map(({ id }) => id);

/** What hosts and waiting peers see of the lobby, in a comparable form. */
type Lobby = { waiting: string; hosts: string; host: boolean };
const lobbyOf = (room: Room): Lobby => ({
  waiting: JSON.stringify(waitingList(room)),
  hosts: hostsOf(room).join(),
  host: hostIsHere(room),
});

const lobbyEvents = (before: Lobby, room: Room, now: number): RoomEvent[] => {
  const after = lobbyOf(room);
  const events: RoomEvent[] = [];
  const hosts = hostsOf(room);
  const newHosts = before.hosts !== after.hosts;
  const changed = newHosts || before.waiting !== after.waiting || room.lobbyNews?.due;
  if (hosts.length === 0) delete room.lobbyNews;
  else if (changed && payForLobby(room, newHosts, now))
    events.push({ type: 'lobby', among: hosts, waiting: waitingList(room) });
  if (room.waiting.size > 0 && before.host !== after.host)
    events.push({ type: 'waiting-updated', among: [...room.waiting.keys()], host: after.host });
  return events;
};

/**
 * Takes one from the budget of `lobby` events.
 * @param must whether to send one even if nothing is left
 * @returns whether to send one
 */
const payForLobby = (room: Room, must: boolean, now: number): boolean => {
  const { tokens = lobbyRate.burst, at = now, due } = room.lobbyNews ?? {};
  const bucket = new TokenBucket(lobbyRate, at, tokens);
  const sends = must || bucket.wait(now) === 0;
  if (sends) {
    bucket.take(now);
    room.lobbyNews = { tokens: bucket.tokens, at: now };
  } else if (!due) room.lobbyNews = { tokens: bucket.tokens, at: now, due: true };
  return sends;
};
