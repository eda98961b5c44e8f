/** Losing a connection, leaving, bans, and timeouts. */
import type { LeaveReason, PeerId } from '../protocol/messages.ts';
import {
  awaitsCreator,
  type Decision,
  type EndedSession,
  isBan,
  isElsewhere,
  type LobbyPeer,
  networkKey,
  type Peer,
  type Room,
  type RoomEvent,
  type Rules,
  subjectKey,
} from './room.ts';

/** A peer lost its connection to this worker and has the grace time to resume. Ignored if it has moved to another worker. */
export const lose = (room: Room, id: PeerId, now: number, { grace }: Rules, worker?: string): Decision<void> =>
  done(
    isElsewhere(room, id, worker) ? [] : markAway(room, id, now, { at: 'away', until: now + grace, reason: 'timeout' }),
  );

/** A worker is gone, and all its connections with it. */
export const strand = (room: Room, worker: string, now: number, { grace }: Rules): Decision<void> => {
  const events: RoomEvent[] = [];
  for (const { id, presence } of [...room.peers.values(), ...room.waiting.values()])
    if (presence.at === 'here' && presence.worker === worker && presence.until === Number.POSITIVE_INFINITY)
      events.push(...markAway(room, id, now, { at: 'away', until: now + grace, reason: 'timeout' }));
  return done(events);
};

/** The server was down, and every connection with it: all peers are away, and have the whole time to return. */
export const strandAll = (room: Room, now: number, { grace, returnGrace }: Rules): void => {
  for (const peer of [...room.peers.values(), ...room.waiting.values()]) {
    const reason = peer.presence.at === 'away' ? peer.presence.reason : 'timeout';
    peer.presence = { at: 'away', until: now + (reason === 'left' ? returnGrace : grace), reason };
    peer.idleSince ??= now;
  }
};

/** A page was closed and may be reloading; its connection may have been lost just before. */
export const leaveForNow = (room: Room, id: PeerId, now: number, { returnGrace }: Rules): Decision<void> => {
  const away = { at: 'away', until: now + returnGrace, reason: 'left' } as const;
  const events = markAway(room, id, now, away);
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (peer) peer.presence = { ...peer.presence, ...away };
  return done(events);
};

/** Sets the deadline for a polling peer's next request; connected peers are unaffected. */
export const expectBy = (room: Room, id: PeerId, until: number, now: number, worker?: string): Decision<void> => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  const { presence } = peer ?? {};
  if (peer && presence?.at === 'here' && presence.until !== Number.POSITIVE_INFINITY && presence.worker === worker) {
    peer.presence = { ...presence, until };
    peer.idleSince ??= now;
  }
  return done([]);
};

/** Leaves the room or its lobby. */
export const leave = (room: Room, id: PeerId, reason: LeaveReason, now: number, rules: Rules): Decision<void> => {
  room.waiting.delete(id);
  return done(takeOut(room, id, reason, now, rules));
};

/** Applies timeouts: a peer that was silent for too long is away, one that was away for too long has left. */
export const sweep = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  const events: RoomEvent[] = [];
  for (const { id, presence } of [...room.peers.values(), ...room.waiting.values()])
    if (presence.at === 'here' && presence.until <= now)
      events.push(...markAway(room, id, now, { at: 'away', until: now + rules.grace, reason: 'timeout' }));
  for (const { id, presence } of room.waiting.values())
    if (presence.at === 'away' && presence.until <= now) room.waiting.delete(id);
  for (const { id, presence } of room.peers.values())
    if (presence.at === 'away' && presence.until <= now) events.push(...takeOut(room, id, presence.reason, now, rules));
  for (const [secretHash, { until }] of room.gone) if (until <= now) room.gone.delete(secretHash);
  events.push(...forgetLostHosts(room, now, rules));
  return events;
};

/** Removes a peer. A room that loses its last host gets another; one that loses its last peer is reset, unless it waits for a host. */
export const takeOut = (room: Room, id: PeerId, reason: LeaveReason, now: number, rules: Rules): RoomEvent[] => {
  const peer = room.peers.get(id);
  if (!peer) return [];
  room.peers.delete(id);
  if (reason === 'timeout' && peer.role === 'host' && !peer.deputy && rules.roomMemory > 0)
    rememberHost(room, peer, now, rules);
  const events: RoomEvent[] = [{ type: 'peer-left', peer: id, reason }];
  if (room.peers.size > 0) return [...events, ...promote(room)];
  room.said = [];
  return awaitsCreator(room) || (room.lostHosts && hasSettings(room))
    ? events
    : [...events, ...resetEmpty(room, now, rules)];
};

/** A host that comes back, for instance after its computer slept, finds the room as it was. */
const rememberHost = (room: Room, { secretHash }: Peer, now: number, { maxPeers, roomMemory }: Rules): void => {
  const lost = [...(room.lostHosts ?? []), { secretHash, until: now + roomMemory }];
  room.lostHosts = lost.slice(-maxPeers);
};

/** Whether hosts changed what a new room of this name would have. */
const hasSettings = ({ access, passcode, gone }: Room): boolean =>
  access !== undefined || passcode !== undefined || [...gone].some(([key, { until }]) => isBan(key, until));

const forgetLostHosts = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  const left = room.lostHosts?.filter(({ until }) => until > now);
  if (!left || left.length === room.lostHosts?.length) return [];
  if (left.length > 0) room.lostHosts = left;
  else delete room.lostHosts;
  if (room.peers.size > 0) return promote(room);
  return room.lostHosts ? [] : resetEmpty(room, now, rules);
};

/** Remembers why a session ended, in case its owner asks. The oldest entries are dropped at the limit. */
export const remember = (
  room: Room,
  { secretHash, former }: LobbyPeer,
  gone: EndedSession,
  { maxEndedSessions }: Rules,
): void => {
  if (former) room.gone.set(former.secretHash, gone);
  room.gone.set(secretHash, gone);
  forgetOldest(room, maxEndedSessions);
};

/** Bans a removed peer by more than its session. */
export const ban = (
  room: Room,
  { granted, from }: LobbyPeer,
  network: boolean,
  now: number,
  { maxEndedSessions }: Rules,
): void => {
  if (granted?.subject !== undefined)
    room.gone.set(subjectKey(granted.subject), { code: 'kicked', until: Number.POSITIVE_INFINITY });
  if (network && from) room.gone.set(networkKey(from), { code: 'kicked', until: now + networkBan });
  forgetOldest(room, maxEndedSessions);
};

/** ms for which a network is banned: it may be shared, or assigned to somebody else tomorrow. */
const networkBan = 3_600_000;

const forgetOldest = (room: Room, maxEndedSessions: number): void => {
  for (const oldest of room.gone.keys()) {
    if (room.gone.size <= maxEndedSessions) return;
    room.gone.delete(oldest);
  }
};

/** Ends the room for everyone in it. The next peer to join opens a new one. */
export const endForAll = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  const peers = room.peers.size;
  const ended: EndedSession = { code: 'room-ended', until: now + rules.grace };
  for (const one of [...room.peers.values(), ...room.waiting.values()]) remember(room, one, ended, rules);
  room.peers.clear();
  room.waiting.clear();
  resetState(room);
  return [{ type: 'room-ended', for: 'all', peers }];
};

/** If no host is left, the longest-present peer becomes host, unless a token made it a guest. */
export const promote = (room: Room): RoomEvent[] => {
  const peers = [...room.peers.values()];
  if (awaitsCreator(room) || peers.some(({ role }) => role === 'host')) return [];
  const candidates = peers.filter(({ granted }) => granted?.role !== 'guest');
  const newHost: Peer | undefined = candidates.find(({ presence }) => presence.at === 'here') ?? candidates[0];
  if (!newHost) return [];
  makeHost(room, newHost);
  return [{ type: 'peer-updated', peer: newHost.id, role: 'host' }];
};

/**
 * A lost host that returns may remove who was made host meanwhile; such a host must not return by its own loss, through locks and bans.
 * @param by who makes it host
 */
export const makeHost = ({ lostHosts }: Room, peer: Peer, by?: Peer): void => {
  peer.role = 'host';
  if (lostHosts || by?.deputy) peer.deputy = true;
  else delete peer.deputy;
};

/** Resets an empty room. Nobody is left to admit the lobby, which may keep waiting only if hosts come with a token. */
const resetEmpty = (room: Room, now: number, rules: Rules): RoomEvent[] => {
  resetState(room);
  if (rules.access === 'knock' || room.waiting.size === 0) return [];
  for (const one of room.waiting.values()) remember(room, one, { code: 'room-ended', until: now + rules.grace }, rules);
  room.waiting.clear();
  return [{ type: 'room-ended', for: 'waiting' }];
};

const resetState = (room: Room): void => {
  delete room.access;
  delete room.passcode;
  delete room.lostHosts;
  room.said = [];
  for (const [key, { until }] of room.gone) if (isBan(key, until)) room.gone.delete(key);
};

const markAway = (room: Room, id: PeerId, now: number, away: Peer['presence'] & { at: 'away' }): RoomEvent[] => {
  const peer = room.peers.get(id) ?? room.waiting.get(id);
  if (!peer || peer.presence.at === 'away') return [];
  peer.idleSince ??= now;
  const { worker } = peer.presence;
  peer.presence = worker === undefined ? away : { ...away, worker };
  return room.peers.has(id) ? [{ type: 'peer-away', peer: id }] : [];
};

const done = (events: RoomEvent[]): Decision<void> => ({ events, result: undefined });
