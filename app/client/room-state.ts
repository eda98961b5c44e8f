/** The own participant, access to the room, and, for hosts, the lobby. */
import type { RoomState as Admission, Joined, Role, WaitingPeer } from '../protocol/messages.ts';
import type { RoomEvent } from './signaling.ts';

export type RoomState = Readonly<{
  self: Joined['self'];
  room: Admission;
  /** Peers in the lobby, whom a host may admit; empty for guests. */
  waiting: WaitingPeer[];
}>;

export const roomStateOf = ({ self, room, waiting = [] }: Joined): RoomState => ({ self, room, waiting });

/** The state after an event; the same object if the event does not affect it. */
export const after = (roomState: RoomState, event: RoomEvent): RoomState => {
  switch (event.type) {
    case 'room-updated': {
      const { access = roomState.room.access, passcode = roomState.room.passcode } = event;
      return { ...roomState, room: { access, passcode } };
    }
    case 'lobby':
      return { ...roomState, waiting: event.waiting };
    case 'peer-updated':
      return event.peer === roomState.self.id && event.role ? withRole(roomState, event.role) : roomState;
    default:
      return roomState;
  }
};

const withRole = (roomState: RoomState, role: Role): RoomState => ({
  ...roomState,
  self: { ...roomState.self, role },
  waiting: role === 'host' ? roomState.waiting : [],
});
