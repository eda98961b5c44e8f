/** A room and its log as JSON, for the process that takes it over, which may run another release. */
import { z } from 'zod';
import { ByteRange } from '../protocol/byte-range.ts';
import { access, mediaState, peerId, role, roomName, saidBefore } from '../protocol/messages.ts';
import type { RoomLogEntry } from './event-log.ts';
import type { Room, RoomEvent } from './room.ts';

/** Raised with every change that an older reader would misread; test/recorded/ keeps an example of each format. */
export const format = 1;

/** JSON has no Infinity. */
const time = z
  .union([z.number(), z.literal('never')])
  .transform((at) => (at === 'never' ? Number.POSITIVE_INFINITY : at));
const granted = z
  .object({ role: role.optional(), name: z.string().optional(), subject: z.string().optional() })
  .optional();
const presence = z.discriminatedUnion('at', [
  z.object({ at: z.literal('here'), until: time, worker: z.string().optional() }),
  z.object({ at: z.literal('away'), until: time, worker: z.string().optional(), reason: z.enum(['timeout', 'left']) }),
]);
const waiting = z.object({
  id: peerId,
  name: z.string().exactOptional(),
  media: mediaState,
  secretHash: z.string(),
  granted,
  presence,
  former: z.object({ secretHash: z.string(), at: z.number() }).exactOptional(),
  from: z.string().exactOptional(),
  idleSince: z.number().exactOptional(),
  listened: z.literal(true).exactOptional(),
  resumes: z.object({ tokens: z.number(), at: z.number() }).exactOptional(),
});
const peer = waiting.extend({
  role,
  hand: z.boolean(),
  entered: z.int(),
  accepted: z.int(),
  deputy: z.literal(true).exactOptional(),
});
const gone = z.object({ code: z.enum(['denied', 'kicked', 'room-ended']), until: time });
const event = z.looseObject({ type: z.string() }) as unknown as z.ZodType<RoomEvent>;

const roomSnapshot = z.object({
  format: z.literal(format),
  name: roomName,
  joins: z.int(),
  peers: z.array(peer),
  waiting: z.array(waiting),
  access: access.exactOptional(),
  passcode: z.object({ salt: z.string(), hash: z.string() }).exactOptional(),
  said: z.array(saidBefore.extend({ seq: z.int().exactOptional() })),
  from: z.string().exactOptional(),
  gone: z.array(z.tuple([z.string(), gone])),
  lostHosts: z
    .array(z.object({ secretHash: z.string(), until: z.number(), creator: z.literal(true).exactOptional() }))
    .exactOptional(),
  lobbyNews: z.object({ tokens: z.number(), at: z.number(), due: z.literal(true).exactOptional() }).exactOptional(),
  seq: z.int(),
  /** The last events up to number `seq`, without gaps. */
  events: z.array(z.object({ at: z.number(), event })),
});

/** The fields of every format. */
const anyFormat = z.looseObject({ format: z.json().optional(), name: z.json().optional() });

export type RoomSnapshot = z.input<typeof roomSnapshot>;

export const serialize = (room: Room, seq: number, entries: RoomLogEntry[]): RoomSnapshot =>
  JSON.parse(
    JSON.stringify(
      {
        ...room,
        format,
        peers: [...room.peers.values()],
        waiting: [...room.waiting.values()],
        gone: [...room.gone],
        seq,
        events: entries.map(({ at, event }) => ({ at, event: portable(event) })),
      },
      (_key, value) => (value === Number.POSITIVE_INFINITY ? 'never' : value),
    ),
  );

/** @throws if it is not a room in this format; the message names the room, and the formats or the field */
export const deserialize = (json: unknown): { room: Room; seq: number; events: { at: number; event: RoomEvent }[] } => {
  const { format: found, name } = anyFormat.safeParse(json).data ?? {};
  if (found !== format)
    throw new Error(`room "${name}" is in format ${found}; this version supports only format ${format}`);
  const read = roomSnapshot.safeParse(json);
  if (!read.success) throw new Error(`room "${name}" cannot be read: ${z.prettifyError(read.error)}`);
  const { format: _, seq, events, peers, waiting: lobby, gone: ended, ...state } = read.data;
  const room: Room = {
    ...state,
    peers: new Map(peers.map((one) => [one.id, one])),
    waiting: new Map(lobby.map((one) => [one.id, one])),
    gone: new Map(ended),
  };
  return { room, seq, events: events.map(({ at, event }) => ({ at, event: restored(event) })) };
};

/** A binary signal has its data as a JSON string, which a release without binary signals relays as it is. */
const portable = (event: RoomEvent): object =>
  event.type === 'signal' && typeof event.data !== 'string' && event.data.isBinary
    ? { ...event, data: event.data.toJsonText(), binary: true }
    : event;

const restored = (event: RoomEvent & { binary?: true }): RoomEvent => {
  if (event.type !== 'signal' || typeof event.data !== 'string' || !event.binary) return event;
  const { binary: _, ...signal } = event;
  return { ...signal, data: ByteRange.fromJsonText(event.data) };
};
