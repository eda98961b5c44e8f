/** Encodes an event of a room as the message text for its receivers; all receivers get the same text. */
import type { ServerMessage } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';

export const encode = ({ seq, event }: RoomLogEntry): string => {
  if (event.type !== 'signal') return JSON.stringify({ ...event, among: undefined, seq });
  const { from, epoch, data } = event;
  // Ids have no characters that JSON would escape, and `data` is already JSON text.
  return `{"type":"signal","seq":${seq},"from":"${from}","epoch":${epoch},"data":${data}}`;
};

export const encodeMessage = (message: ServerMessage): string => JSON.stringify(message);
