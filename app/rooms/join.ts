/** Coming into a room: anew, by knocking, after a lost connection, by being let in. */
import { matches } from '../auth/passcode.ts';
import { largestNetwork } from '../budgets/address.ts';
import { TokenBucket } from '../budgets/token-bucket.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { MediaState, PeerId } from '../protocol/messages.ts';
import { takeOut } from './leave.ts';
import {
  type Decision,
  type EndedSession,
  type Granted,
  hostIsHere,
  isEmpty,
  networkKey,
  type Peer,
  type PresenceLease,
  type PreviousSession,
  type Room,
  type RoomEvent,
  type Rules,
  subjectKey,
  type Waiting,
} from './room.ts';
import { asNewcomer, type View, viewOf } from './view.ts';

/** Where an entrance ends: in the room, or before its door, with or without a host inside. */
export type Arrival = { at: 'room'; view: View } | { at: 'door'; self: Waiting; host: boolean };

export type Entrance = PresenceLease & {
  id: PeerId;
  secretHash: string;
  name?: string | undefined;
  media?: MediaState | undefined;
  granted?: Granted | undefined;
  /** Of one that has shown that it was this peer in a room that is lost, or has forgotten it. */
  former?: PreviousSession | undefined;
  /** What the newcomer's passcode became with this room's salt; absent when it gave none. */
  passcodeHash?: string | undefined;
  /** The smallest network of its client address. */
  from?: string | undefined;
  /** False when its address has opened as many rooms as it may. */
  mayOpen?: boolean | undefined;
};

/** Whoever takes an earlier session up again. */
export type Return = PresenceLease & Pick<Entrance, 'id' | 'secretHash' | 'from'>;

/** Enters anew. A peer id that is there already is replaced: same seat, new epoch, numbering from 1. */
export const join = (room: Room, entrance: Entrance, now: number, rules: Rules): Decision<Arrival> => {
  const before = room.peers.get(entrance.id);
  if (isTaken(room, entrance)) return refuse('unknown-session');
  const self = newcomer({ ...entrance, granted: entrance.granted ?? before?.granted }, now, before);
  if (before) return enter(room, self, rules, entrance.granted?.role ?? before.role, moved(before, entrance.worker));
  const banned = banOf(room, entrance, now);
  if (banned) return refuse(banned.code);
  const opens = isEmpty(room);
  if (opens && entrance.mayOpen === false) return refuse('too-many-rooms', 'from this address');
  const outcome = comeIn(room, self, entrance, now, rules);
  if (opens && !('refused' in outcome) && entrance.from !== undefined) room.from = entrance.from;
  return outcome;
};

const banOf = ({ gone }: Room, { granted, from }: Entrance, now: number): EndedSession | undefined => {
  const bySubject = granted?.subject === undefined ? undefined : gone.get(subjectKey(granted.subject));
  const byNetwork = from === undefined ? undefined : gone.get(networkKey(from));
  return bySubject ?? (byNetwork && byNetwork.until > now ? byNetwork : undefined);
};

const comeIn = (room: Room, self: Waiting, entrance: Entrance, now: number, rules: Rules): Decision<Arrival> => {
  if (entrance.granted?.role !== 'host') {
    const refusal = turnedAway(room, entrance);
    if (refusal) return refusal;
    if ((room.access ?? rules.access) === 'knock') return knock(room, self, now, rules);
  }
  const left = room.peers.size < rules.maxPeers ? [] : giveWay(room, self, now, rules);
  return left ? enter(room, self, rules, undefined, left) : full(rules);
};

/**
 * Whether somebody else has this seat: any other secret, but for one that comes back a second time with what it showed before,
 * because it was not told the new one.
 */
export const isTaken = (
  { peers, waiting }: Room,
  { id, secretHash, former }: Pick<Entrance, 'id' | 'secretHash' | 'former'>,
): boolean => {
  const known = peers.get(id) ?? waiting.get(id);
  if (known === undefined || known.secretHash === secretHash) return false;
  return former === undefined || known.former?.secretHash !== former.secretHash;
};

/** Takes an earlier session up again, on whatever connection it comes from now. */
export const resume = (
  room: Room,
  { id, secretHash, from, ...held }: Return,
  now: number,
  rules: Rules,
): Decision<Arrival> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  const wait = payForResume(self, now, rules);
  if (wait > 0) return { ...refuse('rate-limited', 'by this session'), retry: wait };
  if (from !== undefined) self.from = from;
  return takeSeat(room, self, held, now, rules);
};

/** A peer that was let in takes its seat on the connection on which it waited. It did not ask to resume, so it pays nothing. */
export const enterAdmitted = (
  room: Room,
  { id, secretHash, ...held }: Return,
  now: number,
  rules: Rules,
): Decision<Arrival> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  return takeSeat(room, self, held, now, rules);
};

const takeSeat = (
  room: Room,
  self: Peer | Waiting,
  held: PresenceLease,
  now: number,
  rules: Rules,
): Decision<Arrival> => {
  const peer = room.peers.get(self.id);
  const events = arrive(self, held, now, peer === undefined);
  return peer
    ? { events, result: { at: 'room', view: viewOf(room, peer, rules) } }
    : { events, result: { at: 'door', self, host: hostIsHere(room) } };
};

/** Takes one from the seat's budget, which lives in the room since a peer comes back over any worker. @returns ms to wait */
const payForResume = (self: Waiting, now: number, { resumes }: Rules): number => {
  const { tokens = resumes.burst, at = now } = self.resumes ?? {};
  const bucket = new TokenBucket(resumes, at, tokens);
  const wait = bucket.wait(now);
  if (wait > 0) return wait;
  bucket.take(now);
  self.resumes = { tokens: bucket.tokens, at: now };
  return 0;
};

/** A request of a peer came, beside whatever it listens on: it is here until `until` at least. */
export const hear = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const { until, worker } = presence?.at === 'here' ? presence : who;
  return arriveAs(room, { ...who, worker, until: Math.max(until, who.until) }, now);
};

/**
 * A request for events came: the peer is here until `until`. Whoever has joined over a connection since listens there: such a
 * request was sent before and was long on its way.
 */
export const listen = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const connected = presence?.at === 'here' && presence.until === Number.POSITIVE_INFINITY;
  if (connected) return refuse('replaced');
  const decision = arriveAs(room, who, now);
  const peer = 'refused' in decision ? undefined : (room.peers.get(who.id) ?? room.waiting.get(who.id));
  if (peer) Object.assign(peer, { listened: true, ...(peer.idleSince === undefined ? {} : { idleSince: now }) });
  return decision;
};

/** The same, and the request waits for events: for so long the peer has a connection. */
export const listenAndWait = (room: Room, who: Return, now: number): Decision<{ waits: boolean }> => {
  const decision = listen(room, who, now);
  if (!('refused' in decision)) connect(room, who.id);
  return decision;
};

/** It was taken for lost, and its connection is there. */
export const stay = (room: Room, id: PeerId, held: PresenceLease, now: number): Decision<void> => {
  const waits = room.waiting.has(id);
  const self = room.peers.get(id) ?? room.waiting.get(id);
  return { events: self?.presence.at === 'away' ? arrive(self, held, now, waits) : [], result: undefined };
};

/** Lets in one who waits. */
export const admit = (room: Room, id: PeerId, now: number, rules: Rules): RoomEvent[] | Refusal => {
  const waiting = room.waiting.get(id);
  if (!waiting) return refuse('unknown-peer', `"${id}" does not wait`);
  const left = room.peers.size < rules.maxPeers ? [] : giveWay(room, waiting, now, rules);
  if (!left) return full(rules);
  const decision = enter(room, waiting, rules, undefined, left);
  return 'refused' in decision ? decision : decision.events;
};

/**
 * Nobody is connected to some seats of a full room: one of them is given up. @returns the events; undefined when none may be
 */
const giveWay = (room: Room, newcomer: Waiting, now: number, rules: Rules): RoomEvent[] | undefined => {
  const seats = [...room.peers.values()];
  const guests = seats.filter(({ role }) => role !== 'host');
  const one = idlest(guests, newcomer, countByNetwork(seats), now, rules);
  return one && takeOut(room, one.id, 'timeout', now, rules);
};

/** ms after which a seat that was never listened on is idle: time to ask for events after having joined by a request. */
const timeToListen = 2000;

/**
 * Of the network that holds most idle seats the one that has been idle longest: a stranger who fills a room without connections loses
 * seats of its own. The only idle seat of a network is kept, if it was ever connected, and so are those of networks that hold no
 * more seats than the newcomer's: nobody gets an honest peer's seat while that loads its page again.
 */
const idlest = (
  seats: Waiting[],
  { from }: Waiting,
  held: Map<string, number>,
  now: number,
  { idleSeat }: Rules,
): Waiting | undefined => {
  const own = largestNetwork(from);
  const idle = seats.filter(
    ({ idleSince = now, listened }) => now - idleSince >= (listened ? idleSeat : Math.min(idleSeat, timeToListen)),
  );
  const idleOf = countByNetwork(idle);
  const candidates = idle.filter((seat) => {
    const network = largestNetwork(seat.from);
    const mayGo = !seat.listened || (idleOf.get(network) ?? 0) > 1;
    return mayGo && (network === own || (held.get(network) ?? 0) > (held.get(own) ?? 0));
  });
  const rank = (seat: Waiting): number => idleOf.get(largestNetwork(seat.from)) ?? 0;
  return candidates.sort((a, b) => rank(b) - rank(a) || (a.idleSince ?? now) - (b.idleSince ?? now))[0];
};

const countByNetwork = (seats: Waiting[]): Map<string, number> => {
  const held = new Map<string, number>();
  for (const { from } of seats) held.set(largestNetwork(from), (held.get(largestNetwork(from)) ?? 0) + 1);
  return held;
};

const newcomer = (
  { id, secretHash, name: own, media, granted, until, worker, former, from }: Entrance,
  now: number,
  before?: Waiting,
): Waiting => {
  const name = granted?.name ?? own;
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

/** Takes the seat. Without a role of before or by a token, the first to enter is host. */
const enter = (
  room: Room,
  newcomer: Waiting,
  rules: Rules,
  role = newcomer.granted?.role,
  before: RoomEvent[] = [],
): Decision<Arrival> => {
  // Above all numbers of the room that is lost: its signals may still be under way.
  room.joins = Math.max(room.joins, Math.floor(newcomer.former?.at ?? 0)) + 1;
  const self: Peer = {
    ...newcomer,
    role: role ?? (room.peers.size === 0 ? 'host' : 'guest'),
    hand: false,
    entered: room.joins,
    accepted: 0,
  };
  // Taken out first, so that the order of the map stays the order of arrival.
  room.peers.delete(self.id);
  room.waiting.delete(self.id);
  room.peers.set(self.id, self);
  return {
    events: [...before, { type: 'peer-joined', peer: asNewcomer(self) }],
    result: { at: 'room', view: viewOf(room, self, rules) },
  };
};

const turnedAway = (room: Room, { passcodeHash }: Entrance): Refusal | undefined => {
  if (room.access === 'locked') return refuse('room-locked');
  if (!room.passcode) return undefined;
  if (passcodeHash === undefined) return refuse('passcode-needed');
  return matches(room.passcode, passcodeHash) ? undefined : refuse('wrong-passcode');
};

const knock = (room: Room, self: Waiting, now: number, rules: Rules): Decision<Arrival> => {
  const full = !room.waiting.has(self.id) && room.waiting.size >= rules.maxWaiting;
  const events = full ? giveWayInLobby(room, self, now, rules) : [];
  if (!events) return refuse('lobby-full', `at most ${rules.maxWaiting}`);
  room.waiting.set(self.id, self);
  return { events, result: { at: 'door', self, host: hostIsHere(room) } };
};

/**
 * In a full lobby a place without a connection is given up first; then the network with the most places gives its newest one to a
 * newcomer whose network would still have fewer. Who gives way may knock again.
 */
const giveWayInLobby = (room: Room, self: Waiting, now: number, rules: Rules): RoomEvent[] | undefined => {
  const waiting = [...room.waiting.values()];
  const one = idlest(waiting, self, countByNetwork(waiting), now, rules) ?? newestOfMost(waiting, self);
  if (!one) return undefined;
  room.waiting.delete(one.id);
  return [{ type: 'denied', peer: one.id, crowded: true }];
};

const newestOfMost = (waiting: Waiting[], { from }: Waiting): Waiting | undefined => {
  const held = countByNetwork(waiting);
  const most = Math.max(0, ...held.values());
  if (most <= (held.get(largestNetwork(from)) ?? 0) + 1) return undefined;
  return waiting.findLast((one) => held.get(largestNetwork(one.from)) === most);
};

const arrive = (peer: Waiting, held: PresenceLease, now: number, waits = false): RoomEvent[] => {
  const back = peer.presence.at === 'away' && !waits;
  const events: RoomEvent[] = back ? [{ type: 'peer-back', peer: peer.id }] : [];
  events.push(...moved(peer, held.worker));
  peer.presence = here(held);
  if (held.until === Number.POSITIVE_INFINITY) {
    delete peer.idleSince;
    peer.listened = true;
  } else peer.idleSince ??= now;
  return events;
};

/** It has a connection of its own now. */
const connect = (room: Room, id: PeerId): void => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (peer) delete peer.idleSince;
};

const arriveAs = (room: Room, { id, secretHash, ...held }: Return, now: number): Decision<{ waits: boolean }> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  // Of a page that went away: sent before, and long on its way. Its next page joins.
  if (self.presence.at === 'away' && self.presence.reason === 'left') return refuse('unknown-session');
  const waits = room.waiting.has(id);
  // Of a stream or poll that is open `idleSince` is absent, and a request beside it does not end it.
  const { idleSince } = self;
  const events = arrive(self, held, now, waits);
  if (idleSince === undefined) delete self.idleSince;
  return { events, result: { waits } };
};

/** Undefined for whoever is not there, or not with this secret. */
const presenceOf = (room: Room, { id, secretHash }: Return): Peer['presence'] | undefined => {
  const known = room.peers.get(id) ?? room.waiting.get(id);
  return known?.secretHash === secretHash ? known.presence : undefined;
};

const here = ({ until, worker }: PresenceLease): Peer['presence'] => ({
  at: 'here',
  until,
  ...(worker === undefined ? {} : { worker }),
});

/** Its connection at another worker, if there is one yet, is to end. */
const moved = ({ id, presence }: Waiting, worker: string | undefined): RoomEvent[] =>
  worker === undefined || presence.worker === worker ? [] : [{ type: 'moved', peer: id, worker }];

const full = ({ maxPeers }: Rules): Refusal => refuse('room-full', `at most ${maxPeers} peers`);
