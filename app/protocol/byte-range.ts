/** Received bytes that are relayed as they are: neither decoded nor copied before they are kept and sent. */

/** Bytes that were received together, also as 32-bit words, by which they are checked four at a time. */
export class Chunk {
  readonly bytes: Buffer;
  /** Of all the memory that `bytes` is a part of. */
  readonly words: Int32Array;
  /** Position of the first byte in that memory. */
  readonly offset: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2);
    this.offset = bytes.byteOffset;
  }
}

/**
 * Bytes of a chunk, from `from` to before `end`: valid UTF-8, or anything if it is binary.
 * (!) It keeps the whole chunk in memory. What outlives this turn of the event loop takes `lastingOf` it.
 */
export class ByteRange {
  readonly chunk: Chunk;
  readonly from: number;
  readonly end: number;
  readonly isBinary: boolean;

  constructor(chunk: Chunk, from: number, end: number, isBinary = false) {
    this.chunk = chunk;
    this.from = from;
    this.end = end;
    this.isBinary = isBinary;
  }

  static binary(bytes: Buffer): ByteRange {
    return new ByteRange(new Chunk(bytes), 0, bytes.length, true);
  }

  /** Of its own memory. */
  static binaryCopy(bytes: Buffer): ByteRange {
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(copy);
    return ByteRange.binary(copy);
  }

  /** From JSON text of `toJsonText`. */
  static fromJsonText(text: string): ByteRange {
    return ByteRange.binaryCopy(Buffer.from(text.slice(1, -1), 'base64'));
  }

  get byteLength(): number {
    return this.end - this.from;
  }

  get text(): string {
    return this.chunk.bytes.toString('utf8', this.from, this.end);
  }

  /**
   * A JSON string in base64: a third longer than the bytes, whatever they are. A release that does not know binary data relays it as it is.
   */
  toJsonText(): string {
    return `"${this.chunk.bytes.toString('base64', this.from, this.end)}"`;
  }

  /** Copies the bytes to a position of a buffer. @returns how many */
  copyTo(target: Buffer, at: number): number {
    return this.chunk.bytes.copy(target, at, this.from, this.end);
  }
}

/** Not for binary data. */
export const textOf = (text: string | ByteRange): string => (typeof text === 'string' ? text : text.text);

/** Text, or a copy of binary data, without the chunk. */
export const lastingOf = (message: string | ByteRange): string | ByteRange => {
  if (typeof message === 'string' || !message.isBinary) return textOf(message);
  return ByteRange.binaryCopy(message.chunk.bytes.subarray(message.from, message.end));
};
