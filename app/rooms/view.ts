/** A room as one of its peers sees it. */
import type { PeerId, Peer as PeerView, RoomState, WaitingPeer } from '../protocol/messages.ts';
import type { RoomLogEntry } from './event-log.ts';
import { admits, type ChatRecord, endedBy, type Peer, type Room, type Rules, waitingList } from './room.ts';

/** `waiting` is for hosts alone. */
export type View = { self: Peer; peers: PeerView[]; room: RoomState; said: ChatRecord[]; waiting?: WaitingPeer[] };

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

/**
 * What a peer may be told of a room's events when it asks for those after a number that it chose: nothing from before its latest
 * entrance, which then is the first of them, since it was not there. For a peer in the lobby, what became of its earlier
 * visits is left out.
 * @param known whether it waited when `seq` was the number of the room's last event
 */
export const eventsFor = (
  entries: RoomLogEntry[],
  peer: PeerId,
  known: { waits: boolean; seq: number },
): RoomLogEntry[] => {
  if (!known.waits) {
    const entrance = entries.findLastIndex(({ event }) => admits(event, peer));
    return entrance < 0 ? entries : entries.slice(entrance);
  }
  const isEarlier = ({ seq, event }: RoomLogEntry): boolean =>
    seq <= known.seq && (admits(event, peer) || endedBy(event, peer, true) !== undefined);
  return entries.filter((entry) => !isEarlier(entry));
};

const factsOf = ({ id, name, role, media, hand, presence }: Peer) => ({
  id,
  ...(name === undefined ? {} : { name }),
  role,
  media,
  hand,
  away: presence.at === 'away',
});
