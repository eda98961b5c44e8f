/** Coming into a room: anew, by knocking, after a lost connection, by being let in. */
import { matches } from '../auth/passcode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { MediaState, PeerId } from '../protocol/messages.ts';
import {
  type Decision,
  type Former,
  type Granted,
  type Held,
  hostIsHere,
  type Peer,
  type Room,
  type RoomEvent,
  type Rules,
  type Waiting,
} from './room.ts';
import { asNewcomer, type View, viewOf } from './view.ts';

/** Where an entrance ends: in the room, or before its door, with or without a host inside. */
export type Arrival = { at: 'room'; view: View } | { at: 'door'; self: Waiting; host: boolean };

export type Entrance = Held & {
  id: PeerId;
  secretHash: string;
  name?: string | undefined;
  media?: MediaState | undefined;
  granted?: Granted | undefined;
  /** Of one that has shown that it was this peer in a room that is lost, or has forgotten it. */
  former?: Former | undefined;
  /** What the newcomer's passcode became with this room's salt; absent when it gave none. */
  passcodeHash?: string | undefined;
};

/** Whoever takes an earlier session up again. */
export type Return = Held & Pick<Entrance, 'id' | 'secretHash'>;

/** Enters anew. A peer id that is there already is replaced: same seat, new epoch, numbering from 1. */
export const join = (room: Room, entrance: Entrance, rules: Rules): Decision<Arrival> => {
  const before = room.peers.get(entrance.id);
  if (isTaken(room, entrance)) return refuse('unknown-session');
  const self = newcomer({ ...entrance, granted: entrance.granted ?? before?.granted });
  if (before) return enter(room, self, rules, entrance.granted?.role ?? before.role, moved(before, entrance.worker));
  if (entrance.granted?.role !== 'host') {
    const refusal = turnedAway(room, entrance);
    if (refusal) return refusal;
    if ((room.access ?? rules.access) === 'knock') return knock(room, self, rules);
  }
  return room.peers.size >= rules.maxPeers ? full(rules) : enter(room, self, rules);
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
export const resume = (room: Room, { id, secretHash, ...held }: Return, rules: Rules): Decision<Arrival> => {
  const self = room.peers.get(id);
  if (self?.secretHash === secretHash) {
    const events = arrive(self, held);
    return { events, result: { at: 'room', view: viewOf(room, self, rules) } };
  }
  const waiting = room.waiting.get(id);
  if (waiting?.secretHash === secretHash) {
    const events = arrive(waiting, held, true);
    return { events, result: { at: 'door', self: waiting, host: hostIsHere(room) } };
  }
  return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
};

/** A request of a peer came, beside whatever it listens on: it is here until `until` at least. */
export const hear = (room: Room, who: Return): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const { until, worker } = presence?.at === 'here' ? presence : who;
  return arriveAs(room, { ...who, worker, until: Math.max(until, who.until) });
};

/**
 * A request for events came: the peer is here until `until`. Whoever has joined over a connection since listens there: such a
 * request was sent before and was long on its way.
 */
export const listen = (room: Room, who: Return): Decision<{ waits: boolean }> => {
  const presence = presenceOf(room, who);
  const connected = presence?.at === 'here' && presence.until === Number.POSITIVE_INFINITY;
  return connected ? refuse('replaced') : arriveAs(room, who);
};

/** It was taken for lost, and its connection is there. */
export const stay = (room: Room, id: PeerId, held: Held): Decision<void> => {
  const waits = room.waiting.has(id);
  const self = room.peers.get(id) ?? room.waiting.get(id);
  return { events: self?.presence.at === 'away' ? arrive(self, held, waits) : [], result: undefined };
};

/** Lets in one who waits. */
export const letIn = (room: Room, id: PeerId, rules: Rules): RoomEvent[] | Refusal => {
  const waiting = room.waiting.get(id);
  if (!waiting) return refuse('unknown-peer', `"${id}" does not wait`);
  if (room.peers.size >= rules.maxPeers) return full(rules);
  const decision = enter(room, waiting, rules);
  return 'refused' in decision ? decision : decision.events;
};

const newcomer = ({ id, secretHash, name: own, media, granted, until, worker, former }: Entrance): Waiting => {
  const name = granted?.name ?? own;
  return {
    id,
    secretHash,
    ...(name === undefined ? {} : { name }),
    media: media ?? { audio: false, video: false },
    granted,
    presence: here({ until, worker }),
    ...(former ? { former } : {}),
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

const knock = (room: Room, self: Waiting, { maxWaiting }: Rules): Decision<Arrival> => {
  if (room.waiting.size >= maxWaiting) return refuse('lobby-full', `at most ${maxWaiting}`);
  room.waiting.set(self.id, self);
  return { events: [], result: { at: 'door', self, host: hostIsHere(room) } };
};

const arrive = (peer: Waiting, held: Held, waits = false): RoomEvent[] => {
  const back = peer.presence.at === 'away' && !waits;
  const events: RoomEvent[] = back ? [{ type: 'peer-back', peer: peer.id }] : [];
  events.push(...moved(peer, held.worker));
  peer.presence = here(held);
  return events;
};

const arriveAs = (room: Room, { id, secretHash, ...held }: Return): Decision<{ waits: boolean }> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  // Of a page that went away: sent before, and long on its way. Its next page joins.
  if (self.presence.at === 'away' && self.presence.reason === 'left') return refuse('unknown-session');
  const waits = room.waiting.has(id);
  return { events: arrive(self, held, waits), result: { waits } };
};

/** Undefined for whoever is not there, or not with this secret. */
const presenceOf = (room: Room, { id, secretHash }: Return): Peer['presence'] | undefined => {
  const known = room.peers.get(id) ?? room.waiting.get(id);
  return known?.secretHash === secretHash ? known.presence : undefined;
};

const here = ({ until, worker }: Held): Peer['presence'] => ({
  at: 'here',
  until,
  ...(worker === undefined ? {} : { worker }),
});

/** Its connection at another worker, if there is one yet, is to end. */
const moved = ({ id, presence }: Waiting, worker: string | undefined): RoomEvent[] =>
  worker === undefined || presence.worker === worker ? [] : [{ type: 'moved', peer: id, worker }];

const full = ({ maxPeers }: Rules): Refusal => refuse('room-full', `at most ${maxPeers} peers`);
