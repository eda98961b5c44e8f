/** Coming into a room: anew, by knocking, after a lost connection, by being let in. */
import { matches } from '../auth/passcode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { MediaState, PeerId } from '../protocol/messages.ts';
import {
  type Decision,
  type Granted,
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

export type Entrance = {
  id: PeerId;
  secretHash: string;
  name?: string | undefined;
  media?: MediaState | undefined;
  granted?: Granted | undefined;
  /** What the newcomer's passcode became with this room's salt; absent when it gave none. */
  passcodeHash?: string | undefined;
  /** Until when it counts as here without being heard of. */
  until: number;
};

/** Whoever takes an earlier session up again. */
type Return = Pick<Entrance, 'id' | 'secretHash' | 'until'>;

/** Enters anew. A peer id that is there already is replaced: same seat, new epoch, numbering from 1. */
export const join = (room: Room, entrance: Entrance, rules: Rules): Decision<Arrival> => {
  const before = room.peers.get(entrance.id);
  const self = newcomer({ ...entrance, granted: entrance.granted ?? before?.granted });
  if (before) return enter(room, self, rules, entrance.granted?.role ?? before.role);
  if (entrance.granted?.role !== 'host') {
    const refusal = turnedAway(room, entrance);
    if (refusal) return refusal;
    if ((room.access ?? rules.access) === 'knock') return knock(room, self, rules);
  }
  return room.peers.size >= rules.maxPeers ? full(rules) : enter(room, self, rules);
};

/** Takes an earlier session up again, on whatever connection it comes from now. */
export const resume = (room: Room, { id, secretHash, until }: Return, rules: Rules): Decision<Arrival> => {
  const self = room.peers.get(id);
  if (self?.secretHash === secretHash) {
    const events = arrive(self, until);
    return { events, result: { at: 'room', view: viewOf(room, self, rules) } };
  }
  const waiting = room.waiting.get(id);
  if (waiting?.secretHash === secretHash) {
    const events = arrive(waiting, until, true);
    return { events, result: { at: 'door', self: waiting, host: hostIsHere(room) } };
  }
  return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
};

/** A request of a peer came, beside whatever it listens on: it is here until `until` at least. */
export const hear = (room: Room, who: Return): Decision<{ waits: boolean }> =>
  arriveAs(room, { ...who, until: Math.max(who.until, hereUntil(room, who)) });

/**
 * A request for events came: the peer is here until `until`. Whoever has joined over a connection since listens there: such a
 * request was sent before and was long on its way.
 */
export const listen = (room: Room, who: Return): Decision<{ waits: boolean }> =>
  hereUntil(room, who) === Number.POSITIVE_INFINITY ? refuse('replaced') : arriveAs(room, who);

/** Lets in one who waits. */
export const letIn = (room: Room, id: PeerId, rules: Rules): RoomEvent[] | Refusal => {
  const waiting = room.waiting.get(id);
  if (!waiting) return refuse('unknown-peer', `"${id}" does not wait`);
  if (room.peers.size >= rules.maxPeers) return full(rules);
  room.waiting.delete(id);
  const decision = enter(room, waiting, rules);
  return 'refused' in decision ? decision : decision.events;
};

const newcomer = ({ id, secretHash, name: own, media, granted, until }: Entrance): Waiting => {
  const name = granted?.name ?? own;
  return {
    id,
    secretHash,
    ...(name === undefined ? {} : { name }),
    media: media ?? { audio: false, video: false },
    granted,
    presence: { at: 'here', until },
  };
};

/** Takes the seat. Without a role of before or by a token, the first to enter is host. */
const enter = (room: Room, newcomer: Waiting, rules: Rules, role = newcomer.granted?.role): Decision<Arrival> => {
  room.joins += 1;
  const self: Peer = {
    ...newcomer,
    role: role ?? (room.peers.size === 0 ? 'host' : 'guest'),
    hand: false,
    entered: room.joins,
    accepted: 0,
  };
  // Taken out first, so that the order of the map stays the order of arrival.
  room.peers.delete(self.id);
  room.peers.set(self.id, self);
  return {
    events: [{ type: 'peer-joined', peer: asNewcomer(self) }],
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

const arrive = (peer: Waiting, until: number, waits = false): RoomEvent[] => {
  const wasAway = peer.presence.at === 'away';
  peer.presence = { at: 'here', until };
  return wasAway && !waits ? [{ type: 'peer-back', peer: peer.id }] : [];
};

const arriveAs = (room: Room, { id, secretHash, until }: Return): Decision<{ waits: boolean }> => {
  const self = room.peers.get(id) ?? room.waiting.get(id);
  if (self?.secretHash !== secretHash) return refuse(room.gone.get(secretHash)?.code ?? 'unknown-session');
  const waits = room.waiting.has(id);
  return { events: arrive(self, until, waits), result: { waits } };
};

/** 0 for whoever is not here, or not with this secret. */
const hereUntil = (room: Room, { id, secretHash }: Return): number => {
  const known = room.peers.get(id) ?? room.waiting.get(id);
  return known?.secretHash === secretHash && known.presence.at === 'here' ? known.presence.until : 0;
};

const full = ({ maxPeers }: Rules): Refusal => refuse('room-full', `at most ${maxPeers} peers`);
