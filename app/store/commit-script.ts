/** The arguments and the reply of the commit script. */
import type { RoomName } from '../protocol/messages.ts';
import type { LogLimits } from '../rooms/event-log.ts';
import type { Attempt } from './command-batch.ts';
import { acceptedBy, format, type RoomChanges, readRecord, type StoredRoom, writeEntry } from './room-codec.ts';

/** `kept`: number of the last event; `bytes`: size of the log. Or `now`: the room had changed, and nothing was written. */
export type Outcome = { kept: number; bytes: number } | { kept?: undefined; now: StoredRoom };

/** @param ttl of the room's keys, in ms; 0: unchanged */
export const commitArguments = (
  base: StoredRoom,
  { version, set, remove, said }: RoomChanges,
  { room, events, readsAccepted, at }: Attempt,
  ttl: number,
  log: LogLimits,
): string[] => [
  format,
  base.version,
  version,
  String(Math.round(ttl)),
  ...limitsOf(log, at),
  ...list(acceptedBy(base, readsAccepted ? 'all' : room)),
  ...list(Object.entries(set).flat()),
  ...list(remove),
  ...list(said?.added ?? []),
  ...list(events.map((event) => writeEntry({ at, event }))),
  String(said?.kept ?? -1),
];

/** Arguments that change nothing: the reply has the room, if there is one. */
export const loadArguments = [format, '', '', '0', '0', '0', '0', '0', '0', '0', '0', '0', '-1'];

/** @throws if the room has another format */
export const readReply = (name: RoomName, reply: unknown): Outcome => {
  const [status, first, second] = Array.isArray(reply) ? reply : [];
  if (status === 'kept') return { kept: Number(first), bytes: Number(second) };
  if (status !== 'changed') throw otherFormat(name, first);
  const fields = new Map<string, string>();
  for (let at = 0; at < first.length; at += 2) fields.set(first[at], first[at + 1]);
  return { now: readRecord(name, fields, second) };
};

export const otherFormat = (name: RoomName, found: unknown): Error =>
  new Error(`the store has room "${name}" in format ${found}; this version supports only format ${format}`);

const list = (items: string[]): string[] => [String(items.length), ...items];

const limitsOf = ({ events, bytes, age }: LogLimits, at: number): string[] => [events, bytes, at - age].map(String);
