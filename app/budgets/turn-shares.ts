/**
 * Fair shares of the event loop. Node handles everything that has arrived before it looks for more, and accepts one connection in each
 * turn. So a network that sends on many connections at once would hold up all others for as long as its own work takes.
 */

/**
 * Costs in units of about 10 µs, and what a network may use of one turn. `headerLine`: of a request's head, in addition to `request`.
 * `kilobyte`: of whatever is parsed. `chunk`: of a chunked body. `event`: of a room, searched and sent again.
 */
export const turnCosts = {
  ...{ frame: 1, request: 50, headerLine: 0.4, kilobyte: 0.2, chunk: 0.3, event: 0.2 },
  turn: 100,
} as const;

/** @param bytes of its head  @param lines of its head */
export const requestCost = (bytes: number, lines: number): number =>
  turnCosts.request + lines * turnCosts.headerLine + (bytes / 1024) * turnCosts.kilobyte;

/** Requests of one network that may wait for a turn, and their bytes; and the bytes of those of all networks. */
const maxDeferred = 4096;
const maxDeferredBytes = 16 * 1024 * 1024;
const maxDeferredInAll = 4 * maxDeferredBytes;
/** Bytes that each network may have waiting when those of all networks have reached the limit. */
const reserved = 64 * 1024;
/** Networks whose use is remembered. */
const maxShares = 1000;

/** What one network may have done before it has to wait for the next turn. */
export type TurnShare = {
  /** @returns false if the share is used up: the work has to be deferred */
  take(cost: number): boolean;
  /** Counts work that is done already. If it was more than the share of one turn, the rest is taken from the next turns. */
  charge(cost: number): void;
  /** Calls `work` in the next turn, or a later one; it has to take its cost itself. Calls are made in order. */
  defer(work: () => void): void;
};

/** Work that may have to wait; `bytes`: memory that it needs while it waits. */
type Deferrable = { cost: number; bytes: number };

/**
 * A share is renewed in the next turn only when half of it is used: most turns have little work, and to renew all shares in each of them
 * would cost a tenth of relaying a message.
 */
export class TurnShares {
  readonly #shares = new Map<string, Share>();
  readonly #nextTurn: (work: () => void) => void;
  #isScheduled = false;
  #deferredBytes = 0;

  /** @param nextTurn calls its argument in the next turn, `setImmediate` */
  constructor(nextTurn: (work: () => void) => void) {
    this.#nextTurn = nextTurn;
  }

  get size(): number {
    return this.#shares.size;
  }

  /** @param network as of `largestNetwork`  @returns its share, to be used at once */
  of(network: string): TurnShare {
    return this.#shares.get(network) ?? this.#add(network);
  }

  /**
   * Runs the work now, or in a later turn if the network has used up its share.
   * @returns false if too much of its work waits already; then this work is not run
   */
  run(network: string, { cost, bytes }: Deferrable, work: () => void): boolean {
    const share = this.#shares.get(network) ?? this.#add(network);
    if (share.take(cost)) {
      work();
      return true;
    }
    if (!this.#mayDefer(share, bytes)) return false;
    this.#count(share, bytes);
    share.defer(() => {
      this.#count(share, -bytes);
      share.charge(cost);
      work();
    });
    return true;
  }

  #mayDefer({ deferred, deferredBytes }: Share, bytes: number): boolean {
    if (deferred >= maxDeferred || deferredBytes + bytes > maxDeferredBytes) return false;
    return this.#deferredBytes + bytes <= maxDeferredInAll || deferredBytes + bytes <= reserved;
  }

  #count(share: Share, bytes: number): void {
    share.deferredBytes += bytes;
    this.#deferredBytes += bytes;
  }

  #add(network: string): Share {
    if (this.#shares.size >= maxShares) this.#schedule();
    const share = new Share(() => this.#schedule());
    this.#shares.set(network, share);
    return share;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => {
      this.#isScheduled = false;
      try {
        for (const [network, share] of this.#shares) if (share.beginTurn()) this.#shares.delete(network);
      } finally {
        if (this.#shares.size > 0) this.#schedule();
      }
    });
  }
}

class Share implements TurnShare {
  #used = 0;
  /** Memory of what waits and was counted. */
  deferredBytes = 0;
  readonly #queue: (() => void)[] = [];
  /** How many at the start of the queue were called. */
  #called = 0;
  readonly #schedule: () => void;

  /** @param schedule called when it has to be renewed in the next turn */
  constructor(schedule: () => void) {
    this.#schedule = schedule;
  }

  get deferred(): number {
    return this.#queue.length - this.#called;
  }

  take(cost: number): boolean {
    if (this.#used >= turnCosts.turn) return false;
    this.charge(cost);
    return true;
  }

  charge(cost: number): void {
    this.#used += cost;
    if (this.#used >= turnCosts.turn / 2) this.#schedule();
  }

  defer(work: () => void): void {
    this.#queue.push(work);
    this.#schedule();
  }

  /** @returns whether it is as if new */
  beginTurn(): boolean {
    this.#used = Math.max(0, this.#used - turnCosts.turn);
    const { length } = this.#queue;
    if (length === 0) return this.#used === 0;
    // Work that is deferred meanwhile waits for the next turn.
    while (this.#called < length && this.#used < turnCosts.turn) {
      this.#called += 1;
      this.#queue[this.#called - 1]?.();
    }
    // Now and then, because each removal copies the rest.
    if (this.#called * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#called);
      this.#called = 0;
    }
    return false;
  }
}
