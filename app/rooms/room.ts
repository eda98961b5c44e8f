/** One room: its peers, and the commands that change it. Every command returns what happened, as events. */
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { LeaveReason, MediaState, PeerId, Peer as PeerView, Role, RoomName } from '../protocol/messages.ts';

/** `until`: when a peer without a connection of its own (plain HTTP) counts as lost unless it asks again; else Infinity. */
export type Presence = { at: 'here'; until: number } | { at: 'away'; since: number };

export type Peer = {
  id: PeerId;
  name?: string;
  role: Role;
  media: MediaState;
  /** The number of its join in this room. The later join of a pair is the pair's epoch. */
  entered: number;
  /** Hash of the secret that resumes its session. */
  secretHash: string;
  /** The last of its message numbers that was settled. */
  accepted: number;
  presence: Presence;
};

export type Room = { name: RoomName; joins: number; peers: Map<PeerId, Peer> };

export type RoomEvent =
  | { type: 'peer-joined'; peer: PeerView }
  | { type: 'peer-updated'; peer: PeerId; name?: string; media?: MediaState }
  | { type: 'peer-away'; peer: PeerId }
  | { type: 'peer-back'; peer: PeerId }
  | { type: 'peer-left'; peer: PeerId; reason: LeaveReason }
  /** `data` is JSON text, as the sender wrote it. */
  | { type: 'signal'; from: PeerId; to: PeerId; epoch: number; data: string }
  | { type: 'chat'; from: PeerId; to?: PeerId; text: string; at: number };

/** What a command decided: events to store and tell, and an answer for whoever gave it; or a refusal, changing nothing. */
export type Decision<T> = { events: RoomEvent[]; result: T } | Refusal;
/** `accepted`: every number up to it is settled. `refusal`: why the last of them was not carried out. */
export type Settled = { accepted: number; refusal?: Refusal };
export type View = { self: Peer; peers: PeerView[] };

export const emptyRoom = (name: RoomName): Room => ({ name, joins: 0, peers: new Map() });

export type Entrance = {
  id: PeerId;
  secretHash: string;
  name?: string | undefined;
  media?: MediaState | undefined;
  until: number;
  /** Most peers the room may hold, those who are away included. */
  maxPeers: number;
};

/** Enters anew. A peer id that is there already is replaced: same seat, new epoch, numbering from 1. */
export const join = (room: Room, entrance: Entrance): Decision<View> => {
  const before = room.peers.get(entrance.id);
  if (!before && room.peers.size >= entrance.maxPeers) return refuse('room-full', `at most ${entrance.maxPeers} peers`);
  room.joins += 1;
  const self: Peer = {
    id: entrance.id,
    role: before?.role ?? (room.peers.size === 0 ? 'host' : 'guest'),
    media: entrance.media ?? { audio: false, video: false },
    entered: room.joins,
    secretHash: entrance.secretHash,
    accepted: 0,
    presence: { at: 'here', until: entrance.until },
  };
  if (entrance.name !== undefined) self.name = entrance.name;
  // Taken out first, so that the order of the map stays the order of arrival.
  room.peers.delete(self.id);
  room.peers.set(self.id, self);
  const seenByOthers: PeerView = { ...facts(self), initiator: false, polite: false, epoch: self.entered };
  return { events: [{ type: 'peer-joined', peer: seenByOthers }], result: view(room, self) };
};

/** Takes an earlier session up again, on whatever connection it comes from now. */
export const resume = (room: Room, id: PeerId, secretHash: string, until: number): Decision<View> => {
  const self = room.peers.get(id);
  if (self?.secretHash !== secretHash) return refuse('unknown-session');
  return { events: arrive(self, until), result: view(room, self) };
};

/** A request of the peer came, beside whatever it listens on: it is here until `until` at least. */
export const hear = (room: Room, id: PeerId, secretHash: string, until: number): Decision<void> => {
  const self = room.peers.get(id);
  if (self?.secretHash !== secretHash) return refuse('unknown-session');
  const already = self.presence.at === 'here' ? self.presence.until : 0;
  return { events: arrive(self, Math.max(already, until)), result: undefined };
};

/** Its connection is lost; it has the grace time to come back. */
export const lose = (room: Room, id: PeerId, now: number): Decision<void> => {
  const peer = room.peers.get(id);
  return { events: peer ? goAway(peer, now) : [], result: undefined };
};

/** A peer without a connection of its own is expected to ask again by `until`; one that has a connection needs not. */
export const expectBy = (room: Room, id: PeerId, until: number): Decision<void> => {
  const presence = room.peers.get(id)?.presence;
  if (presence?.at === 'here' && presence.until !== Number.POSITIVE_INFINITY) presence.until = until;
  return { events: [], result: undefined };
};

export const leave = (room: Room, id: PeerId, reason: LeaveReason): Decision<void> => ({
  events: room.peers.delete(id) ? [{ type: 'peer-left', peer: id, reason }] : [],
  result: undefined,
});

export type Signal = { n: number; to: PeerId; epoch: number; data: string };

export const signal = (room: Room, from: PeerId, { n, to, epoch, data }: Signal): Decision<Settled> =>
  settle(room, from, n, (sender) => {
    const receiver = room.peers.get(to);
    if (!receiver || receiver === sender) return refuse('unknown-peer', `signal.to is "${to}"`);
    const current = Math.max(sender.entered, receiver.entered);
    if (epoch !== current) return refuse('stale-epoch', `signal.epoch is ${epoch}, the pair is at ${current}`);
    return [{ type: 'signal', from, to, epoch, data }];
  });

export type Chat = { n: number; to?: PeerId | undefined; text: string };

export const chat = (room: Room, from: PeerId, { n, to, text }: Chat, at: number): Decision<Settled> =>
  settle(room, from, n, () => {
    if (to === undefined) return [{ type: 'chat', from, text, at }];
    if (to === from || !room.peers.has(to)) return refuse('unknown-peer', `chat.to is "${to}"`);
    return [{ type: 'chat', from, to, text, at }];
  });

export type Update = { n: number; name?: string | undefined; media?: MediaState | undefined };

export const update = (room: Room, from: PeerId, { n, name, media }: Update): Decision<Settled> =>
  settle(room, from, n, (self) => {
    const event: RoomEvent = { type: 'peer-updated', peer: from };
    if (name !== undefined) self.name = event.name = name;
    if (media !== undefined) self.media = event.media = media;
    return [event];
  });

/** What time alone does: who was silent too long is away, who was away longer than `grace` (ms) has left. */
export const sweep = (room: Room, now: number, grace: number): RoomEvent[] => {
  const events: RoomEvent[] = [];
  for (const peer of room.peers.values()) {
    if (peer.presence.at === 'here' && peer.presence.until <= now) events.push(...goAway(peer, now));
    if (peer.presence.at === 'away' && peer.presence.since + grace <= now) {
      room.peers.delete(peer.id);
      events.push({ type: 'peer-left', peer: peer.id, reason: 'timeout' });
    }
  }
  return events;
};

/** Whether a receiver is to be told of an event: signals go to one, all else to everyone but the peer it is about. */
export const concerns = (event: RoomEvent, receiver: PeerId): boolean => {
  switch (event.type) {
    case 'signal':
      return event.to === receiver;
    case 'chat':
      return event.to === undefined ? event.from !== receiver : event.to === receiver;
    case 'peer-joined':
      return event.peer.id !== receiver;
    case 'peer-updated':
    case 'peer-away':
    case 'peer-back':
    case 'peer-left':
      return event.peer !== receiver;
  }
};

/**
 * Settles message `n` of a sender once: a repeat changes nothing and is acknowledged again, a gap is refused and left
 * open. A refusal by `act` settles the number as well, or the sender would repeat it for ever.
 */
const settle = (
  room: Room,
  from: PeerId,
  n: number,
  act: (sender: Peer) => RoomEvent[] | Refusal,
): Decision<Settled> => {
  const sender = room.peers.get(from);
  if (!sender) return refuse('unknown-session');
  if (n <= sender.accepted) return { events: [], result: { accepted: sender.accepted } };
  if (n !== sender.accepted + 1) return refuse('out-of-order', `n is ${n}, ${sender.accepted + 1} is next`);
  sender.accepted = n;
  const outcome = act(sender);
  return Array.isArray(outcome)
    ? { events: outcome, result: { accepted: n } }
    : { events: [], result: { accepted: n, refusal: outcome } };
};

const arrive = (peer: Peer, until: number): RoomEvent[] => {
  const wasAway = peer.presence.at === 'away';
  peer.presence = { at: 'here', until };
  return wasAway ? [{ type: 'peer-back', peer: peer.id }] : [];
};

const goAway = (peer: Peer, now: number): RoomEvent[] => {
  if (peer.presence.at === 'away') return [];
  peer.presence = { at: 'away', since: now };
  return [{ type: 'peer-away', peer: peer.id }];
};

/** The room as `self` sees it: of each pair the later one offers first, and yields when offers collide. */
const view = (room: Room, self: Peer): View => {
  const peers: PeerView[] = [];
  for (const other of room.peers.values()) {
    if (other === self) continue;
    const later = self.entered > other.entered;
    const epoch = Math.max(self.entered, other.entered);
    peers.push({ ...facts(other), initiator: later, polite: later, epoch });
  }
  return { self, peers };
};

const facts = ({ id, name, role, media, presence }: Peer) => ({
  id,
  ...(name === undefined ? {} : { name }),
  role,
  media,
  away: presence.at === 'away',
});
