/** Reads what clients nearly always send, whole text frames, before ws sees them; everything else is left to ws. */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

const nothing = Buffer.alloc(0);

/**
 * From now on `heard` gets every text message of up to `most` bytes that comes in one piece; others are still told by ws.
 * Order is kept.
 */
export const readAhead = (socket: WebSocket, connection: Socket, most: number, heard: Heard): void => {
  const [listener] = connection.listeners('data');
  if (!listener) throw new Error('ws does not listen to its connection');
  const reader = new Reader(socket, most, heard, (bytes) => listener.call(connection, bytes));
  connection.on('data', (chunk: Buffer) => reader.read(chunk));
  connection.removeListener('data', listener as () => void);
};

/** `bytes`: how many the text had. */
type Heard = (text: string, bytes: number) => void;

/**
 * Stands between a connection and ws (RFC 6455, section 5.2). ws takes frames apart in a stream of its own, with a view for
 * every field, and unmasks byte by byte: a quarter of what a relayed message costs this process. A text frame that is whole,
 * sound and not part of a longer message is taken here. What is anything else goes to ws as it came, which knows every rule.
 */
class Reader {
  /** Bytes to come of a frame that ws reads. */
  #owed = 0;
  /** The beginning of a frame, too short to say how long it is. */
  #begun: Buffer = nothing;
  /** ws is within a message of several frames. */
  #fragmented = false;
  /** The close frame has come. */
  #over = false;
  readonly #socket: WebSocket;
  readonly #most: number;
  readonly #heard: Heard;
  readonly #toWs: (bytes: Buffer) => void;

  constructor(socket: WebSocket, most: number, heard: Heard, toWs: (bytes: Buffer) => void) {
    this.#socket = socket;
    this.#most = most;
    this.#heard = heard;
    this.#toWs = toWs;
  }

  read(chunk: Buffer): void {
    const bytes = this.#begun === nothing ? chunk : Buffer.concat([this.#begun, chunk]);
    this.#begun = nothing;
    let at = Math.min(this.#owed, bytes.length);
    // What follows something odd goes to ws as well: only ws knows whether it was the end.
    let odd = at > 0;
    if (odd) this.#toWs(bytes.subarray(0, at));
    this.#owed -= at;
    while (at < bytes.length && !this.#over) {
      const from = at + headSize(bytes, at);
      if (from > bytes.length) {
        this.#begun = bytes.subarray(at);
        return;
      }
      const end = from + payloadSize(bytes, at);
      odd ||= !this.#take(bytes, at, from, end);
      if (odd) this.#leave(bytes, at, end);
      at = end;
    }
  }

  #take(bytes: Buffer, at: number, from: number, end: number): boolean {
    const fits = end <= bytes.length && end - from <= this.#most;
    if (bytes[at] !== finalText || !isMasked(bytes, at) || !fits || this.#fragmented) return false;
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    unmask(bytes, from, end);
    const text = bytes.toString('utf8', from, end);
    // U+FFFD stands for what is no UTF-8, unless somebody wrote it.
    const sound = !text.includes('\ufffd') || isUtf8(bytes.subarray(from, end));
    if (sound) this.#heard(text, end - from);
    else unmask(bytes, from, end);
    return sound;
  }

  #leave(bytes: Buffer, at: number, end: number): void {
    const first = bytes[at] ?? 0;
    this.#over = (first & 0x0f) === close;
    if ((first & 0x08) === 0) this.#fragmented = first < 0x80;
    this.#owed = Math.max(0, end - bytes.length);
    this.#toWs(bytes.subarray(at, end));
  }
}

/** FIN, and the opcode of text; and the opcode of the last frame. */
const finalText = 0x81;
const close = 8;

const lengthCode = (bytes: Buffer, at: number): number => (bytes[at + 1] ?? 0) & 0x7f;
const isMasked = (bytes: Buffer, at: number): boolean => (bytes[at + 1] ?? 0) >= 0x80;

/** Bytes before the payload; where the second is not there yet, at least two. */
const headSize = (bytes: Buffer, at: number): number => {
  const code = lengthCode(bytes, at);
  return 2 + (code < 126 ? 0 : code === 126 ? 2 : 8) + (isMasked(bytes, at) ? 4 : 0);
};

const payloadSize = (bytes: Buffer, at: number): number => {
  const code = lengthCode(bytes, at);
  return code < 126 ? code : code === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
};

/** In place, by the four bytes before it; by words where the payload lies as an Int32Array wants it. */
const unmask = (bytes: Buffer, from: number, end: number): void => {
  const aligned = Math.min(end, from + (-(bytes.byteOffset + from) & 3));
  const words = (end - aligned) >> 2;
  unmaskBytes(bytes, from, from, aligned);
  if (words > 0) unmaskWords(new Int32Array(bytes.buffer, bytes.byteOffset + aligned, words), bytes, from, aligned);
  unmaskBytes(bytes, from, aligned + 4 * words, end);
};

const unmaskBytes = (bytes: Buffer, from: number, begin: number, end: number): void => {
  for (let at = begin; at < end; at += 1) bytes[at] = (bytes[at] ?? 0) ^ maskAt(bytes, from, at);
};

const unmaskWords = (words: Int32Array, bytes: Buffer, from: number, begin: number): void => {
  for (let index = 0; index < 4; index += 1) maskBytes[index] = maskAt(bytes, from, begin + index);
  const mask = maskWord[0] ?? 0;
  const { length } = words;
  // A check whether each word is there would cost a fifth of this loop.
  for (let index = 0; index < length; index += 1) words[index] = (words[index] as number) ^ mask;
};

const maskAt = (bytes: Buffer, from: number, at: number): number => bytes[from - 4 + ((at - from) & 3)] ?? 0;

/** The same four bytes, as one word of this machine. */
const maskBytes = new Uint8Array(4);
const maskWord = new Int32Array(maskBytes.buffer);
