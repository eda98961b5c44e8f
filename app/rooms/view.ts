/** A room from the point of view of one peer. */
import type { PeerId, Peer as PeerView, RoomState, WaitingPeer } from '../protocol/messages.ts';
import type { RoomLogEntry } from './event-log.ts';
import { admits, type ChatRecord, endedBy, type Peer, type Room, type Rules, waitingList } from './room.ts';

/** `waiting` is for hosts only. */
export type View = { self: Peer; peers: PeerView[]; room: RoomState; said: ChatRecord[]; waiting?: WaitingPeer[] };

/** In each pair the peer that joined later offers first, and yields when offers collide. */
export const viewOf = (room: Room, self: Peer, rules: Rules): View => {
  const peers: PeerView[] = [];
  for (const other of room.peers.values()) {
    if (other === self) continue;
    const later = self.entered > other.entered;
    const epoch = Math.max(self.entered, other.entered);
    peers.push({ ...peerFields(other), initiator: later, polite: later, epoch });
  }
  return {
    self,
    peers,
    room: { access: room.access ?? rules.access, passcode: room.passcode !== undefined },
    said: [...room.said],
    ...(self.role === 'host' ? { waiting: waitingList(room) } : {}),
  };
};

/** A newcomer as the peers already in the room see it. */
export const asNewcomer = (peer: Peer): PeerView => ({
  ...peerFields(peer),
  initiator: false,
  polite: false,
  epoch: peer.entered,
});

/**
 * Filters the events that a peer requests after a number of its choice. A peer gets nothing from before its latest join, which
 * is then the first event. A peer in the lobby does not get the outcome of its earlier visits.
 * @param known whether the peer was waiting when `seq` was the number of the room's last event
 */
export const eventsFor = (
  entries: RoomLogEntry[],
  peer: PeerId,
  known: { waits: boolean; seq: number },
): RoomLogEntry[] => {
  if (!known.waits) {
    const joinIndex = entries.findLastIndex(({ event }) => admits(event, peer));
    return joinIndex < 0 ? entries : entries.slice(joinIndex);
  }
  const isEarlier = ({ seq, event }: RoomLogEntry): boolean =>
    seq <= known.seq && (admits(event, peer) || endedBy(event, peer, true) !== undefined);
  return entries.filter((entry) => !isEarlier(entry));
};

const peerFields = ({ id, name, role, media, hand, presence }: Peer) => ({
  id,
  ...(name === undefined ? {} : { name }),
  role,
  media,
  hand,
  away: presence.at === 'away',
});
