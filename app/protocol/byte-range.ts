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
 * Valid UTF-8 in a chunk, from `from` to before `end`.
 * (!) It keeps the whole chunk in memory. What outlives this turn of the event loop takes the text or a copy.
 */
export class ByteRange {
  readonly chunk: Chunk;
  readonly from: number;
  readonly end: number;

  constructor(chunk: Chunk, from: number, end: number) {
    this.chunk = chunk;
    this.from = from;
    this.end = end;
  }

  get byteLength(): number {
    return this.end - this.from;
  }

  get text(): string {
    return this.chunk.bytes.toString('utf8', this.from, this.end);
  }

  /** Copies the bytes to a position of a buffer. @returns how many */
  copyTo(target: Buffer, at: number): number {
    return this.chunk.bytes.copy(target, at, this.from, this.end);
  }
}

export const textOf = (text: string | ByteRange): string => (typeof text === 'string' ? text : text.text);
