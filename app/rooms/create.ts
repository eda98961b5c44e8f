/** Creating a room before anyone is in it. */
import type { Passcode } from '../auth/passcode.ts';
import { refuse } from '../protocol/errors.ts';
import type { Access } from '../protocol/messages.ts';
import { type Decision, type Granted, isOver, type Room, type Rules } from './room.ts';

export type NewRoom = {
  /** Of the session with which its creator joins as host. */
  secretHash: string;
  access?: Access | undefined;
  passcode?: Passcode | undefined;
  granted?: Granted | undefined;
  /** The smallest network of its client address. */
  from?: string | undefined;
  /** False if its address has opened as many rooms as it may. */
  mayOpen?: boolean | undefined;
};

/** Gives an empty room its settings, and keeps them for its creator as for a host that was lost. */
export const create = (room: Room, by: NewRoom, now: number, { access, roomMemory }: Rules): Decision<void> => {
  const mayHost = by.granted?.role === 'host' || (by.granted?.role === undefined && access === 'open');
  if (!mayHost) return refuse('not-allowed', 'creating a room');
  if (roomMemory === 0) return refuse('not-allowed', 'room-memory is 0');
  if (!isOver(room)) return refuse('room-exists');
  if (by.mayOpen === false) return refuse('too-many-rooms', 'from this address');
  if (by.access !== undefined && by.access !== access) room.access = by.access;
  if (by.passcode) room.passcode = by.passcode;
  if (by.from !== undefined) room.from = by.from;
  room.lostHosts = [{ secretHash: by.secretHash, until: now + roomMemory, creator: true }];
  return { events: [], result: undefined };
};
