/** The sending side of a file transfer. */
import type { PeerId } from '../protocol/messages.ts';
import type { Channel } from './channel.ts';
import { blockBytes, type FileMessage, frameBytes, hashOf, Transfer } from './transfer.ts';

export class Outgoing extends Transfer {
  #file: File;
  #channel: () => Channel | undefined;
  /** Number of the current attempt; a newer one ends the previous. */
  #attempt = 0;
  /** Offers that have not been accepted yet; each may be accepted once. */
  #openOffers = 0;
  /** The highest position up to which blocks were sent, in any attempt. */
  #sentBytes = 0;
  /** Serializes the attempts, so that only one reads the file. */
  #sending: Promise<void> = Promise.resolve();

  constructor(
    id: number,
    peer: PeerId,
    file: File,
    send: (message: FileMessage) => void,
    channel: () => Channel | undefined,
  ) {
    super(id, peer, file, send);
    this.#file = file;
    this.#channel = channel;
  }

  /** Called again over each new connection: a receiver that has accepted replies with the position to resume from. */
  offer(): void {
    const { name, size, type } = this;
    this.#attempt += 1;
    this.#openOffers += 1;
    if (this.state.state === 'running') this.setState({ state: 'paused' });
    this.send({ is: 'offer', name: name.slice(-maxLength), size, type: type.slice(0, maxLength) });
  }

  cancel(): void {
    if (!this.isUnfinished) return;
    this.send({ is: 'cancel' });
    this.end('cancelled');
  }

  hear(message: FileMessage): void {
    if (!this.isUnfinished) return;
    if (message.is === 'decline') this.end(declineReasons.find((reason) => reason === message.reason) ?? 'declined');
    if (!('at' in message) || message.at > this.#sentBytes || (message.at < this.size && message.at % blockBytes > 0))
      return;
    if (message.is === 'accept' && this.#openOffers > 0) this.#onAccepted(message.at, message.ask);
    if (message.is === 'got' && message.at > this.progress) this.#onProgress(message.at);
  }

  #onAccepted(at: number, ask: number): void {
    this.#attempt += 1;
    this.#openOffers -= 1;
    const attempt = this.#attempt;
    this.send({ is: 'begin', ask });
    this.setState({ state: 'running' });
    this.#onProgress(at);
    this.#sending = this.#sending.then(() => this.#sendBlocks(at, attempt));
  }

  #onProgress(at: number): void {
    this.advance(at);
    if (at === this.size) this.setState({ state: 'done' });
  }

  async #sendBlocks(from: number, attempt: number): Promise<void> {
    const channel = this.#channel();
    const isCurrent = () => this.#attempt === attempt && this.state.state === 'running';
    for (let at = from; at < this.size && isCurrent(); at += blockBytes) {
      const block = this.#file.slice(at, at + blockBytes);
      // A file that was moved or changed is no longer readable.
      const [bytes, hash] = await Promise.all([block.arrayBuffer(), hashOf(block)]).catch(() => []);
      if (!bytes || !hash) return this.cancel();
      for (let start = 0; start < bytes.byteLength; start += frameBytes) {
        await channel?.ready();
        if (!isCurrent()) return;
        if (!channel?.send(this.#frame(bytes.slice(start, start + frameBytes))))
          return this.setState({ state: 'paused' });
      }
      this.#sentBytes = Math.max(this.#sentBytes, at + bytes.byteLength);
      this.send({ is: 'block', hash });
    }
  }

  #frame(bytes: ArrayBuffer): ArrayBuffer {
    const frame = new Uint8Array(4 + bytes.byteLength);
    new DataView(frame.buffer).setUint32(0, this.id);
    frame.set(new Uint8Array(bytes), 4);
    return frame.buffer;
  }
}

const declineReasons = ['declined', 'too-large', 'damaged'] as const;
/** Maximum characters of a name or a type in an offer. */
const maxLength = 255;
