/** Announcements of changes in the room. */
import type { LeaveReason } from '../../../protocol/messages.ts';
import type { RemotePeer, RoomState } from '../../room.ts';
import { entryOf } from '../i18n/entry-of.ts';
import { words } from '../i18n/i18n.ts';

export const nameOf = (peer: { name?: string | undefined }): string => peer.name ?? words.someone;

type PeerSnapshot = Pick<RemotePeer, 'name' | 'hand' | 'media'>;

export const peerAnnouncement = (before: PeerSnapshot | undefined, now: PeerSnapshot): string[] => {
  const announcements: string[] = [];
  // A peer could take the name of another one unnoticed.
  if (before && before.name !== now.name) announcements.push(words.call.renamed(nameOf(before), nameOf(now)));
  if (now.hand && !before?.hand) announcements.push(words.call.raised(nameOf(now)));
  if (now.media.screen && !before?.media.screen) announcements.push(words.screen.began(nameOf(now)));
  return announcements;
};

export const leaveAnnouncement = (peer: { name?: string | undefined }, reason: LeaveReason): string => {
  const { left, kicked, lost } = words.call;
  const announcements: Record<LeaveReason, typeof left> = { left, kicked, timeout: lost, error: lost };
  return (entryOf(announcements, reason) ?? left)(nameOf(peer));
};

export const roomStateAnnouncements = (before: RoomState | undefined, now: RoomState): string[] => {
  if (!before) return [];
  const announcements: string[] = [];
  if (before.self.role !== now.self.role)
    announcements.push(now.self.role === 'host' ? words.call.nowHost : words.call.nowGuest);
  const access = entryOf(words.call.access, now.room.access);
  if (before.room.access !== now.room.access && access) announcements.push(access);
  return announcements;
};

/** Announces guests who have started to wait since `before`. */
export const knocksSince = (before: RoomState | undefined, now: RoomState): string[] => {
  const known = new Set(before?.waiting.map(({ id }) => id));
  return now.waiting.filter(({ id }) => !known.has(id)).map((peer) => words.people.knocks(nameOf(peer)));
};
