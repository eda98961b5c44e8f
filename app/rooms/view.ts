/** A room as one of its peers sees it. */
import type { Peer as PeerView, RoomState, WaitingPeer } from '../protocol/messages.ts';
import { type Peer, type Room, type Rules, type Said, waitingList } from './room.ts';

/** `waiting` is for hosts alone. */
export type View = { self: Peer; peers: PeerView[]; room: RoomState; said: Said[]; waiting?: WaitingPeer[] };

/** Of each pair the later one offers first, and yields when offers collide. */
export const viewOf = (room: Room, self: Peer, rules: Rules): View => {
  const peers: PeerView[] = [];
  for (const other of room.peers.values()) {
    if (other === self) continue;
    const later = self.entered > other.entered;
    const epoch = Math.max(self.entered, other.entered);
    peers.push({ ...factsOf(other), initiator: later, polite: later, epoch });
  }
  return {
    self,
    peers,
    room: { access: room.access ?? rules.access, passcode: room.passcode !== undefined },
    said: [...room.said],
    ...(self.role === 'host' ? { waiting: waitingList(room) } : {}),
  };
};

/** A newcomer as everyone who was there before sees it. */
export const asNewcomer = (peer: Peer): PeerView => ({
  ...factsOf(peer),
  initiator: false,
  polite: false,
  epoch: peer.entered,
});

const factsOf = ({ id, name, role, media, hand, presence }: Peer) => ({
  id,
  ...(name === undefined ? {} : { name }),
  role,
  media,
  hand,
  away: presence.at === 'away',
});
