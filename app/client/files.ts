/**
 * Files from peer to peer over the data channels. A file goes in blocks: each is checked against its SHA-256 before it is kept,
 * and where a connection was replaced in between, the receiver names the block to go on with.
 */
import type { PeerId } from '../protocol/messages.ts';
import type { Allowance } from './allowance.ts';
import type { Channel, Received } from './channel.ts';
import { Emitter, type Source } from './events.ts';
import { Incoming, typeOf } from './incoming.ts';
import { Outgoing } from './outgoing.ts';
import type { RoomEvents } from './room.ts';
import type { FileInfo, FileMessage, Transfer } from './transfer.ts';

export type FileOptions = {
  /** Bytes a file may have, on the way out and in; 100 MiB unless told. */
  limit?: number;
};

/** What files need of a room. */
export type FileRoom = Source<Pick<RoomEvents, 'channel' | 'data' | 'peer-left' | 'state'>> & {
  readonly peers: { id: PeerId }[];
  channel(peer: PeerId): Channel | undefined;
};

/** Files that one peer may have on offer at a time, and answers that are kept for offers that come again. */
const most = 8;
const answers = 64;

/**
 * Offers files to peers, and tells of those that they offer, also before.
 * @throws Error on a page that is no secure context: browsers make no SHA-256 there
 */
export const files = (room: FileRoom, options: FileOptions = {}): Files => new Files(room, options);

export class Files implements Source<{ file: Incoming }> {
  #room: FileRoom;
  #limit: number;
  #emitter = new Emitter<{ file: Incoming }>();
  /** Both ways, by peer and number. */
  #outgoing = new Map<string, Outgoing>();
  #incoming = new Map<string, Incoming>();
  /** How those ended that a connection may have been lost with: the last ones. */
  #answers = new Map<string, FileMessage>();
  #deaf: (() => void)[];

  constructor(room: FileRoom, { limit = 100 * 2 ** 20 }: FileOptions) {
    if (!crypto.subtle) throw new Error('files need a secure context');
    this.#room = room;
    this.#limit = limit;
    this.#deaf = [
      room.on('channel', (peer) => this.#opened(peer)),
      room.on('data', ({ from, data, allowance }) => this.#heard(from, data, allowance)),
      room.on('peer-left', ({ peer }) => this.#lose((transfer) => transfer.peer === peer.id)),
      room.on('state', ({ is }) => is === 'closed' && this.close()),
    ];
    for (const { id } of room.peers) this.#opened(id);
  }

  /** `file`: a peer offers one; accept() or decline() it. */
  on(name: 'file', listener: (file: Incoming) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** A peer that is not here has `left`. @throws RangeError when it is larger than the limit */
  offer(peer: PeerId, file: File): Outgoing {
    if (file.size > this.#limit) throw new RangeError(`the file has more than ${this.#limit} bytes`);
    const [id = 0] = crypto.getRandomValues(new Uint32Array(1));
    const transfer = new Outgoing(id, peer, file, this.#sayTo(peer, id), () => this.#room.channel(peer));
    this.#keep(this.#outgoing, transfer);
    if (this.#room.peers.some(({ id }) => id === peer)) transfer.offer();
    else transfer.end('left');
    return transfer;
  }

  /** Ends every transfer; a room that is over does so by itself. */
  close(): void {
    for (const stop of this.#deaf) stop();
    this.#lose(() => true);
  }

  /**
   * Each says first what it still has for the other, which knows then what will not come any more, and that there is
   * somebody now who hears of offers.
   */
  #opened(peer: PeerId): void {
    const ours = [...this.#outgoing.values()].filter((file) => file.peer === peer);
    this.#room.channel(peer)?.send(JSON.stringify({ files: ours.map(({ id }) => id) }));
    for (const file of ours) file.offer();
  }

  #heard(from: PeerId, data: Received, allowance: Allowance): void {
    if (data instanceof ArrayBuffer) return this.#bytes(from, data);
    const { file, files, ...word } = data;
    if (Array.isArray(files)) return allowance.take('file') ? this.#listed(from, files) : undefined;
    if (!isCount(file) || !isWord(word)) return;
    const key = keyOf(from, file);
    this.#outgoing.get(key)?.hear(word);
    const incoming = this.#incoming.get(key);
    if (word.is === 'offer') this.#offered(from, file, word, allowance.take('file'));
    else incoming?.hear(word);
  }

  #listed(from: PeerId, ids: unknown[]): void {
    this.#lose((it) => it instanceof Incoming && it.peer === from && !ids.includes(it.id));
    for (const file of this.#outgoing.values()) if (file.peer === from && file.state.is === 'offered') file.offer();
  }

  #bytes(from: PeerId, data: ArrayBuffer): void {
    if (data.byteLength < 4) return;
    this.#incoming.get(keyOf(from, new DataView(data).getUint32(0)))?.take(new Uint8Array(data, 4));
  }

  #offered(from: PeerId, id: number, word: FileInfo & FileMessage, affordable: boolean): void {
    const { name, size, type } = word;
    const key = keyOf(from, id);
    const known = this.#incoming.get(key);
    if (known) return affordable ? known.hear(word) : undefined;
    const say = this.#sayTo(from, id);
    const answer = this.#answers.get(key);
    if (answer) return say(answer);
    if (size > this.#limit) return say({ is: 'decline', reason: 'too-large' });
    const theirs = [...this.#incoming.values()].filter(({ peer }) => peer === from);
    if (theirs.length >= most || !affordable) return say({ is: 'decline', reason: 'declined' });
    const file = new Incoming(id, from, { name: plain(name), size, type: typeOf(type) }, say);
    this.#keep(this.#incoming, file);
    this.#emitter.emit('file', file);
  }

  /** Until it has ended. */
  #keep<Kind extends Transfer>(all: Map<string, Kind>, transfer: Kind): void {
    const key = keyOf(transfer.peer, transfer.id);
    all.set(key, transfer);
    transfer.on('state', (state) => {
      if (transfer.isUnfinished) return;
      all.delete(key);
      if (!(transfer instanceof Incoming)) return;
      this.#answers.set(
        key,
        state.is === 'closed' ? { is: 'decline', reason: state.reason } : { is: 'accept', at: transfer.size, ask: 0 },
      );
      for (const [oldest] of this.#answers) if (this.#answers.size > answers) this.#answers.delete(oldest);
    });
  }

  #lose(which: (transfer: Transfer) => boolean): void {
    for (const transfer of [...this.#outgoing.values(), ...this.#incoming.values()])
      if (which(transfer)) transfer.end('left');
  }

  #sayTo(peer: PeerId, id: number): (word: FileMessage) => void {
    return (word) => void this.#room.channel(peer)?.send(JSON.stringify({ file: id, ...word }));
  }
}

const keyOf = (peer: PeerId, id: unknown): string => `${peer} ${id}`;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isWord = (word: Record<string, unknown>): word is FileMessage => {
  if (word.is === 'offer') return isCount(word.size) && typeof word.name === 'string' && typeof word.type === 'string';
  if (word.is === 'accept') return isCount(word.at) && isCount(word.ask);
  return word.is === 'got' ? isCount(word.at) : typeof word.is === 'string';
};

/** A name that is nothing but a name: it came from a stranger and is shown, and may be used to save the file. */
const plain = (name: string): string => name.replace(/[/\\\p{Cc}\p{Bidi_C}]/gu, '_').slice(-255) || '_';
