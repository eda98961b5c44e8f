/**
 * File transfers between peers over the data channels. A file is sent in blocks, each verified by its SHA-256. After a connection
 * was replaced, the receiver names the block to resume from.
 */
import type { PeerId } from '../protocol/messages.ts';
import type { Allowance } from './allowance.ts';
import type { Channel, ReceivedData } from './channel.ts';
import { Emitter, type Source } from './events.ts';
import { Incoming, typeOf } from './incoming.ts';
import type { MeshEvents } from './mesh.ts';
import { Outgoing } from './outgoing.ts';
import type { ConnectionState } from './signaling.ts';
import type { FileInfo, FileMessage, Transfer } from './transfer.ts';

export type FileOptions = {
  /** Maximum file size in bytes, sent or received; default: 100 MiB. */
  limit?: number;
};

/** The part of a room that file transfers use. */
export type FileRoom = Source<Pick<MeshEvents, 'channel' | 'data' | 'peer-left'> & { state: ConnectionState }> & {
  readonly peers: { id: PeerId }[];
  channel(peer: PeerId): Channel | undefined;
};

/** Maximum simultaneous offers of one peer, and replies kept for repeated offers. */
const maxOffers = 8;
const maxReplies = 64;

/**
 * Offers files to peers and reports the files that they offer, including earlier offers.
 * @throws Error if the page is not a secure context: SHA-256 is unavailable there
 */
export const files = (room: FileRoom, options: FileOptions = {}): Files => new Files(room, options);

export class Files implements Source<{ file: Incoming }> {
  #room: FileRoom;
  #limit: number;
  #emitter = new Emitter<{ file: Incoming }>();
  /** Running transfers in each direction, by peer and file number. */
  #outgoing = new Map<string, Outgoing>();
  #incoming = new Map<string, Incoming>();
  /** Final replies of recent incoming transfers, in case the connection was lost before they arrived. */
  #replies = new Map<string, FileMessage>();
  #unsubscribers: (() => void)[];

  constructor(room: FileRoom, { limit = 100 * 2 ** 20 }: FileOptions) {
    if (!crypto.subtle) throw new Error('files need a secure context');
    this.#room = room;
    this.#limit = limit;
    this.#unsubscribers = [
      room.on('channel', (peer) => this.#onChannel(peer)),
      room.on('data', ({ from, data, allowance }) => this.#receive(from, data, allowance)),
      room.on('peer-left', ({ peer }) => this.#endMatching((transfer) => transfer.peer === peer.id)),
      room.on('state', ({ state: is }) => is === 'closed' && this.close()),
    ];
    for (const { id } of room.peers) this.#onChannel(id);
  }

  /** `file`: a peer offers one; call accept() or decline(). */
  on(name: 'file', listener: (file: Incoming) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** If the peer is not in the room, the transfer closes with `left`. @throws RangeError if the file exceeds the limit */
  offer(peer: PeerId, file: File): Outgoing {
    if (file.size > this.#limit) throw new RangeError(`the file has more than ${this.#limit} bytes`);
    const [id = 0] = crypto.getRandomValues(new Uint32Array(1));
    const transfer = new Outgoing(id, peer, file, this.#senderTo(peer, id), () => this.#room.channel(peer));
    this.#track(this.#outgoing, transfer);
    if (this.#room.peers.some(({ id }) => id === peer)) transfer.offer();
    else transfer.end('left');
    return transfer;
  }

  /** Ends every transfer; called automatically when the room closes. */
  close(): void {
    for (const unsubscribe of this.#unsubscribers) unsubscribe();
    this.#endMatching(() => true);
  }

  /**
   * Each side first lists what it still offers. The other side ends transfers that are not listed, and learns that this side
   * receives offers now.
   */
  #onChannel(peer: PeerId): void {
    const ours = [...this.#outgoing.values()].filter((file) => file.peer === peer);
    this.#room.channel(peer)?.send(JSON.stringify({ files: ours.map(({ id }) => id) }));
    for (const file of ours) file.offer();
  }

  #receive(from: PeerId, data: ReceivedData, allowance: Allowance): void {
    if (data instanceof ArrayBuffer) return this.#onFrame(from, data);
    const { file, files, ...message } = data;
    if (Array.isArray(files)) return allowance.take('file') ? this.#onList(from, files) : undefined;
    if (!isCount(file) || !isFileMessage(message)) return;
    const key = keyOf(from, file);
    this.#outgoing.get(key)?.hear(message);
    const incoming = this.#incoming.get(key);
    if (message.is === 'offer') this.#onOffer(from, file, message, allowance.take('file'));
    else incoming?.hear(message);
  }

  #onList(from: PeerId, ids: unknown[]): void {
    this.#endMatching((it) => it instanceof Incoming && it.peer === from && !ids.includes(it.id));
    for (const file of this.#outgoing.values()) if (file.peer === from && file.state.state === 'offered') file.offer();
  }

  #onFrame(from: PeerId, data: ArrayBuffer): void {
    if (data.byteLength < 4) return;
    this.#incoming.get(keyOf(from, new DataView(data).getUint32(0)))?.take(new Uint8Array(data, 4));
  }

  #onOffer(from: PeerId, id: number, message: FileInfo & FileMessage, allowed: boolean): void {
    const { name, size, type } = message;
    const key = keyOf(from, id);
    const known = this.#incoming.get(key);
    if (known) return allowed ? known.hear(message) : undefined;
    const send = this.#senderTo(from, id);
    const reply = this.#replies.get(key);
    if (reply) return send(reply);
    if (size > this.#limit) return send({ is: 'decline', reason: 'too-large' });
    const offered = [...this.#incoming.values()].filter(({ peer }) => peer === from);
    if (offered.length >= maxOffers || !allowed) return send({ is: 'decline', reason: 'declined' });
    const file = new Incoming(id, from, { name: sanitize(name), size, type: typeOf(type) }, send);
    this.#track(this.#incoming, file);
    this.#emitter.emit('file', file);
  }

  /** Keeps the transfer until it ends. */
  #track<Kind extends Transfer>(all: Map<string, Kind>, transfer: Kind): void {
    const key = keyOf(transfer.peer, transfer.id);
    all.set(key, transfer);
    transfer.on('state', (state) => {
      if (transfer.isUnfinished) return;
      all.delete(key);
      if (!(transfer instanceof Incoming)) return;
      this.#replies.set(
        key,
        state.state === 'closed'
          ? { is: 'decline', reason: state.reason }
          : { is: 'accept', at: transfer.size, ask: 0 },
      );
      for (const [oldest] of this.#replies) if (this.#replies.size > maxReplies) this.#replies.delete(oldest);
    });
  }

  #endMatching(matches: (transfer: Transfer) => boolean): void {
    for (const transfer of [...this.#outgoing.values(), ...this.#incoming.values()])
      if (matches(transfer)) transfer.end('left');
  }

  #senderTo(peer: PeerId, id: number): (message: FileMessage) => void {
    return (message) => void this.#room.channel(peer)?.send(JSON.stringify({ file: id, ...message }));
  }
}

const keyOf = (peer: PeerId, id: unknown): string => `${peer} ${id}`;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

const isFileMessage = (message: Record<string, unknown>): message is FileMessage => {
  if (message.is === 'offer')
    return isCount(message.size) && typeof message.name === 'string' && typeof message.type === 'string';
  if (message.is === 'accept') return isCount(message.at) && isCount(message.ask);
  return message.is === 'got' ? isCount(message.at) : typeof message.is === 'string';
};

/**
 * Sanitizes an untrusted file name, which is displayed and may be used to save the file. Invisible characters could hide its extension;
 * joiners and variation selectors stay, because scripts and emoji need them. (cleanName of the protocol would be larger.)
 */
const sanitize = (name: string): string =>
  name
    .slice(-255)
    .replace(/[/\\\u2800\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?!\p{Join_C}|\p{VS})\p{DI}/gu, '_')
    .replace(/^[\s\p{DI}]*$/u, '_');
