/** Text messages → WebSocket frames in one buffer, so that what goes to one socket in one turn leaves in one write. */

/** Bytes in which frames are put together: what a receiver that does not read can keep of it. */
const pageBytes = 65_536;
let page = Buffer.allocUnsafeSlow(pageBytes);

/**
 * Unmasked, unfragmented text frames, as a server sends them (RFC 6455, section 5.2):
 * one byte 0x81 (final, text), one byte of length below 126, or 126 and two bytes, or 127 and eight.
 * (!) They stand in memory that the next call writes over, unless `keepFrames` is called before.
 */
export const textFrames = (texts: string[]): Buffer => {
  let most = 0;
  for (const { length } of texts) most += 10 + 3 * length;
  const bytes = most <= pageBytes ? page : Buffer.allocUnsafeSlow(sizeOf(texts));
  let at = 0;
  for (const text of texts) at = writeFrame(bytes, at, text);
  return bytes.subarray(0, at);
};

const sizeOf = (texts: string[]): number =>
  texts.map((text) => Buffer.byteLength(text)).reduce((sum, length) => sum + headSize(length) + length, 0);

/** The frames that were made last are still needed. */
export const keepFrames = (): void => {
  page = Buffer.allocUnsafeSlow(pageBytes);
};

/** → where it ends. A character takes one to three bytes: only where that leaves the head open they are counted first. */
const writeFrame = (bytes: Buffer, at: number, text: string): number => {
  const least = headSize(text.length);
  const head = least === headSize(3 * text.length) ? least : headSize(Buffer.byteLength(text));
  const length = bytes.write(text, at + head);
  bytes[at] = 0x81;
  bytes[at + 1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) bytes.writeUInt16BE(length, at + 2);
  if (head === 10) bytes.writeBigUInt64BE(BigInt(length), at + 2);
  return at + head + length;
};

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);
