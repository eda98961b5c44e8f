/** Encodes text messages as WebSocket frames in one buffer, so that all messages of one turn leave in one write. */
import type { OutgoingText } from '../encode.ts';

/** Size of the shared buffer for frames. A socket whose receiver does not read keeps one of them. */
export const pageBytes = 65_536;
let page = Buffer.allocUnsafeSlow(pageBytes);

/**
 * Unmasked, unfragmented text frames, as a server sends them (RFC 6455, section 5.2):
 * one byte 0x81 (final, text), one byte of length below 126, or 126 and two bytes, or 127 and eight.
 * (!) The next call overwrites the returned memory, unless `keepFrames` is called first.
 */
export const textFrames = (texts: OutgoingText[]): Buffer => {
  let maxSize = 0;
  for (const text of texts) maxSize += 10 + maxBytesOf(text);
  const bytes = maxSize <= pageBytes ? page : Buffer.allocUnsafeSlow(sizeOf(texts));
  let at = 0;
  for (const text of texts) at = writeFrame(bytes, at, text);
  return bytes.subarray(0, at);
};

const sizeOf = (texts: OutgoingText[]): number =>
  texts.map(bytesOf).reduce((sum, length) => sum + headSize(length) + length, 0);

/** Keeps the frames of the last call: the next call uses a new buffer. */
export const keepFrames = (): void => {
  page = Buffer.allocUnsafeSlow(pageBytes);
};

/** Characters of a text, or bytes where only those are known: one to three for each character. */
export const lengthOf = (text: OutgoingText): number => {
  if (typeof text === 'string') return text.length;
  const { head, data } = text;
  return head.length + (typeof data === 'string' ? data.length : data.byteLength) + 1;
};

const maxBytesOf = (text: OutgoingText): number =>
  typeof text === 'string' || typeof text.data === 'string' ? 3 * lengthOf(text) : lengthOf(text);

/** `head` is ASCII. */
const bytesOf = (text: OutgoingText): number => {
  if (typeof text === 'string') return Buffer.byteLength(text);
  const { head, data } = text;
  return head.length + (typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength) + 1;
};

/** The bytes are counted only if the size of the header depends on it. @returns the end of the frame */
const writeFrame = (bytes: Buffer, at: number, text: OutgoingText): number => {
  const minHead = headSize(lengthOf(text));
  const head = minHead === headSize(maxBytesOf(text)) ? minHead : headSize(bytesOf(text));
  const length = writeText(bytes, at + head, text);
  bytes[at] = 0x81;
  bytes[at + 1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) bytes.writeUInt16BE(length, at + 2);
  if (head === 10) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  return at + head + length;
};

/** @returns how many bytes */
const writeText = (bytes: Buffer, from: number, text: OutgoingText): number => {
  if (typeof text === 'string') return bytes.write(text, from);
  const { head, data } = text;
  const dataAt = from + bytes.write(head, from, 'latin1');
  const end = dataAt + (typeof data === 'string' ? bytes.write(data, dataAt) : data.copyTo(bytes, dataAt));
  bytes[end] = closeBrace;
  return end + 1 - from;
};

const closeBrace = 0x7d;

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);
