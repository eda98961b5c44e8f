/**
 * Encoding of a room in a shared store: a hash, of which a commit writes only the changed fields, and a list of chat messages to
 * everyone.
 *
 * | field | |
 * | --- | --- |
 * | `format` | format of the hash and the lists |
 * | `version` | `<life>.<n>`: id of the room among rooms of this name, and a number that changes with every field except `a:` |
 * | `seq`, `bytes` | the number of the room's last event; bytes of its log |
 * | `r` | joins, access, passcode, the network that opened it, lost hosts, the budget of `lobby` events |
 * | `p:<id>`, `a:<id>` | a peer, and its last settled message number: all that relaying a signal changes |
 * | `w`, `g` | the lobby; ended sessions |
 *
 * Infinity is written as null, as JSON.stringify does.
 */
import { randomBytes } from 'node:crypto';
import type { RoomName } from '../protocol/messages.ts';
import { join, type RoomLogEntry, split } from '../rooms/event-log.ts';
import {
  type EndedSession,
  emptyRoom,
  isOver,
  type LobbyPeer,
  type Peer,
  type Presence,
  type Room,
} from '../rooms/room.ts';

/** Changed whenever an older release would misread what this one writes. */
export const format = '1';

/** `version` is empty if there is no such room. */
export type StoredRoom = { version: string; room: Room };

/** What a commit writes. `said`: chat messages to add, and how many to keep in all; absent if unchanged. */
export type RoomChanges = {
  version: string;
  set: Record<string, string>;
  remove: string[];
  said?: { added: string[]; kept: number };
};

export const absent = (name: RoomName): StoredRoom => ({ version: '', room: emptyRoom(name) });

/** A copy that a command may change. Two levels are enough: commands replace the values inside peers and lists, never mutate them. */
export const copyOf = (room: Room): Room => ({
  ...room,
  peers: copyEach(room.peers),
  waiting: copyEach(room.waiting),
  said: [...room.said],
  gone: new Map(room.gone),
});

const copyEach = <T extends object>(map: Map<string, T>): Map<string, T> => {
  const copy = new Map<string, T>();
  for (const [key, value] of map) copy.set(key, { ...value });
  return copy;
};

/** The writes that turn the stored room into `after`. */
export const changesOf = ({ version, room: before }: StoredRoom, after: Room): RoomChanges => {
  if (isOver(after)) return { version: '', set: {}, remove: [] };
  const set: Record<string, string> = {};
  const remove: string[] = [];
  if (version === '' || !sameMetadata(before, after)) set.r = metadataText(after);
  for (const peer of after.peers.values())
    if (!alike(before.peers.get(peer.id), peer)) set[`p:${peer.id}`] = text(peer);
  for (const id of before.peers.keys()) if (!after.peers.has(id)) remove.push(`p:${id}`, `a:${id}`);
  if (!sameMap(before.waiting, after.waiting, alike)) set.w = text([...after.waiting.values()]);
  if (!sameMap(before.gone, after.gone, Object.is)) set.g = text([...after.gone]);
  const said = chatSince(before, after);
  const changed = Object.keys(set).length + remove.length > 0 || said !== undefined;
  for (const { id, accepted } of after.peers.values())
    if (before.peers.get(id)?.accepted !== accepted) set[`a:${id}`] = String(accepted);
  return { version: changed ? next(version) : version, set, remove, ...(said ? { said } : {}) };
};

/** The `a:` fields that a decision depends on, with their values: of all peers, or of those that sent something. */
export const acceptedBy = ({ room }: StoredRoom, after: Room | 'all'): string[] => {
  const known: string[] = [];
  for (const { id, accepted } of room.peers.values())
    if (after === 'all' || after.peers.get(id)?.accepted !== accepted) known.push(`a:${id}`, String(accepted));
  return known;
};

/** @param fields of the hash; empty if there is no such room */
export const readRecord = (name: RoomName, fields: Map<string, string>, said: string[]): StoredRoom => {
  const { version, room } = absent(name);
  const peers: Peer[] = [];
  for (const [field, value] of fields) {
    if (field.startsWith('p:'))
      peers.push({ ...withUntil(JSON.parse(value)), accepted: Number(fields.get(`a:${field.slice(2)}`)) });
    else if (field === 'r') Object.assign(room, JSON.parse(value));
    else if (field === 'w') for (const one of JSON.parse(value)) room.waiting.set(one.id, withUntil(one));
    else if (field === 'g')
      for (const [hash, gone] of JSON.parse(value)) room.gone.set(hash, restoreInfinity<EndedSession>(gone));
  }
  // In join order.
  for (const peer of peers.sort((a, b) => a.entered - b.entered)) room.peers.set(peer.id, peer);
  return {
    version: fields.get('version') ?? version,
    room: { ...room, said: said.map((one) => JSON.parse(one)) },
  };
};

/** An event as a log entry: time (ms since 1970), head, and data of a signal as sent, on a line each. */
export const writeEntry = ({ at, event }: Omit<RoomLogEntry, 'seq'>): string => {
  const { head, data } = split(event);
  return `${at}\n${head}\n${data}`;
};

export const readEntry = (seq: number, text: string): RoomLogEntry => {
  const first = text.indexOf('\n');
  const second = text.indexOf('\n', first + 1);
  return { seq, at: Number(text.slice(0, first)), event: join(text.slice(first + 1, second), text.slice(second + 1)) };
};

/** Id of a room among rooms of the same name: each new one gets another. */
export const lifeOf = (version: string): string => version.slice(0, version.indexOf('.'));

const next = (version: string): string => {
  const life = lifeOf(version) || randomBytes(9).toString('base64url');
  return `${life}.${Number(version.slice(version.indexOf('.') + 1)) + 1}`;
};

const sameMetadata = (before: Room, after: Room): boolean =>
  before.joins === after.joins &&
  before.access === after.access &&
  before.passcode === after.passcode &&
  before.from === after.from &&
  before.lostHosts === after.lostHosts &&
  before.lobbyNews === after.lobbyNews;
const metadataText = ({ joins, access, passcode, from, lostHosts, lobbyNews }: Room): string =>
  text({ joins, access, passcode, from, lostHosts, lobbyNews });

const text = (value: object): string => JSON.stringify(value, (key, inner) => (key === 'accepted' ? undefined : inner));

/** Ignores `accepted`. */
const alike = <T extends LobbyPeer>(before: T | undefined, after: T): boolean =>
  before !== undefined && covers(before, after) && covers(after, before);

const covers = <T extends LobbyPeer>(one: T, other: T): boolean => {
  for (const key in other) if (key !== 'accepted' && one[key] !== other[key]) return false;
  return true;
};

const sameMap = <T>(a: Map<string, T>, b: Map<string, T>, same: (a: T, b: T) => boolean): boolean => {
  if (a.size !== b.size) return false;
  const others = b.entries();
  for (const [key, value] of a) {
    const [otherKey, other] = others.next().value ?? [];
    if (key !== otherKey || other === undefined || !same(value, other)) return false;
  }
  return true;
};

const chatSince = ({ said: before }: Room, { said: after }: Room): RoomChanges['said'] => {
  const last = before.at(-1);
  if (after.length === before.length && after.at(-1) === last) return undefined;
  const from = last === undefined ? 0 : after.lastIndexOf(last) + 1;
  // Event numbers are known only after the store has assigned them.
  const added = after.slice(from).map(({ seq: _, ...record }) => text(record));
  return { added, kept: after.length };
};

const withUntil = <T extends { presence: Presence }>(peer: T): T => ({
  ...peer,
  presence: restoreInfinity(peer.presence),
});
const restoreInfinity = <T extends { until: number | null }>(value: T): T => ({
  ...value,
  until: value.until ?? Number.POSITIVE_INFINITY,
});
