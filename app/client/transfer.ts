/** A file on its way between two peers: what both directions have in common, and the words they exchange. */
import type { PeerId } from '../protocol/messages.ts';
import { Emitter, type Source } from './events.ts';

/** `offered`: the receiver has not decided. `paused`: the connection was lost. `done` has the file where it was received. */
export type TransferState =
  | { is: 'offered' }
  | { is: 'running' }
  | { is: 'paused' }
  | { is: 'done'; file?: File }
  | { is: 'closed'; reason: TransferEnd };
/** `left`: the peer is gone, or the room. `damaged`: what came is not what was sent. */
export type TransferEnd = 'declined' | 'cancelled' | 'too-large' | 'damaged' | 'left';
/** `size`: in bytes. */
export type FileInfo = { name: string; size: number; type: string };

/** What is said about a file, as text; the bytes are in frames between. */
export type FileMessage =
  | ({ is: 'offer' } & FileInfo)
  /** From the receiver: send what comes after so many bytes, and say that it begins. */
  | { is: 'accept'; at: number; ask: number }
  | { is: 'begin'; ask: number }
  | { is: 'decline'; reason: TransferEnd }
  /** From the sender. */
  | { is: 'cancel' }
  /** The frames since the last one are a block with this SHA-256. */
  | { is: 'block'; hash: string }
  /** From the receiver: so many bytes are whole. */
  | { is: 'got'; at: number };

export type Events = { state: TransferState; progress: number };

/** Bytes in a frame, and in a block, which is what is checked and kept. */
export const frameBytes = 16_384;
export const blockBytes = 262_144;

export class Transfer implements Source<Events> {
  readonly id: number;
  readonly peer: PeerId;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  protected readonly say: (word: FileMessage) => void;
  #emitter = new Emitter<Events>();
  #state: TransferState = { is: 'offered' };
  #progress = 0;

  constructor(id: number, peer: PeerId, { name, size, type }: FileInfo, say: (word: FileMessage) => void) {
    this.id = id;
    this.peer = peer;
    this.name = name;
    this.size = size;
    this.type = type;
    this.say = say;
  }

  get state(): TransferState {
    return this.#state;
  }

  /** Bytes that have arrived and were found whole. */
  get progress(): number {
    return this.#progress;
  }

  get isUnfinished(): boolean {
    return this.#state.is !== 'done' && this.#state.is !== 'closed';
  }

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Of this side or the other; nothing comes after it. */
  end(reason: TransferEnd): void {
    this.become({ is: 'closed', reason });
  }

  protected become(state: TransferState): void {
    if (!this.isUnfinished) return;
    this.#state = state;
    this.#emitter.emit('state', state);
  }

  protected advance(progress: number): void {
    this.#progress = progress;
    this.#emitter.emit('progress', progress);
  }
}

export const hashOf = async (bytes: Blob): Promise<string> => {
  const digest = await crypto.subtle.digest('SHA-256', await bytes.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
};
