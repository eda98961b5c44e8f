/** How one stands in the room: who one is there, what the room asks of newcomers, and, for hosts, who waits. */
import type { Joined, Role, RoomState, WaitingPeer } from '../protocol/messages.ts';
import type { RoomEvent } from './connection.ts';

export type Standing = Readonly<{
  self: Joined['self'];
  room: RoomState;
  /** Whom a host may admit; empty for guests. */
  waiting: WaitingPeer[];
}>;

export const roomStateOf = ({ self, room, waiting = [] }: Joined): Standing => ({ self, room, waiting });

/** The standing after an event; the same object when that does not concern it. */
export const after = (standing: Standing, event: RoomEvent): Standing => {
  switch (event.type) {
    case 'room-updated': {
      const { access = standing.room.access, passcode = standing.room.passcode } = event;
      return { ...standing, room: { access, passcode } };
    }
    case 'lobby':
      return { ...standing, waiting: event.waiting };
    case 'peer-updated':
      return event.peer === standing.self.id && event.role ? withRole(standing, event.role) : standing;
    default:
      return standing;
  }
};

const withRole = (standing: Standing, role: Role): Standing => ({
  ...standing,
  self: { ...standing.self, role },
  waiting: role === 'host' ? standing.waiting : [],
});
