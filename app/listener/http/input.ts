/**
 * The input of one HTTP connection. node:http parses all that has arrived, and emits each request in it, before anything can stop it.
 * So its parser is given one piece after another: one request at a time, and only as much in a turn of the event loop as the client's
 * network may use. What waits is kept unparsed, and nothing more is read meanwhile.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { requestCost, type TurnShare, turnCosts } from '../../budgets/turn-shares.ts';
import { headMemory } from '../../budgets/unsent-bytes.ts';
import { maxHeadLines } from '../limits.ts';
import { interceptInput, joinChunks } from '../node-internals.ts';

/** `body`: the request whose body is arriving. */
type Wanted = 'head' | 'nothing' | { body: IncomingMessage };

/** What the input asks its connection. */
export type InputOptions = {
  /** What may be parsed next. */
  wants(): Wanted;
  /** For what the client may have done in this turn; undefined while the client is unknown. */
  share(): TurnShare | undefined;
  /** Called after each piece: checks the limits. */
  onParsed(): void;
  /** Called with the bytes of everything that arrives. */
  onReceived(bytes: number): void;
};

/** Bytes of a chunked body that are parsed at once, because each chunk of a byte takes six of them and 3 µs. */
const chunkedPiece = 4096;

const empty: Buffer = Buffer.alloc(0);

export class RequestInput {
  /** Bytes parsed of the head that is arriving or arrived last, and its lines; bytes of the body after it, with the framing of chunks. */
  headBytes = 0;
  headLines = 0;
  bodyBytes = 0;
  /** Received, and not parsed yet. */
  #rest = empty;
  /** The last bytes parsed, which may be the start of a blank line; empty after one. */
  #tail = '';
  #bodyLength = 0;
  #flush: ReturnType<typeof joinChunks> | undefined;
  #isPaused = false;
  #isDeferred = false;
  #hasEnded = false;
  #isReleased = false;
  readonly #socket: Socket;
  readonly #options: InputOptions;
  readonly #toNode: ReturnType<typeof interceptInput>;

  constructor(socket: Socket, options: InputOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#toNode = interceptInput(socket, this.#onData, this.#onEnd);
    // node:http resumes the connection to read more of a body.
    socket.on('resume', this.#onResume);
  }

  /** Memory of what has arrived, in bytes, until the request is answered. */
  get memory(): number {
    const { readableLength } = this.#socket;
    return this.#rest.length + readableLength + headMemory(this.headBytes, this.headLines) + this.bodyBytes;
  }

  /** Whether something has arrived that is not parsed yet. */
  get isWaiting(): boolean {
    return this.#rest.length > 0;
  }

  /** The head is complete. */
  beginBody(request: IncomingMessage): void {
    this.#tail = '';
    const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
    this.#flush = encoding === undefined ? undefined : joinChunks(request);
    this.#bodyLength = encoding === undefined ? Number(length ?? 0) : Number.POSITIVE_INFINITY;
  }

  /** The request is answered and complete. */
  beginHead(): void {
    Object.assign(this, { headBytes: 0, headLines: 0, bodyBytes: 0 });
    this.#tail = '';
    this.#flush = undefined;
    this.advance();
  }

  /** Detaches from the connection. @returns what was received and not parsed */
  release(): Buffer {
    const socket = this.#socket;
    const rest = this.#rest;
    this.#rest = empty;
    this.#isReleased = true;
    socket.removeListener('data', this.#onData).removeListener('end', this.#onEnd);
    socket.removeListener('resume', this.#onResume);
    return rest;
  }

  /** From now on, everything is read and discarded. */
  discard(): void {
    this.release();
    this.#socket.on('data', ignore).resume();
  }

  /** Parses as much as is wanted now. */
  advance(): void {
    while (this.#rest.length > 0 && this.#mayParse()) this.#parsePiece();
    if (this.#rest.length > 0) this.#pause();
    else if (this.#hasEnded) this.#endOnce();
    else if (this.#isPaused && this.#mayParse()) {
      this.#isPaused = false;
      this.#socket.resume();
    }
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#options.onReceived(bytes.length);
    this.advance();
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    this.advance();
  };

  readonly #onResume = (): void => {
    if (this.#rest.length > 0) this.advance();
  };

  #mayParse(): boolean {
    if (this.#isDeferred || this.#isReleased || this.#socket.destroyed) return false;
    const wanted = this.#options.wants();
    if (typeof wanted === 'string') return wanted === 'head';
    return wanted.body.readableLength < wanted.body.readableHighWaterMark;
  }

  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #endOnce(): void {
    this.#hasEnded = false;
    if (!this.#isReleased && !this.#socket.destroyed) this.#toNode.end();
  }

  #parsePiece(): void {
    const share = this.#options.share();
    if (share && !share.take(turnCosts.frame)) {
      this.#isDeferred = true;
      share.defer(() => {
        this.#isDeferred = false;
        this.advance();
      });
      return;
    }
    const wanted = this.#options.wants();
    const end = typeof wanted === 'object' ? this.#endInBody() : this.#endAtBlankLine(this.#rest.length);
    const piece = this.#rest.subarray(0, end);
    this.#rest = end === this.#rest.length ? empty : this.#rest.subarray(end);
    if (typeof wanted === 'object') this.#parseBody(piece, share);
    else this.#parseHead(piece, share);
    this.#options.onParsed();
  }

  #parseHead(piece: Buffer, share: TurnShare | undefined): void {
    const lines = countLines(piece);
    this.headBytes += piece.length;
    this.headLines += lines;
    // Its beginning costs less.
    share?.charge(requestCost(piece.length, lines) - (this.#tail === '' ? 0 : turnCosts.request));
    if (this.headLines <= maxHeadLines) this.#toNode.parse(piece);
  }

  #parseBody(piece: Buffer, share: TurnShare | undefined): void {
    this.bodyBytes += piece.length;
    share?.charge((piece.length / 1024) * turnCosts.kilobyte);
    this.#toNode.parse(piece);
    const joined = this.#flush?.();
    if (!joined) return;
    share?.charge(joined.chunks * turnCosts.chunk);
    if (!joined.wantsMore) this.#pause();
  }

  #endInBody(): number {
    const left = this.#bodyLength - this.bodyBytes;
    if (left < Number.POSITIVE_INFINITY) return left > 0 ? Math.min(this.#rest.length, left) : this.#rest.length;
    return this.#endAtBlankLine(Math.min(this.#rest.length, chunkedPiece));
  }

  /**
   * A blank line ends a head, and a chunked body with its trailers. Inside of a chunk it is data, and the piece is just shorter.
   * @param max at most so many bytes
   * @returns the number of bytes up to the end of the first blank line, or `max`
   */
  #endAtBlankLine(max: number): number {
    const bytes = this.#rest.subarray(0, max);
    const across = (this.#tail + bytes.toString('latin1', 0, 3)).indexOf(blankLine);
    const at = across >= 0 ? across - this.#tail.length : bytes.indexOf(blankLine);
    if (across >= 0 || at >= 0) {
      this.#tail = '';
      return at + blankLine.length;
    }
    this.#tail = (this.#tail + bytes.toString('latin1', Math.max(0, max - 3))).slice(-3);
    return max;
  }
}

const blankLine = '\r\n\r\n';

const ignore = (): void => {};

const countLines = (bytes: Buffer): number => {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
};
