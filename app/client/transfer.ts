/** A file transfer between two peers: the common part of both directions, and their messages. */
import type { PeerId } from '../protocol/messages.ts';
import { Emitter, type Source } from './events.ts';

/** `offered`: the receiver has not decided. `paused`: the connection was lost. `done` has the file on the receiving side. */
export type TransferState =
  | { state: 'offered' }
  | { state: 'running' }
  | { state: 'paused' }
  | { state: 'done'; file?: File }
  | { state: 'closed'; reason: TransferEnd };
/** `left`: the peer left, or the room closed. `damaged`: the received data differs from what was sent. */
export type TransferEnd = 'declined' | 'cancelled' | 'too-large' | 'damaged' | 'left';
/** `size` in bytes. */
export type FileInfo = { name: string; size: number; type: string };

/** Messages about a file, sent as text; its bytes are sent in binary frames between them. */
export type FileMessage =
  | ({ is: 'offer' } & FileInfo)
  /** From the receiver: send `begin`, then everything from byte `at` on. `ask` numbers the attempts. */
  | { is: 'accept'; at: number; ask: number }
  | { is: 'begin'; ask: number }
  | { is: 'decline'; reason: TransferEnd }
  /** From the sender. */
  | { is: 'cancel' }
  /** The frames since the previous `block` form a block with this SHA-256. */
  | { is: 'block'; hash: string }
  /** From the receiver: the first `at` bytes are verified. */
  | { is: 'got'; at: number };

export type TransferEvents = { state: TransferState; progress: number };

/** Bytes of a frame, and of a block, the unit that is verified. */
export const frameBytes = 16_384;
export const blockBytes = 262_144;

export class Transfer implements Source<TransferEvents> {
  readonly id: number;
  readonly peer: PeerId;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  protected readonly send: (message: FileMessage) => void;
  #emitter = new Emitter<TransferEvents>();
  #state: TransferState = { state: 'offered' };
  #progress = 0;

  constructor(id: number, peer: PeerId, { name, size, type }: FileInfo, send: (message: FileMessage) => void) {
    this.id = id;
    this.peer = peer;
    this.name = name;
    this.size = size;
    this.type = type;
    this.send = send;
  }

  get state(): TransferState {
    return this.#state;
  }

  /** Bytes received and verified. */
  get progress(): number {
    return this.#progress;
  }

  get isUnfinished(): boolean {
    return this.#state.state !== 'done' && this.#state.state !== 'closed';
  }

  on<Name extends keyof TransferEvents>(name: Name, listener: (value: TransferEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Ends the transfer, at the request of either side. */
  end(reason: TransferEnd): void {
    this.setState({ state: 'closed', reason });
  }

  protected setState(state: TransferState): void {
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
