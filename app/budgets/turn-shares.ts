/**
 * Fair shares of the event loop. Node handles everything that has arrived before it looks for more, and accepts one connection in each
 * turn. So a network that sends on many connections at once would hold up all others for as long as its own work takes.
 */

/** Cost of a WebSocket frame and of an HTTP request (about 10 µs each unit), and what a network may use of one turn. */
export const turnCosts = { frame: 1, request: 50, turn: 100 } as const;

/** Requests of one network that may wait for a turn, each a few kB. */
const maxDeferred = 4096;
/** Networks whose use is remembered. */
const maxShares = 1000;

/** What one network may have done before it has to wait for the next turn. */
export type TurnShare = {
  /** @returns false if the share is used up: the work has to be deferred */
  take(cost: number): boolean;
  /** Calls `work` in the next turn, or a later one; it has to take its cost itself. Calls are made in order. */
  defer(work: () => void): void;
  /** How much work waits. */
  readonly deferred: number;
};

/**
 * A share is renewed in the next turn only when half of it is used: most turns have little work, and to renew all shares in each of them
 * would cost a tenth of relaying a message.
 */
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
    return this.#shares.get(network) ?? this.#add(network);
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
    this.#used += cost;
    if (this.#used >= turnCosts.turn / 2) this.#schedule();
    return true;
  }

  defer(work: () => void): void {
    this.#queue.push(work);
    this.#schedule();
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
