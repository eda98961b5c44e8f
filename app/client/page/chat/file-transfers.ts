/** Files on their way between this page and the others, as the chat shows them. */
import { type Files, files, type Incoming, type Outgoing, type Room } from '../../room.ts';

/** `who`: the other side. */
export type FileTransfer = Readonly<
  { key: number; who: string } & ({ way: 'in'; file: Incoming } | { way: 'out'; file: Outgoing })
>;

/** Bytes. */
export const limit = 100 * 2 ** 20;
/** Of those that came to nothing so many are shown. */
export const mostOver = 20;

export class FileTransfers {
  #files: Files | undefined;
  #all: readonly FileTransfer[] = [];
  #keys = 0;
  #changed: () => void;
  /** Of what was received, until the page goes. */
  #addresses = new Map<number, string>();

  /** `offered` hears of what others offer. */
  constructor(
    room: Room,
    nameOf: (peer: string) => string,
    changed: () => void,
    offered: (share: FileTransfer) => void,
  ) {
    this.#changed = changed;
    // Browsers make no SHA-256 on a page without https.
    if (!isSecureContext) return;
    this.#files = files(room, { limit });
    this.#files.on('file', (file) => offered(this.#add({ way: 'in', file, who: nameOf(file.peer), key: this.#key() })));
  }

  get possible(): boolean {
    return this.#files !== undefined;
  }

  get all(): readonly FileTransfer[] {
    return this.#all;
  }

  /** @throws RangeError when it is larger than the limit */
  offer(to: { id: string; name: string }, file: File): void {
    const outgoing = this.#files?.offer(to.id, file);
    if (outgoing) this.#add({ way: 'out', file: outgoing, who: to.name, key: this.#key() });
  }

  /** The address of a file that was received. */
  address({ key, file }: FileTransfer): string | undefined {
    const known = this.#addresses.get(key);
    if (known !== undefined || file.state.is !== 'done' || !file.state.file) return known;
    const address = URL.createObjectURL(file.state.file);
    this.#addresses.set(key, address);
    return address;
  }

  close(): void {
    for (const address of this.#addresses.values()) URL.revokeObjectURL(address);
  }

  #key(): number {
    this.#keys += 1;
    return this.#keys;
  }

  #add(share: FileTransfer): FileTransfer {
    share.file.on('state', this.#changed);
    share.file.on('progress', this.#changed);
    const over = this.#all.filter(({ file }) => file.state.is === 'closed');
    const stale = new Set(over.slice(0, Math.max(0, over.length - mostOver)));
    this.#all = [...this.#all.filter((one) => !stale.has(one)), share];
    this.#changed();
    return share;
  }
}
