/** Joining a room, knocking, resuming a session, and being admitted. */
import { matches } from '../auth/passcode.ts';
import { TokenBucket } from '../budgets/token-bucket.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { MediaState, PeerId } from '../protocol/messages.ts';
import { evictIdleSeat } from './evict.ts';
import { knock } from './lobby.ts';
import {
  type Decision,
  type EndedSession,
  type Granted,
  hostIsHere,
  isEmpty,
  type LobbyPeer,
  networkKey,
  type Peer,
  type PresenceLease,
  type PreviousSession,
  type Room,
  type RoomEvent,
  type Rules,
  subjectKey,
} from './room.ts';
import { asNewcomer, type View, viewOf } from './view.ts';

/** Where a join ends: in the room, or in its lobby (`host`: whether a host is present). */
export type JoinOutcome = { state: 'joined'; view: View } | { state: 'waiting'; self: LobbyPeer; host: boolean };

export type Entrance = PresenceLease & {
  id: PeerId;
  secretHash: string;
  name?: string | undefined;
  media?: MediaState | undefined;
  granted?: Granted | undefined;
  /** Set if the client has proved that it was this peer, in a room that was lost or has forgotten it. */
  former?: PreviousSession | undefined;
  /** The client's passcode, hashed with this room's salt; absent if it sent none. */
  passcodeHash?: string | undefined;
  /** The smallest network of its client address. */
  from?: string | undefined;
  /** False if its address has opened as many rooms as it may. */
  mayOpen?: boolean | undefined;
};

/** A client that resumes an earlier session. */
export type Return = PresenceLease & Pick<Entrance, 'id' | 'secretHash' | 'from'>;

/** A new join. If the peer id is already in the room it is replaced: same seat, new epoch, message numbers from 1. */
export const join = (room: Room, entrance: Entrance, now: number, rules: Rules): Decision<JoinOutcome> => {
  const before = room.peers.get(entrance.id);
  if (isTaken(room, entrance)) return refuse('unknown-session');
  const self = newcomer({ ...entrance, granted: entrance.granted ?? before?.granted }, now, before);
  if (before) return addPeer(room, self, rules, entrance.granted?.role ?? before.role, moved(before, entrance.worker));
  const banned = banOf(room, entrance, now);
  if (banned) return refuse(banned.code);
  const opens = isEmpty(room);
  if (opens && entrance.mayOpen === false) return refuse('too-many-rooms', 'from this address');
  const outcome = joinNew(room, self, entrance, now, rules);
  if (opens && !('refused' in outcome) && entrance.from !== undefined) room.from = entrance.from;
  return outcome;
};

const banOf = ({ gone }: Room, { granted, from }: Entrance, now: number): EndedSession | undefined => {
  const bySubject = granted?.subject === undefined ? undefined : gone.get(subjectKey(granted.subject));
  const byNetwork = from === undefined ? undefined : gone.get(networkKey(from));
  return bySubject ?? (byNetwork && byNetwork.until > now ? byNetwork : undefined);
};

const joinNew = (room: Room, self: LobbyPeer, entrance: Entrance, now: number, rules: Rules): Decision<JoinOutcome> => {
  if (entrance.granted?.role !== 'host') {
    const refusal = accessRefusal(room, entrance);
    if (refusal) return refusal;
    if ((room.access ?? rules.access) === 'knock') {
      const events = knock(room, self, now, rules);
      return 'refused' in events ? events : { events, result: waitingResult(room, self) };
    }
  }
  const evicted = room.peers.size < rules.maxPeers ? [] : evictIdleSeat(room, self, now, rules);
  return evicted ? addPeer(room, self, rules, undefined, evicted) : full(rules);
};

/**
 * Whether another client has this seat, that is, one with another secret. Exception: a client that repeats the proof it joined
 * with, because the response with its new secret never reached it.
 */
export const isTaken = (
  { peers, waiting }: Room,
  { id, secretHash, former }: Pick<Entrance, 'id' | 'secretHash' | 'former'>,
): boolean => {
  const known = peers.get(id) ?? waiting.get(id);
  if (known === undefined || known.secretHash === secretHash) return false;
  return former === undefined || known.former?.secretHash !== former.secretHash;
};

/** ms since a room was lost within which its peers are expected to return. */
const returnTime = 5 * 60_000;

/** Whether a room may have been lost recently: everyone in it has just returned with the proof of a session that it did not know. */
export const mayBeLost = ({ peers, waiting }: Room, now: number): boolean =>
  [...peers.values(), ...waiting.values()].every(({ former }) => former !== undefined && now - former.at < returnTime);

/** Resumes a session, on any connection. */
export const resume = (
  room: Room,
  { id, secretHash, from, ...lease }: Return,
  now: number,
  rules: Rules,
): Decision<JoinOutcome> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  const wait = payForResume(self, now, rules);
  if (wait > 0) return { ...refuse('rate-limited', 'by this session'), retry: wait };
  if (from !== undefined) self.from = from;
  return takeSeat(room, self, lease, now, rules);
};

/** An admitted peer takes its seat, on the connection on which it waited. This is no resume, so it costs nothing. */
export const enterAdmitted = (
  room: Room,
  { id, secretHash, ...lease }: Return,
  now: number,
  rules: Rules,
): Decision<JoinOutcome> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  return takeSeat(room, self, lease, now, rules);
};

const takeSeat = (
  room: Room,
  self: Peer | LobbyPeer,
  lease: PresenceLease,
  now: number,
  rules: Rules,
): Decision<JoinOutcome> => {
  const peer = room.peers.get(self.id);
  const events = markHere(self, lease, now, peer === undefined);
  return peer
    ? { events, result: { state: 'joined', view: viewOf(room, peer, rules) } }
    : { events, result: waitingResult(room, self) };
};

const waitingResult = (room: Room, self: LobbyPeer): JoinOutcome => ({
  state: 'waiting',
  self,
  host: hostIsHere(room),
});

/** Takes one from the seat's resume budget, which is kept in the room because any worker may get the resume. @returns ms to wait */
const payForResume = (self: LobbyPeer, now: number, { resumes }: Rules): number => {
  const { tokens = resumes.burst, at = now } = self.resumes ?? {};
  const bucket = new TokenBucket(resumes, at, tokens);
  const wait = bucket.wait(now);
  if (wait > 0) return wait;
  bucket.take(now);
  self.resumes = { tokens: bucket.tokens, at: now };
  return 0;
};

/** A peer sent a request, apart from the one it listens on: it counts as present at least until `until`. */
export const hear = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const { until, worker } = presence?.at === 'here' ? presence : who;
  return markHereAs(room, { ...who, worker, until: Math.max(until, who.until) }, now);
};

/**
 * A peer requested events: it counts as present until `until`. If it has since joined over a connection, it listens there, and
 * this request is an old one that was delayed.
 */
export const listen = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const connected = presence?.at === 'here' && presence.until === Number.POSITIVE_INFINITY;
  if (connected) return refuse('replaced');
  const decision = markHereAs(room, who, now);
  const peer = 'refused' in decision ? undefined : (room.peers.get(who.id) ?? room.waiting.get(who.id));
  if (peer) Object.assign(peer, { listened: true, ...(peer.idleSince === undefined ? {} : { idleSince: now }) });
  return decision;
};

/** Like `listen`, for a request that waits for events: the peer counts as connected while it waits. */
export const listenAndWait = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const decision = listen(room, who, now);
  if (!('refused' in decision)) connect(room, who.id);
  return decision;
};

/** A peer that was marked away is still connected. */
export const stay = (room: Room, id: PeerId, lease: PresenceLease, now: number): Decision<void> => {
  const waits = room.waiting.has(id);
  const self = room.peers.get(id) ?? room.waiting.get(id);
  return { events: self?.presence.at === 'away' ? markHere(self, lease, now, waits) : [], result: undefined };
};

/** Admits a waiting peer. */
export const admit = (room: Room, id: PeerId, now: number, rules: Rules): RoomEvent[] | Refusal => {
  const waiting = room.waiting.get(id);
  if (!waiting) return refuse('unknown-peer', `"${id}" does not wait`);
  const evicted = room.peers.size < rules.maxPeers ? [] : evictIdleSeat(room, waiting, now, rules);
  if (!evicted) return full(rules);
  const decision = addPeer(room, waiting, rules, undefined, evicted);
  return 'refused' in decision ? decision : decision.events;
};

const newcomer = (
  { id, secretHash, name: requestedName, media, granted, until, worker, former, from }: Entrance,
  now: number,
  before?: LobbyPeer,
): LobbyPeer => {
  const name = granted?.name ?? requestedName;
  const idleSince = until === Number.POSITIVE_INFINITY ? undefined : (before?.idleSince ?? now);
  return {
    id,
    secretHash,
    ...(name === undefined ? {} : { name }),
    media: media ?? { audio: false, video: false },
    granted,
    presence: here({ until, worker }),
    ...(former ? { former } : {}),
    ...(from === undefined ? {} : { from }),
    ...(idleSince === undefined ? {} : { idleSince }),
    ...(idleSince === undefined || before?.listened ? { listened: true } : {}),
    ...(before?.resumes ? { resumes: before.resumes } : {}),
  };
};

/** Adds the peer to the room. Without an earlier role or one from a token, the first peer becomes host. */
const addPeer = (
  room: Room,
  newcomer: LobbyPeer,
  rules: Rules,
  role = newcomer.granted?.role,
  before: RoomEvent[] = [],
): Decision<JoinOutcome> => {
  // Higher than any number of the lost room, whose signals may still be in flight.
  room.joins = Math.max(room.joins, Math.floor(newcomer.former?.at ?? 0)) + 1;
  const self: Peer = {
    ...newcomer,
    role: role ?? (room.peers.size === 0 ? 'host' : 'guest'),
    hand: false,
    entered: room.joins,
    accepted: 0,
  };
  // Deleted first, so that the map stays in join order.
  room.peers.delete(self.id);
  room.waiting.delete(self.id);
  room.peers.set(self.id, self);
  return {
    events: [...before, { type: 'peer-joined', peer: asNewcomer(self) }],
    result: { state: 'joined', view: viewOf(room, self, rules) },
  };
};

const accessRefusal = (room: Room, { passcodeHash }: Entrance): Refusal | undefined => {
  if (room.access === 'locked') return refuse('room-locked');
  if (!room.passcode) return undefined;
  if (passcodeHash === undefined) return refuse('passcode-needed');
  return matches(room.passcode, passcodeHash) ? undefined : refuse('wrong-passcode');
};

const markHere = (peer: LobbyPeer, lease: PresenceLease, now: number, waits = false): RoomEvent[] => {
  const back = peer.presence.at === 'away' && !waits;
  const events: RoomEvent[] = back ? [{ type: 'peer-back', peer: peer.id }] : [];
  events.push(...moved(peer, lease.worker));
  peer.presence = here(lease);
  if (lease.until === Number.POSITIVE_INFINITY) {
    delete peer.idleSince;
    peer.listened = true;
  } else peer.idleSince ??= now;
  return events;
};

/** Marks a peer as connected. */
const connect = (room: Room, id: PeerId): void => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (peer) delete peer.idleSince;
};

const markHereAs = (room: Room, { id, secretHash, ...lease }: Return, now: number): Decision<{ waits: boolean }> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  // A delayed request of a page that was closed. The next page joins.
  if (self.presence.at === 'away' && self.presence.reason === 'left') return refuse('unknown-session');
  const waits = room.waiting.has(id);
  // While a stream or poll is open `idleSince` is absent; another request does not end it.
  const { idleSince } = self;
  const events = markHere(self, lease, now, waits);
  if (idleSince === undefined) delete self.idleSince;
  return { events, result: { waits } };
};

/** Undefined if the peer is not in the room or has another secret. */
const presenceOf = (room: Room, { id, secretHash }: Return): Peer['presence'] | undefined => {
  const known = room.peers.get(id) ?? room.waiting.get(id);
  return known?.secretHash === secretHash ? known.presence : undefined;
};

const here = ({ until, worker }: PresenceLease): Peer['presence'] => ({
  at: 'here',
  until,
  ...(worker === undefined ? {} : { worker }),
});

/** Ends the peer's connection to another worker, if it still has one. */
const moved = ({ id, presence }: LobbyPeer, worker: string | undefined): RoomEvent[] =>
  worker === undefined || presence.worker === worker ? [] : [{ type: 'moved', peer: id, worker }];

const full = ({ maxPeers }: Rules): Refusal => refuse('room-full', `at most ${maxPeers} peers`);
