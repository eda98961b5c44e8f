/** Encodes an event of a room as the message text for its receivers; all receivers get the same text. */
import { type ByteRange, textOf } from '../protocol/byte-range.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';

/** A message text. One that relays data may be in two parts and end with a brace, so that the data is copied only once. */
export type OutgoingText = string | { head: string; data: string | ByteRange };

export const outgoing = ({ seq, event }: RoomLogEntry): OutgoingText => {
  if (event.type !== 'signal') return JSON.stringify({ ...event, among: undefined, seq });
  const { from, epoch, data } = event;
  // Ids have no characters that JSON would escape, and `data` is already JSON text.
  return { head: `{"type":"signal","seq":${seq},"from":"${from}","epoch":${epoch},"data":`, data };
};

export const encode = (entry: RoomLogEntry): string => wholeText(outgoing(entry));

export const wholeText = (text: OutgoingText): string =>
  typeof text === 'string' ? text : `${text.head}${textOf(text.data)}}`;

export const encodeMessage = (message: ServerMessage): string => JSON.stringify(message);
