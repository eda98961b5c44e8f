/** A file that is offered to a peer, and its way there. */
import type { PeerId } from '../protocol/messages.ts';
import type { Channel } from './channel.ts';
import { blockBytes, type FileMessage, frameBytes, hashOf, Transfer } from './transfer.ts';

export class Outgoing extends Transfer {
  #file: File;
  #channel: () => Channel | undefined;
  /** A newer one ends the one before. */
  #attempt = 0;
  /** Each offer may be accepted once. */
  #acceptable = 0;
  /** Bytes of the blocks that were sent, whenever. */
  #sent = 0;
  /** One at a time reads the file. */
  #sending: Promise<void> = Promise.resolve();

  constructor(
    id: number,
    peer: PeerId,
    file: File,
    say: (word: FileMessage) => void,
    channel: () => Channel | undefined,
  ) {
    super(id, peer, file, say);
    this.#file = file;
    this.#channel = channel;
  }

  /** Also again, over a fresh connection: who has accepted it says where to go on. */
  offer(): void {
    const { name, size, type } = this;
    this.#attempt += 1;
    this.#acceptable += 1;
    if (this.state.is === 'running') this.become({ is: 'paused' });
    this.say({ is: 'offer', name: name.slice(-longest), size, type: type.slice(0, longest) });
  }

  cancel(): void {
    if (!this.isUnfinished) return;
    this.say({ is: 'cancel' });
    this.end('cancelled');
  }

  hear(word: FileMessage): void {
    if (!this.isUnfinished) return;
    if (word.is === 'decline') this.end(ends.find((reason) => reason === word.reason) ?? 'declined');
    if (!('at' in word) || word.at > this.#sent || (word.at < this.size && word.at % blockBytes > 0)) return;
    if (word.is === 'accept' && this.#acceptable > 0) this.#accepted(word.at, word.ask);
    if (word.is === 'got' && word.at > this.progress) this.#arrived(word.at);
  }

  #accepted(at: number, ask: number): void {
    this.#attempt += 1;
    this.#acceptable -= 1;
    const attempt = this.#attempt;
    this.say({ is: 'begin', ask });
    this.become({ is: 'running' });
    this.#arrived(at);
    this.#sending = this.#sending.then(() => this.#send(at, attempt));
  }

  #arrived(at: number): void {
    this.advance(at);
    if (at === this.size) this.become({ is: 'done' });
  }

  async #send(from: number, attempt: number): Promise<void> {
    const channel = this.#channel();
    const isPresent = () => this.#attempt === attempt && this.state.is === 'running';
    for (let at = from; at < this.size && isPresent(); at += blockBytes) {
      const block = this.#file.slice(at, at + blockBytes);
      // A file that was moved or changed cannot be read any more.
      const [bytes, hash] = await Promise.all([block.arrayBuffer(), hashOf(block)]).catch(() => []);
      if (!bytes || !hash) return this.cancel();
      for (let start = 0; start < bytes.byteLength; start += frameBytes) {
        await channel?.ready();
        if (!isPresent()) return;
        if (!channel?.send(this.#frame(bytes.slice(start, start + frameBytes)))) return this.become({ is: 'paused' });
      }
      this.#sent = Math.max(this.#sent, at + bytes.byteLength);
      this.say({ is: 'block', hash });
    }
  }

  #frame(bytes: ArrayBuffer): ArrayBuffer {
    const frame = new Uint8Array(4 + bytes.byteLength);
    new DataView(frame.buffer).setUint32(0, this.id);
    frame.set(new Uint8Array(bytes), 4);
    return frame.buffer;
  }
}

const ends = ['declined', 'too-large', 'damaged'] as const;
/** Characters of a name or a type in an offer. */
const longest = 255;
