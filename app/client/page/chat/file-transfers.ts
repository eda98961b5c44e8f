/** File transfers with other peers, as the chat shows them. */
import { type Files, files, type Incoming, type Outgoing, type Room } from '../../room.ts';

export type FileTransfer = Readonly<
  { key: number; peerName: string } & ({ direction: 'in'; file: Incoming } | { direction: 'out'; file: Outgoing })
>;

/** Bytes. */
export const limit = 100 * 2 ** 20;
/** Closed (failed, declined or cancelled) transfers kept when one is added. */
export const mostOver = 20;

export class FileTransfers {
  #files: Files | undefined;
  #all: readonly FileTransfer[] = [];
  #keys = 0;
  #changed: () => void;
  /** Object URLs of received files, until `close()`. */
  #urls = new Map<number, string>();

  /** `offered` is called with each offer of another peer. */
  constructor(
    room: Room,
    nameOf: (peer: string) => string,
    changed: () => void,
    offered: (transfer: FileTransfer) => void,
  ) {
    this.#changed = changed;
    // On a page without https, browsers offer no SHA-256.
    if (!isSecureContext) return;
    this.#files = files(room, { limit });
    this.#files.on('file', (file) =>
      offered(this.#add({ direction: 'in', file, peerName: nameOf(file.peer), key: this.#key() })),
    );
  }

  get possible(): boolean {
    return this.#files !== undefined;
  }

  get all(): readonly FileTransfer[] {
    return this.#all;
  }

  /** @throws RangeError when the file is larger than the limit */
  offer(to: { id: string; name: string }, file: File): void {
    const outgoing = this.#files?.offer(to.id, file);
    if (outgoing) this.#add({ direction: 'out', file: outgoing, peerName: to.name, key: this.#key() });
  }

  /** The object URL of a received file. */
  address({ key, file }: FileTransfer): string | undefined {
    const known = this.#urls.get(key);
    if (known !== undefined || file.state.state !== 'done' || !file.state.file) return known;
    const url = URL.createObjectURL(file.state.file);
    this.#urls.set(key, url);
    return url;
  }

  close(): void {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
  }

  #key(): number {
    this.#keys += 1;
    return this.#keys;
  }

  #add(transfer: FileTransfer): FileTransfer {
    transfer.file.on('state', this.#changed);
    transfer.file.on('progress', this.#changed);
    const closed = this.#all.filter(({ file }) => file.state.state === 'closed');
    const removed = new Set(closed.slice(0, Math.max(0, closed.length - mostOver)));
    this.#all = [...this.#all.filter((one) => !removed.has(one)), transfer];
    this.#changed();
    return transfer;
  }
}
