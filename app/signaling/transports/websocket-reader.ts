/** A fast path for whole frames of data, which is nearly all that clients send. All other frames are left to ws. */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { type TurnShare, turnCosts } from '../../budgets/turn-shares.ts';
import { ByteRange, Chunk } from '../../protocol/byte-range.ts';
import { interceptData } from './ws-internals.ts';

const empty = Buffer.alloc(0);

/** `share`: called for each chunk, for what the client may have done in this turn of the event loop. */
type ReaderOptions = {
  maxBytes: number;
  share: () => TurnShare;
  onMessage: OnMessage;
  onFragment: OnFragment;
  acceptsBinary?: boolean;
};

/**
 * Calls `onMessage` for every text, and binary message if `acceptsBinary`, of up to `maxBytes` that arrives in one chunk; ws still emits all others. The order is
 * kept. `onFragment`: called for every frame that continues a message.
 * @returns the bytes received and not handled yet
 */
export const readAhead = (
  socket: WebSocket,
  connection: Socket,
  options: ReaderOptions,
): { readonly unfinishedBytes: number } => {
  const toWs = interceptData(connection, (chunk) => reader.read(chunk));
  const reader = new Reader(socket, connection, options, toWs);
  // Before ws learns of the end and ignores what comes after.
  connection.prependListener('end', () => reader.end());
  connection.prependListener('close', () => reader.discard());
  return reader;
};

type OnMessage = (message: ByteRange) => void;
type OnFragment = (bytes: number) => void;

/**
 * Sits between a connection and ws (RFC 6455, section 5.2). ws parses frames in a stream of its own, with a view for every
 * field, and unmasks byte by byte: a quarter of the cost of relaying a message. A frame that is whole, valid and not part
 * of a fragmented message is handled here. Everything else goes unchanged to ws, which implements every rule.
 */
class Reader {
  /** Bytes that ws keeps of a message that is not complete yet. */
  #unfinished = 0;
  /** Bytes still to come of a frame that ws reads. */
  #remaining = 0;
  /** The start of a frame, too short to have its length. */
  #partial: Buffer = empty;
  /** Whether ws is reading a fragmented message. */
  #fragmented = false;
  /** Whether the close frame was received. */
  #closed = false;
  /** What is left for the next turn of the event loop. */
  #deferred: Buffer[] | undefined;
  #ended = false;
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #maxBytes: number;
  readonly #share: () => TurnShare;
  readonly #onMessage: OnMessage;
  readonly #onFragment: OnFragment;
  readonly #acceptsBinary: boolean;
  readonly #toWs: (bytes: Buffer) => void;

  constructor(socket: WebSocket, connection: Socket, options: ReaderOptions, toWs: (bytes: Buffer) => void) {
    this.#socket = socket;
    this.#connection = connection;
    this.#maxBytes = options.maxBytes;
    this.#share = options.share;
    this.#onMessage = options.onMessage;
    this.#onFragment = options.onFragment;
    this.#acceptsBinary = options.acceptsBinary ?? false;
    this.#toWs = toWs;
  }

  read(chunk: Buffer): void {
    if (this.#deferred) {
      this.#deferred.push(chunk);
      // ws resumes the connection when it has handled a long frame.
      this.#connection.pause();
    } else this.#readFrames(this.#partial === empty ? chunk : Buffer.concat([this.#partial, chunk]));
  }

  /** The client sends nothing more: what waits is handled at once. It is little, and costs a new connection each time. */
  end(): void {
    this.#ended = true;
    this.#resume();
  }

  /** Without the deferred bytes, ws would read what the broken connection still has as frames, from the middle of one. */
  discard(): void {
    if (this.#deferred) this.#connection.read();
  }

  /** Bytes received and not handled yet, here and in ws. */
  get unfinishedBytes(): number {
    if (!this.#deferred) return this.#unfinished;
    return (
      this.#unfinished + this.#connection.readableLength + this.#deferred.reduce((sum, { length }) => sum + length, 0)
    );
  }

  #readFrames(bytes: Buffer): void {
    this.#partial = empty;
    const share = this.#share();
    const chunk = new Chunk(bytes);
    let at = Math.min(this.#remaining, bytes.length);
    // After a frame for ws, the rest of the chunk goes to ws too: only ws knows whether that frame ended the connection.
    let forWs = at > 0;
    if (forWs) this.#toWs(at < bytes.length ? copyOf(bytes.subarray(0, at)) : bytes);
    this.#remaining -= at;
    if (at > 0) this.#countUnfinished(at);
    while (at < bytes.length && !this.#closed) {
      // Nobody is left to answer, and a session that its budgets have ended handles nothing more.
      if (this.#ended && this.#socket.readyState !== this.#socket.OPEN) return;
      if (!share.take(turnCosts.frame) && !this.#ended) return this.#defer(share, bytes.subarray(at));
      const from = at + headSize(bytes, at);
      if (from > bytes.length) {
        this.#partial = copyOf(bytes.subarray(at));
        return;
      }
      const end = from + payloadSize(bytes, at);
      forWs ||= !this.#tryRead(chunk, at, from, end);
      if (forWs) this.#passToWs(bytes, at, end);
      at = end;
    }
  }

  /** Reads nothing more from the connection until other clients have had their turn. */
  #defer(share: TurnShare, rest: Buffer): void {
    this.#deferred = [rest];
    this.#connection.pause();
    share.defer(() => {
      this.#resume();
      if (!this.#deferred) this.#connection.resume();
    });
  }

  #resume(): void {
    const chunks = this.#deferred;
    this.#deferred = undefined;
    // ws has let go of a connection that broke meanwhile.
    if (chunks && !this.#connection.destroyed) this.#readFrames(Buffer.concat(chunks));
  }

  #tryRead(chunk: Chunk, at: number, from: number, end: number): boolean {
    const { bytes } = chunk;
    const fits = end <= bytes.length && end - from <= this.#maxBytes;
    const isBinary = bytes[at] === finalBinary && this.#acceptsBinary;
    if (!(isBinary || bytes[at] === finalText) || !isMasked(bytes, at) || !fits || this.#fragmented) return false;
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    const isAscii = unmask(chunk, from, end);
    const valid = isBinary || isAscii || isUtf8(bytes.subarray(from, end));
    if (valid) this.#onMessage(new ByteRange(chunk, from, end, isBinary));
    else unmask(chunk, from, end);
    return valid;
  }

  #countUnfinished(bytes: number): void {
    this.#unfinished = this.#fragmented || this.#remaining > 0 ? this.#unfinished + bytes : 0;
  }

  #passToWs(bytes: Buffer, at: number, end: number): void {
    const first = bytes[at] ?? 0;
    this.#closed = (first & 0x0f) === close;
    if ((first & 0x08) === 0) this.#fragmented = first < 0x80;
    if ((first & 0x0f) === continuation) this.#onFragment(end - at);
    this.#remaining = Math.max(0, end - bytes.length);
    const frame = bytes.subarray(at, end);
    if ((first & 0x08) === 0) this.#countUnfinished(frame.length);
    // What ws keeps until the message is complete must not keep the whole chunk that it arrived in, up to 64 KiB.
    this.#toWs(this.#remaining > 0 || this.#fragmented ? copyOf(frame) : frame);
  }
}

/** Of its own memory, because a part of Node's pool would keep 8 KiB. */
const copyOf = (bytes: Buffer): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
};

/** FIN with the opcodes of text and binary; and the opcodes of a continuation and of the close frame. */
const finalText = 0x81;
const finalBinary = 0x82;
const continuation = 0;
const close = 8;

const lengthCode = (bytes: Buffer, at: number): number => (bytes[at + 1] ?? 0) & 0x7f;
const isMasked = (bytes: Buffer, at: number): boolean => (bytes[at + 1] ?? 0) >= 0x80;

/** Bytes before the payload; 2 if the second byte has not arrived yet. */
const headSize = (bytes: Buffer, at: number): number => {
  const code = lengthCode(bytes, at);
  return 2 + (code < 126 ? 0 : code === 126 ? 2 : 8) + (isMasked(bytes, at) ? 4 : 0);
};

const payloadSize = (bytes: Buffer, at: number): number => {
  const code = lengthCode(bytes, at);
  return code < 126 ? code : code === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
};

/**
 * Unmasks in place, with the four bytes before the payload; word by word where it is aligned.
 * @returns whether the result is ASCII
 */
const unmask = ({ bytes, words, offset }: Chunk, from: number, end: number): boolean => {
  const aligned = Math.min(end, from + (-(offset + from) & 3));
  const first = (offset + aligned) >> 2;
  const last = first + ((end - aligned) >> 2);
  const before = unmaskBytes(bytes, from, from, aligned);
  const between = last > first ? unmaskWords(words, first, last, maskWordAt(bytes, from, aligned)) : 0;
  const after = unmaskBytes(bytes, from, aligned + 4 * (last - first), end);
  return ((between | before | after) & 0x80808080) === 0;
};

/** @returns all resulting bytes, combined by OR; so does the next function with words */
const unmaskBytes = (bytes: Buffer, from: number, begin: number, end: number): number => {
  let all = 0;
  for (let at = begin; at < end; at += 1) {
    const byte = (bytes[at] ?? 0) ^ maskAt(bytes, from, at);
    bytes[at] = byte;
    all |= byte;
  }
  return all;
};

const unmaskWords = (words: Int32Array, first: number, last: number, mask: number): number => {
  let all = 0;
  for (let index = first; index < last; index += 1) {
    // A check whether each word is there would cost a fifth of this loop.
    const word = (words[index] as number) ^ mask;
    words[index] = word;
    all |= word;
  }
  return all;
};

const maskAt = (bytes: Buffer, from: number, at: number): number => bytes[from - 4 + ((at - from) & 3)] ?? 0;

/** The mask of the four bytes from `begin`, as a word in the machine's byte order. */
const maskWordAt = (bytes: Buffer, from: number, begin: number): number => {
  for (let index = 0; index < 4; index += 1) maskBytes[index] = maskAt(bytes, from, begin + index);
  return maskWord[0] ?? 0;
};
const maskBytes = new Uint8Array(4);
const maskWord = new Int32Array(maskBytes.buffer);
