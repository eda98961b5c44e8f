/** The budget for bytes that wait in memory: which connections are closed when those of an address or of the process have too many. */

/**
 * A connection with unsent bytes; `bytes`: their memory. `close` ends it; if it is ending already (`isEnding`), `close` destroys it,
 * which frees its memory without waiting for the client.
 */
type SlowConnection = { bytes: number; isEnding: boolean; close: () => void };
type Network = { bytes: number; connections: SlowConnection[] };

/** Multiple of the limit of one network that all networks may have together. */
const processScale = 4;
/** Share of its bytes to which the network with the most is reduced, again and again until the total is within its limit. */
const step = 0.9;

/** Bytes of memory that Node uses for a write that waits, besides its data. For short messages, this is most of their memory. */
const writeOverhead = 256;

/** The memory of unsent bytes. @param writes since the connection last had nothing unsent, which may be more than wait now */
export const unsentMemory = (bytes: number, writes: number): number => bytes + writes * writeOverhead;

/** Bytes of memory for each header of a request, besides its text. */
const headerOverhead = 256;

/** The memory of the head of a request. @param lines its number of lines */
export const headMemory = (bytes: number, lines: number): number => bytes + lines * headerOverhead;

export class UnsentBytes {
  #networks = new Map<string, Network>();
  #total = 0;
  #transferred = 0;
  readonly #counters = new Set<() => void>();
  readonly #limit: number;

  /** @param limit bytes for one network (IPv4 address, IPv6 /48) */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param counter called by `enforce`: calls `count` for its connections */
  addCounter(counter: () => void): void {
    this.#counters.add(counter);
  }

  removeCounter(counter: () => void): void {
    this.#counters.delete(counter);
  }

  /** Enforces the limits early if so much was received, or given out to be sent, that one network may be over its limit. */
  transferred(bytes: number): void {
    this.#transferred += bytes;
    if (this.#transferred > this.#limit) this.enforce();
  }

  /** Call it for every connection with unsent bytes, then `enforce`. */
  count(name: string, connection: SlowConnection): void {
    const network = this.#networks.get(name) ?? { bytes: 0, connections: [] };
    network.bytes += connection.bytes;
    network.connections.push(connection);
    this.#networks.set(name, network);
    this.#total += connection.bytes;
  }

  /** Closes connections until what was counted is within all limits, and forgets what was counted. */
  enforce(): void {
    this.#transferred = 0;
    for (const counter of this.#counters) counter();
    if (this.#total === 0) return;
    for (const network of this.#networks.values()) this.#reduce(network, this.#limit);
    while (this.#total > processScale * this.#limit) this.#reduceLargest();
    this.#networks = new Map();
    this.#total = 0;
  }

  #reduceLargest(): void {
    let largest: Network = { bytes: 0, connections: [] };
    for (const network of this.#networks.values()) if (network.bytes > largest.bytes) largest = network;
    this.#reduce(largest, largest.bytes * step);
  }

  /** Closes connections of a network until at most `bytes` are left: first those that are ending, then those with the most. */
  #reduce(network: Network, bytes: number): void {
    if (network.bytes <= bytes) return;
    // In ascending order, because they are taken from the end.
    network.connections.sort((a, b) => Number(a.isEnding) - Number(b.isEnding) || a.bytes - b.bytes);
    while (network.bytes > bytes) {
      const connection = network.connections.pop();
      if (!connection) return;
      network.bytes -= connection.bytes;
      this.#total -= connection.bytes;
      connection.close();
    }
  }
}
