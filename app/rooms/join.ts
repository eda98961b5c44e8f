/** Joining a room, knocking, resuming a session, and being admitted. */
import { matches } from '../auth/passcode.ts';
import { TokenBucket } from '../budgets/token-bucket.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { MediaState, PeerId } from '../protocol/messages.ts';
import { evictIdleSeat } from './evict.ts';
import { knock } from './lobby.ts';
import { here, markHere, moved, type Return } from './presence.ts';
import {
  awaitsCreator,
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

/** A new join. If the peer id is already in the room it is replaced: same seat, new epoch, message numbers from 1. */
export const join = (room: Room, entrance: Entrance, now: number, rules: Rules): Decision<JoinOutcome> => {
  const before = room.peers.get(entrance.id);
  if (isTaken(room, entrance)) return refuse('unknown-session');
  const self = newcomer({ ...entrance, granted: entrance.granted ?? before?.granted }, now, before);
  if (before) return addPeer(room, self, rules, entrance.granted?.role ?? before.role, moved(before, entrance.worker));
  const banned = banOf(room, entrance, now);
  if (banned) return refuse(banned.code);
  const opens = isEmpty(room);
  const mayOpen = entrance.mayOpen !== false || (room.from !== undefined && room.from === entrance.from);
  if (opens && !mayOpen) return refuse('too-many-rooms', 'from this address');
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
  const returns = isLostHost(room, entrance, now);
  if (entrance.granted?.role !== 'host' && !returns) {
    const refusal = accessRefusal(room, entrance);
    if (refusal) return refusal;
    if ((room.access ?? rules.access) === 'knock') {
      const events = knock(room, self, now, rules);
      return 'refused' in events ? events : { events, result: waitingResult(room, self) };
    }
  }
  const evicted = room.peers.size < rules.maxPeers ? [] : evictIdleSeat(room, self, now, rules);
  if (!evicted) return full(rules);
  if (returns) forgetLostHost(room, entrance);
  const role = returns && entrance.granted?.role === undefined ? 'host' : undefined;
  return addPeer(room, self, rules, role, evicted);
};

/** Whether a host that was lost is back. */
const isLostHost = ({ lostHosts }: Room, { former }: Entrance, now: number): boolean =>
  lostHosts?.some(({ secretHash, until }) => secretHash === former?.secretHash && until > now) ?? false;

const forgetLostHost = (room: Room, { former }: Entrance): void => {
  const others = room.lostHosts?.filter(({ secretHash }) => secretHash !== former?.secretHash) ?? [];
  if (others.length > 0) room.lostHosts = others;
  else delete room.lostHosts;
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

/** Adds the peer to the room. Without an earlier role or one from a token, the first peer becomes host, unless the room's creator is yet to come. */
const addPeer = (
  room: Room,
  newcomer: LobbyPeer,
  rules: Rules,
  role = newcomer.granted?.role,
  before: RoomEvent[] = [],
): Decision<JoinOutcome> => {
  // Higher than any number of the lost room, whose signals may still be in flight.
  room.joins = Math.max(room.joins, Math.floor(newcomer.former?.at ?? 0)) + 1;
  const opensAbandoned = role === undefined && room.peers.size === 0 && room.lostHosts !== undefined;
  const self: Peer = {
    ...newcomer,
    ...(opensAbandoned || room.peers.get(newcomer.id)?.deputy ? { deputy: true } : {}),
    role: role ?? (room.peers.size === 0 && !awaitsCreator(room) ? 'host' : 'guest'),
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

const full = ({ maxPeers }: Rules): Refusal => refuse('room-full', `at most ${maxPeers} peers`);
