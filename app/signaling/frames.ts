/** Text messages → WebSocket frames in one buffer, so that what goes to one socket in one turn leaves in one write. */

/**
 * Unmasked, unfragmented text frames, as a server sends them (RFC 6455, section 5.2):
 * one byte 0x81 (final, text), one byte of length below 126, or 126 and two bytes, or 127 and eight.
 */
export const textFrames = (texts: string[]): Buffer => {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headSize(length) + length, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) at = writeFrame(frames, at, text, lengths[index] ?? 0);
  return frames;
};

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10);

const writeFrame = (frames: Buffer, at: number, text: string, length: number): number => {
  const head = headSize(length);
  frames[at] = 0x81;
  frames[at + 1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) frames.writeUInt16BE(length, at + 2);
  if (head === 10) frames.writeBigUInt64BE(BigInt(length), at + 2);
  frames.write(text, at + head);
  return at + head + length;
};
