/** The states of a session over a persistent connection. */
import type { Joined, PeerId, Waiting } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';

/**
 * - `greeting`: before `join`. Nothing is sent until `quiet` (ms since 1970), if the peer asked for that; 0: it has passed.
 * - `joining`: `buffered` has the events that precede `joined`.
 * - `waiting`: in the lobby.
 * - `joined`: `seq` is the last event sent, `renewIceAt` is when new ICE servers are due.
 * - `closed`: nothing is sent or handled any more.
 */
export type SessionState =
  | { state: 'greeting'; deadline: number; quiet?: number }
  | { state: 'joining'; peer?: PeerId; buffered: RoomLogEntry[] }
  | { state: 'waiting'; peer: PeerId; session: string }
  | { state: 'joined'; peer: PeerId; seq: number; renewIceAt: number }
  | { state: 'closed' };

export type StateOf<Name extends SessionState['state']> = Extract<SessionState, { state: Name }>;

/** The state of a peer that was sent `first`. */
export const stateAfterJoin = (first: Joined | Waiting, renewIceAt: number): SessionState => {
  const { id: peer } = first.self;
  if (first.type === 'waiting') return { state: 'waiting', peer, session: first.session };
  return { state: 'joined', peer, seq: first.recovered ? 0 : first.seq, renewIceAt };
};
