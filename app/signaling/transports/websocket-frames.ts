/** Encodes text messages as WebSocket frames in one buffer, so that all messages of one turn leave in one write. */

/** Size of the shared buffer for frames. A socket whose receiver does not read keeps one of them. */
export const pageBytes = 65_536;
let page = Buffer.allocUnsafeSlow(pageBytes);

/**
 * Unmasked, unfragmented text frames, as a server sends them (RFC 6455, section 5.2):
 * one byte 0x81 (final, text), one byte of length below 126, or 126 and two bytes, or 127 and eight.
 * (!) The next call overwrites the returned memory, unless `keepFrames` is called first.
 */
export const textFrames = (texts: string[]): Buffer => {
  let maxSize = 0;
  for (const { length } of texts) maxSize += 10 + 3 * length;
  const bytes = maxSize <= pageBytes ? page : Buffer.allocUnsafeSlow(sizeOf(texts));
  let at = 0;
  for (const text of texts) at = writeFrame(bytes, at, text);
  return bytes.subarray(0, at);
};

const sizeOf = (texts: string[]): number =>
  texts.map((text) => Buffer.byteLength(text)).reduce((sum, length) => sum + headSize(length) + length, 0);

/** Keeps the frames of the last call: the next call uses a new buffer. */
export const keepFrames = (): void => {
  page = Buffer.allocUnsafeSlow(pageBytes);
};

/** A character has 1 to 3 bytes; they are counted only if the size of the header depends on it. @returns the end of the frame */
const writeFrame = (bytes: Buffer, at: number, text: string): number => {
  const minHead = headSize(text.length);
  const head = minHead === headSize(3 * text.length) ? minHead : headSize(Buffer.byteLength(text));
  const length = bytes.write(text, at + head);
  bytes[at] = 0x81;
  bytes[at + 1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) bytes.writeUInt16BE(length, at + 2);
  if (head === 10) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  return at + head + length;
};

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);
