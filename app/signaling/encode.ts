/** Encodes an event of a room as the message for its receivers; all receivers of a text get the same. */
import { binaryHead, jsonDataOf } from '../protocol/binary-signals.ts';
import { type ByteRange, textOf } from '../protocol/byte-range.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';

/**
 * A text, or a signal in two parts, so that its data is copied only once: the binary frame is `head` and `data`, the text is the same
 * and a brace.
 */
export type OutgoingMessage = string | { head: string; data: string | ByteRange; isBinary: boolean };

/** @param isBinary whether the receiver gets signals in binary frames */
export const outgoing = ({ seq, event }: RoomLogEntry, isBinary = false): OutgoingMessage => {
  if (event.type !== 'signal') return JSON.stringify({ ...event, among: undefined, seq });
  const { from, epoch, data } = event;
  if (isBinary) return { head: binaryHead(seq, from, epoch), data, isBinary };
  // Ids have no characters that JSON would escape, and the data is JSON text already.
  const head = `{"type":"signal","seq":${seq},"from":"${from}","epoch":${epoch},"data":`;
  return { head, data: jsonDataOf(data), isBinary };
};

export const encode = (entry: RoomLogEntry): string => wholeText(outgoing(entry));

export const wholeText = (text: OutgoingMessage): string =>
  typeof text === 'string' ? text : `${text.head}${textOf(text.data)}}`;

export const encodeMessage = (message: ServerMessage): string => JSON.stringify(message);
