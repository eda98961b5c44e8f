/**
 * Fair shares of the event loop. Node handles everything that has arrived before it looks for more, and accepts one connection in each
 * turn. So a network that sends on many connections at once would hold up all others for as long as its own work takes.
 */

/** Cost of a WebSocket frame and of an HTTP request (about 10 µs each unit), and what a network may use of one turn. */
export const turnCosts = { frame: 1, request: 50, turn: 100 } as const;

/** Requests of one network that may wait for a turn, each a few kB. */
const maxDeferred = 4096;

/** What one network may have done in a turn. */
export type TurnShare = {
  /** @returns false if the share of this turn is used up */
  take(cost: number): boolean;
  /** Calls `work` in a later turn; it has to take its cost itself. Calls are made in order. */
  defer(work: () => void): void;
  /** How much work waits. */
  readonly deferred: number;
};

export class TurnShares {
  readonly #shares = new Map<string, Share>();
  readonly #nextTurn: (work: () => void) => void;
  #isScheduled = false;

  /** @param nextTurn calls its argument in the next turn, `setImmediate` */
  constructor(nextTurn: (work: () => void) => void) {
    this.#nextTurn = nextTurn;
  }

  get size(): number {
    return this.#shares.size;
  }

  /** @param network as of `largestNetwork`  @returns its share, to be used at once */
  of(network: string): TurnShare {
    const share = this.#shares.get(network) ?? new Share();
    this.#shares.set(network, share);
    this.#schedule();
    return share;
  }

  /**
   * Runs the work now, or in a later turn if the network has used up its share.
   * @returns false if too much of its work waits already; then this work is not run
   */
  run(network: string, cost: number, work: () => void): boolean {
    const share = this.of(network);
    if (share.take(cost)) work();
    else if (share.deferred >= maxDeferred) return false;
    else
      share.defer(() => {
        share.take(cost);
        work();
      });
    return true;
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
  readonly #queue: (() => void)[] = [];
  /** How many at the start of the queue were called. */
  #called = 0;

  get deferred(): number {
    return this.#queue.length - this.#called;
  }

  take(cost: number): boolean {
    if (this.#used >= turnCosts.turn) return false;
    this.#used += cost;
    return true;
  }

  defer(work: () => void): void {
    this.#queue.push(work);
  }

  /** @returns whether nothing was deferred */
  beginTurn(): boolean {
    this.#used = 0;
    const { length } = this.#queue;
    if (length === 0) return true;
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
