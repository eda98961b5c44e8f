/** Encodes messages as WebSocket frames in one buffer, so that all messages of one turn leave in one write. */
import type { OutgoingMessage } from '../encode.ts';

/** Size of the shared buffer for frames. A socket whose receiver does not read keeps one of them. */
export const pageBytes = 65_536;
let page = Buffer.allocUnsafeSlow(pageBytes);

/**
 * Unmasked, unfragmented frames, as a server sends them (RFC 6455, section 5.2):
 * one byte 0x81 (final, text) or 0x82 (final, binary), one byte of length below 126, or 126 and two bytes, or 127 and eight.
 * (!) The next call overwrites the returned memory, unless `keepFrames` is called first.
 */
export const framesOf = (messages: OutgoingMessage[]): Buffer => {
  let maxSize = 0;
  for (const message of messages) maxSize += 10 + maxBytesOf(message);
  const bytes = maxSize <= pageBytes ? page : Buffer.allocUnsafeSlow(sizeOf(messages));
  let at = 0;
  for (const message of messages) at = writeFrame(bytes, at, message);
  return bytes.subarray(0, at);
};

const sizeOf = (messages: OutgoingMessage[]): number =>
  messages.map(bytesOf).reduce((sum, length) => sum + headSize(length) + length, 0);

/** Keeps the frames of the last call: the next call uses a new buffer. */
export const keepFrames = (): void => {
  page = Buffer.allocUnsafeSlow(pageBytes);
};

/** Characters of a text, or bytes where only those are known: one to three for each character. */
export const lengthOf = (message: OutgoingMessage): number => {
  if (typeof message === 'string') return message.length;
  const { head, data, isBinary } = message;
  return head.length + (typeof data === 'string' ? data.length : data.byteLength) + (isBinary ? 0 : 1);
};

const maxBytesOf = (message: OutgoingMessage): number =>
  typeof message === 'string' || typeof message.data === 'string' ? 3 * lengthOf(message) : lengthOf(message);

/** `head` is ASCII. */
const bytesOf = (message: OutgoingMessage): number => {
  if (typeof message === 'string') return Buffer.byteLength(message);
  const { data } = message;
  return typeof data === 'string' ? lengthOf(message) - data.length + Buffer.byteLength(data) : lengthOf(message);
};

/** The bytes are counted only if the size of the header depends on it. @returns the end of the frame */
const writeFrame = (bytes: Buffer, at: number, message: OutgoingMessage): number => {
  const minHead = headSize(lengthOf(message));
  const head = minHead === headSize(maxBytesOf(message)) ? minHead : headSize(bytesOf(message));
  const length = writePayload(bytes, at + head, message);
  bytes[at] = typeof message !== 'string' && message.isBinary ? finalBinary : finalText;
  bytes[at + 1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) bytes.writeUInt16BE(length, at + 2);
  if (head === 10) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  return at + head + length;
};

/** @returns how many bytes */
const writePayload = (bytes: Buffer, from: number, message: OutgoingMessage): number => {
  if (typeof message === 'string') return bytes.write(message, from);
  const { head, data, isBinary } = message;
  const dataAt = from + bytes.write(head, from, 'latin1');
  const end = dataAt + (typeof data === 'string' ? bytes.write(data, dataAt) : data.copyTo(bytes, dataAt));
  if (isBinary) return end - from;
  bytes[end] = closeBrace;
  return end + 1 - from;
};

const finalText = 0x81;
const finalBinary = 0x82;
const closeBrace = 0x7d;

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);
