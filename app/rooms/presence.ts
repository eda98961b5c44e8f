/** Whether peers are present: on a connection, or by requests over plain HTTP. */
import { refuse } from '../protocol/errors.ts';
import type { PeerId } from '../protocol/messages.ts';
import type { Decision, LobbyPeer, Peer, PresenceLease, Room, RoomEvent } from './room.ts';

/** A client that proves to have a session. */
export type Return = PresenceLease & {
  id: PeerId;
  secretHash: string;
  /** The smallest network of its client address. */
  from?: string | undefined;
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

export const markHere = (peer: LobbyPeer, lease: PresenceLease, now: number, waits = false): RoomEvent[] => {
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

export const here = ({ until, worker }: PresenceLease): Peer['presence'] => ({
  at: 'here',
  until,
  ...(worker === undefined ? {} : { worker }),
});

/** Ends the peer's connection to another worker, if it still has one. */
export const moved = ({ id, presence }: LobbyPeer, worker: string | undefined): RoomEvent[] =>
  worker === undefined || presence.worker === worker ? [] : [{ type: 'moved', peer: id, worker }];
