/** What a room is: its peers, who waits, its rules, and the events by which it tells what happened. */
import type { Passcode } from '../auth/passcode.ts';
import { householdNetwork } from '../budgets/address.ts';
import type { RateLimits } from '../budgets/token-bucket.ts';
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
 * How a peer is known to be here. `until`: when a peer without a connection of its own (plain HTTP) counts
 * as lost unless it asks again; else Infinity. `worker`: which one it is connected to; absent where there is only one.
 */
export type PresenceLease = { until: number; worker?: string | undefined };

/** `away`, `until`: when it has left, and for which `reason`; `worker`: the one it was connected to. */
export type Presence = ({ at: 'here' } & PresenceLease) | ({ at: 'away'; reason: 'timeout' | 'left' } & PresenceLease);

/** What a token says of its bearer: it counts before what the peer says of itself. */
export type Granted = { role?: Role | undefined; name?: string | undefined; subject?: string | undefined };

/** Someone who knocked and waits to be let in. */
export type Waiting = {
  id: PeerId;
  name?: string;
  media: MediaState;
  /** Hash of the secret that resumes its session. */
  secretHash: string;
  granted?: Granted | undefined;
  presence: Presence;
  former?: PreviousSession;
  /** The smallest network of its client address, a key of `budgets/address.ts`. */
  from?: string;
  /** Since when (ms since 1970) it has had no connection of its own and has not asked for events; absent while it has one. */
  idleSince?: number;
  /** It has asked for events, or had a connection, since it joined. */
  listened?: true;
  /** What is left of its budget for coming back, as of `at` (ms since 1970); absent before it has come back once. */
  resumes?: { tokens: number; at: number };
};

/** What a peer showed that came back into a room that did not have it any more: the hash of its secret, and when (ms since 1970). */
export type PreviousSession = { secretHash: string; at: number };

export type Peer = Waiting & {
  role: Role;
  hand: boolean;
  /** The number of its join in this room. The later join of a pair is the pair's epoch. */
  entered: number;
  /** The last of its message numbers that was settled. */
  accepted: number;
};

/** Why a session is over that its owner may not know of yet. A ban stands for as long as the room lives. */
export type EndedSession = { code: 'denied' | 'kicked' | 'room-ended'; until: number };
/** How a session may end by an event of its room. */
export type Ended = EndedSession['code'] | 'lobby-full';

export type Room = {
  name: RoomName;
  joins: number;
  peers: Map<PeerId, Peer>;
  waiting: Map<PeerId, Waiting>;
  /** Absent while it is what the rules say. */
  access?: Access;
  passcode?: Passcode;
  said: ChatRecord[];
  /** The network of the client that opened it. */
  from?: string;
  /** By the hash of the session's secret, and bans also by `subjectKey` and `networkKey`. */
  gone: Map<string, EndedSession>;
};

/** A text to everyone. `seq`: the number of its event, where this process knows it. */
export type ChatRecord = SaidBefore & { seq?: number };

/** What holds for every room of this server; times in ms. */
export type Rules = {
  access: Exclude<Access, 'locked'>;
  /** Peers in a room, those who are away included. */
  maxPeers: number;
  maxWaiting: number;
  /** Sessions a room remembers as denied, kicked or banned. */
  maxGone: number;
  /** How many texts to everyone are kept for those who come later. */
  chatHistory: number;
  grace: number;
  /** For a page that went away and may be loaded again. */
  returnGrace: number;
  /** After so long without a connection a seat gives way to a newcomer for whom there is no other. */
  idleSeat: number;
  /** How often a peer may come back to its seat, by a resume or by joining again. */
  resumes: RateLimits;
};

export type RoomEvent =
  | { type: 'peer-joined'; peer: PeerView }
  | { type: 'peer-updated'; peer: PeerId; name?: string; media?: MediaState; hand?: boolean; role?: Role }
  | { type: 'peer-away'; peer: PeerId }
  | { type: 'peer-back'; peer: PeerId }
  | { type: 'peer-left'; peer: PeerId; reason: LeaveReason }
  /** `data` is JSON text, as the sender wrote it. */
  | { type: 'signal'; from: PeerId; to: PeerId; epoch: number; data: string }
  | { type: 'chat'; from: PeerId; to?: PeerId; text: string; at: number }
  | { type: 'mute-request'; from: PeerId; among: PeerId[]; kind: MediaKind }
  | { type: 'room-updated'; access?: Access; passcode?: boolean }
  /** To the hosts, who are `among`. */
  | { type: 'lobby'; among: PeerId[]; waiting: WaitingPeer[] }
  /** To those who wait, who are `among`. */
  | { type: 'waiting-updated'; among: PeerId[]; host: boolean }
  /** `crowded`: it gave way to a newcomer from a network with fewer places. */
  | { type: 'denied'; peer: PeerId; crowded?: true }
  /** Its connection is at this worker from now on; told to no peer. */
  | { type: 'moved'; peer: PeerId; worker: string }
  /** Over for everyone, who were `peers` many, or only for those who wait. */
  | { type: 'room-ended'; for: 'all'; peers: number }
  | { type: 'room-ended'; for: 'waiting' };

/** What a command decided: events to store and tell, and an answer for whoever gave it; or a refusal, changing nothing. */
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

/** Whether nobody is there and nobody waits: the next peer to join opens the room. */
export const isEmpty = ({ peers, waiting }: Room): boolean => peers.size + waiting.size === 0;

/** Whether nobody is there, nobody waits, and nobody may still come to ask what became of its session. */
export const isOver = ({ peers, waiting, gone }: Room): boolean =>
  peers.size === 0 && waiting.size === 0 && ![...gone].some(([key, { until }]) => !isBan(key, until));

/** Keys of bans by more than a session; no hash has a colon. */
export const subjectKey = (subject: string): string => `subject:${subject}`;
export const networkKey = (address: string): string => `network:${householdNetwork(address)}`;

/** Whether what a room remembers is a ban, which ends with the room, and not an answer that somebody may still come for. */
export const isBan = (key: string, until: number): boolean => until === Number.POSITIVE_INFINITY || key.includes(':');

/** Carries a command out; whoever waits, or lets in, is told what it changed for them. */
export const carryOut = <T>(room: Room, command: Command<T>, now: number): Decision<T> => {
  const before = room.waiting.size > 0 ? doorOf(room) : undefined;
  const decision = command(room, now);
  if (!('refused' in decision) && (before || room.waiting.size > 0))
    decision.events.push(...atTheDoor(before ?? { waiting: '[]', hosts: '', host: hostIsHere(room) }, room));
  return decision;
};

/**
 * Whether an event matters to a receiver: some go to one or a few, all else to everyone but the peer it is about; and that
 * peer hears of what was done to it: that it was let in or removed, or that its role is another.
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

/** Whether an event tells a receiver that it was let in. */
export const admits = (event: RoomEvent, receiver: PeerId): boolean =>
  event.type === 'peer-joined' && event.peer.id === receiver;

/** The same for a peer that waits to be let in. */
export const concernsAtTheDoor = (event: RoomEvent, receiver: PeerId): boolean =>
  event.type === 'waiting-updated'
    ? event.among.includes(receiver)
    : admits(event, receiver) || endedBy(event, receiver, true) !== undefined;

/** Why an event is the end of a receiver's session; undefined when it is not. */
export const endedBy = (event: RoomEvent, receiver: PeerId, waits: boolean): Ended | undefined => {
  if (event.type === 'denied' && event.peer === receiver) return event.crowded ? 'lobby-full' : 'denied';
  if (event.type === 'peer-left' && event.peer === receiver && event.reason === 'kicked') return 'kicked';
  if (event.type === 'room-ended' && (event.for === 'all' || waits)) return 'room-ended';
  return undefined;
};

/** Every peer that waits, as hosts see it. */
export const waitingList = ({ waiting }: Room): WaitingPeer[] =>
  [...waiting.values()].map(({ id, name, presence }) => ({
    id,
    ...(name === undefined ? {} : { name }),
    away: presence.at === 'away',
  }));

export const hostIsHere = ({ peers }: Room): boolean =>
  [...peers.values()].some(({ role, presence }) => role === 'host' && presence.at === 'here');

/** Whether a peer is connected to another worker than this one. */
export const isElsewhere = (room: Room, id: PeerId, worker: string | undefined): boolean => {
  const presence = (room.peers.get(id) ?? room.waiting.get(id))?.presence;
  return presence?.at === 'here' && presence.worker !== worker;
};

const hostsOf = ({ peers }: Room): PeerId[] =>
  [...peers.values()].filter(({ role }) => role === 'host').map(({ id }) => id);

/** What is to be seen at the door, from both sides, in a form that can be compared. */
type Door = { waiting: string; hosts: string; host: boolean };
const doorOf = (room: Room): Door => ({
  waiting: JSON.stringify(waitingList(room)),
  hosts: hostsOf(room).join(),
  host: hostIsHere(room),
});

const atTheDoor = (before: Door, room: Room): RoomEvent[] => {
  const after = doorOf(room);
  const events: RoomEvent[] = [];
  const hosts = hostsOf(room);
  if (hosts.length > 0 && (before.waiting !== after.waiting || before.hosts !== after.hosts))
    events.push({ type: 'lobby', among: hosts, waiting: waitingList(room) });
  if (room.waiting.size > 0 && before.host !== after.host)
    events.push({ type: 'waiting-updated', among: [...room.waiting.keys()], host: after.host });
  return events;
};
