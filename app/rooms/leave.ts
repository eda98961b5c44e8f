/** Going away and leaving, and what time alone does to those who are silent. */
import type { LeaveReason, PeerId } from '../protocol/messages.ts';
import {
  type Decision,
  type EndedSession,
  isBan,
  isElsewhere,
  networkKey,
  type Peer,
  type Room,
  type RoomEvent,
  type Rules,
  subjectKey,
  type Waiting,
} from './room.ts';

/** Its connection to this worker is lost; it has the grace time to come back. One that has moved on is not concerned. */
export const lose = (room: Room, id: PeerId, now: number, { grace }: Rules, worker?: string): Decision<void> =>
  done(
    isElsewhere(room, id, worker) ? [] : goAway(room, id, now, { at: 'away', until: now + grace, reason: 'timeout' }),
  );

/** A worker is gone, and with it every connection that it had. */
export const strand = (room: Room, worker: string, now: number, { grace }: Rules): Decision<void> => {
  const events: RoomEvent[] = [];
  for (const { id, presence } of [...room.peers.values(), ...room.waiting.values()])
    if (presence.at === 'here' && presence.worker === worker && presence.until === Number.POSITIVE_INFINITY)
      events.push(...goAway(room, id, now, { at: 'away', until: now + grace, reason: 'timeout' }));
  return done(events);
};

/** Its page went away, and may be one that is loaded again; its connection may have been lost a moment before. */
export const leaveForNow = (room: Room, id: PeerId, now: number, { returnGrace }: Rules): Decision<void> => {
  const away = { at: 'away', until: now + returnGrace, reason: 'left' } as const;
  const events = goAway(room, id, now, away);
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (peer) peer.presence = { ...peer.presence, ...away };
  return done(events);
};

/** A peer without a connection of its own is expected to ask again by `until`; one that has a connection needs not. */
export const expectBy = (room: Room, id: PeerId, until: number, now: number, worker?: string): Decision<void> => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  const { presence } = peer ?? {};
  if (peer && presence?.at === 'here' && presence.until !== Number.POSITIVE_INFINITY && presence.worker === worker) {
    peer.presence = { ...presence, until };
    peer.idleSince ??= now;
  }
  return done([]);
};

/** Leaves the room, or its door. */
export const leave = (room: Room, id: PeerId, reason: LeaveReason, now: number, rules: Rules): Decision<void> => {
  room.waiting.delete(id);
  return done(takeOut(room, id, reason, now, rules));
};

/** What time alone does: who was silent too long is away, who was away too long has left. */
export const sweep = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  const events: RoomEvent[] = [];
  for (const { id, presence } of [...room.peers.values(), ...room.waiting.values()])
    if (presence.at === 'here' && presence.until <= now)
      events.push(...goAway(room, id, now, { at: 'away', until: now + rules.grace, reason: 'timeout' }));
  for (const { id, presence } of room.waiting.values())
    if (presence.at === 'away' && presence.until <= now) room.waiting.delete(id);
  for (const { id, presence } of room.peers.values())
    if (presence.at === 'away' && presence.until <= now) events.push(...takeOut(room, id, presence.reason, now, rules));
  for (const [secretHash, { until }] of room.gone) if (until <= now) room.gone.delete(secretHash);
  return events;
};

/** Gives up the seat of a peer. A room that loses its last host gets another; one that loses its last peer is as new. */
export const takeOut = (room: Room, id: PeerId, reason: LeaveReason, now: number, rules: Rules): RoomEvent[] => {
  if (!room.peers.delete(id)) return [];
  const events: RoomEvent[] = [{ type: 'peer-left', peer: id, reason }];
  if (room.peers.size > 0) return [...events, ...promote(room)];
  return [...events, ...renew(room, now, rules)];
};

/** Remembers why a session is over, for its owner who may ask; the oldest is forgotten for the newest. */
export const remember = (room: Room, { secretHash, former }: Waiting, gone: EndedSession, { maxGone }: Rules): void => {
  if (former) room.gone.set(former.secretHash, gone);
  room.gone.set(secretHash, gone);
  forgetOldest(room, maxGone);
};

/** Keeps a removed peer out by more than its session. */
export const ban = (
  room: Room,
  { granted, from }: Waiting,
  network: boolean,
  now: number,
  { maxGone }: Rules,
): void => {
  if (granted?.subject !== undefined)
    room.gone.set(subjectKey(granted.subject), { code: 'kicked', until: Number.POSITIVE_INFINITY });
  if (network && from) room.gone.set(networkKey(from), { code: 'kicked', until: now + networkBan });
  forgetOldest(room, maxGone);
};

/** ms for which a network is kept out: it may belong to many, and be somebody else's tomorrow. */
const networkBan = 3_600_000;

const forgetOldest = (room: Room, maxGone: number): void => {
  for (const oldest of room.gone.keys()) {
    if (room.gone.size <= maxGone) return;
    room.gone.delete(oldest);
  }
};

/** Ends the room for everyone in it; whoever comes later finds it as new. */
export const endForAll = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  const peers = room.peers.size;
  const over: EndedSession = { code: 'room-ended', until: now + rules.grace };
  for (const one of [...room.peers.values(), ...room.waiting.values()]) remember(room, one, over, rules);
  room.peers.clear();
  room.waiting.clear();
  forget(room);
  return [{ type: 'room-ended', for: 'all', peers }];
};

/** Where there is no host any more, the peer that has been here longest hosts, unless a token made it a guest. */
export const promote = (room: Room): RoomEvent[] => {
  const peers = [...room.peers.values()];
  if (peers.some(({ role }) => role === 'host')) return [];
  const able = peers.filter(({ granted }) => granted?.role !== 'guest');
  const heir: Peer | undefined = able.find(({ presence }) => presence.at === 'here') ?? able[0];
  if (!heir) return [];
  heir.role = 'host';
  return [{ type: 'peer-updated', peer: heir.id, role: 'host' }];
};

/** Nobody is left who could open the door. Where a host comes with a token, those before it may go on waiting. */
const renew = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  forget(room);
  if (rules.access === 'knock' || room.waiting.size === 0) return [];
  for (const one of room.waiting.values()) remember(room, one, { code: 'room-ended', until: now + rules.grace }, rules);
  room.waiting.clear();
  return [{ type: 'room-ended', for: 'waiting' }];
};

const forget = (room: Room): void => {
  delete room.access;
  delete room.passcode;
  room.said = [];
  for (const [key, { until }] of room.gone) if (isBan(key, until)) room.gone.delete(key);
};

const goAway = (room: Room, id: PeerId, now: number, away: Peer['presence'] & { at: 'away' }): RoomEvent[] => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (!peer || peer.presence.at === 'away') return [];
  peer.idleSince ??= now;
  const { worker } = peer.presence;
  peer.presence = worker === undefined ? away : { ...away, worker };
  return room.peers.has(id) ? [{ type: 'peer-away', peer: id }] : [];
};

const done = (events: RoomEvent[]): Decision<void> => ({ events, result: undefined });
