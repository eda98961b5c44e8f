/**
 * Signals in binary frames, of the subprotocol `genkan.v2`: a line of ASCII, and data that the server does not read.
 *
 * | from | line |
 * | --- | --- |
 * | client | `<n> <to> <epoch>` |
 * | server | `<seq> <from> <epoch>` |
 */
import { ByteRange } from './byte-range.ts';
import type { Malformed, UnreadSignal } from './decode.ts';
import { type Refusal, refuse } from './errors.ts';
import { isJson } from './json-text.ts';
import { most } from './limits.ts';
import { nestsDeeper } from './nesting.ts';

/** @returns a refusal only if no number can be read */
export const decodeBinary = (message: ByteRange, maxBytes: number): UnreadSignal | Malformed | Refusal => {
  const { chunk, from, end, byteLength } = message;
  const start = startOf(message);
  const n = numberIn(start);
  if (n === undefined) return refuse('bad-message', 'a binary frame begins with a number');
  const malformed = (refusal: Refusal): Malformed => ({ type: 'malformed', n, refusal });
  const [line, to = '', epoch] = signalLine.exec(start) ?? [];
  if (line === undefined)
    return malformed(refuse('bad-message', 'a binary frame begins with a line of n, to and epoch'));
  const data = new ByteRange(chunk, from + line.length, end, true);
  if (byteLength > maxBytes) return malformed(refuse('too-long', `${byteLength} bytes, at most ${maxBytes}`));
  if (data.byteLength === 0) return malformed(refuse('bad-message', 'signal: no data after the line'));
  if (data.byteLength > most.signal)
    return malformed(refuse('too-long', `the data has ${data.byteLength} bytes, at most ${most.signal}`));
  return { type: 'signal', n, to, epoch: Number(epoch), data };
};

export const binaryHead = (seq: number, from: string, epoch: number): string => `${seq} ${from} ${epoch}\n`;

/** The number of a message that is over budget. */
export const numberInLine = (message: ByteRange): number | undefined => numberIn(startOf(message));

const startOf = ({ chunk, from, end }: ByteRange): string =>
  chunk.bytes.toString('latin1', from, Math.min(end, from + maxLine));

const numberIn = (start: string): number | undefined =>
  numberBeforeSpace.test(start) ? Number.parseInt(start, 10) : undefined;
const numberBeforeSpace = /^[1-9]\d{0,14} /;
const signalLine = /^\d+ ([\w-]{1,32}) ([1-9]\d{0,14})\n/;
/** Length of the longest match of `signalLine` with such a number. */
const maxLine = 65;

/** The data of a signal for a receiver of JSON: `null` if it is binary and not JSON within the limits that a text has. */
export const jsonDataOf = (data: string | ByteRange): string | ByteRange => {
  if (typeof data === 'string' || !data.isBinary) return data;
  const text = utf8Of(data);
  return text !== undefined && !nestsDeeper(text, most.depth - 1) && isJson(text) ? text : 'null';
};

const utf8Of = (data: ByteRange): string | undefined => {
  try {
    return utf8.decode(data.chunk.bytes.subarray(data.from, data.end));
  } catch {
    return undefined;
  }
};
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
