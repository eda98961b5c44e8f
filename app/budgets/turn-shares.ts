/**
 * Fair shares of the event loop. Node handles everything that has arrived before it looks for more, and accepts one connection in each
 * turn. So a network that sends on many connections at once would hold up all others for as long as its own work takes.
 */
/** Cost of a WebSocket frame and of an HTTP request (about 10 µs each unit), and what a network may use of one turn. */
export const turnCosts = { frame: 1, request: 50, turn: 100 } as const;

/** What one network may have done in a turn. */
export type TurnShare = {
  /** @returns false if the share of this turn is used up */
  take(cost: number): boolean;
  /** Calls `work` in a later turn; it has to take its cost itself. Calls are made in order. */
  defer(work: () => void): void;
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

  /** Runs the work now, or in a later turn if the network has used up its share. */
  run(network: string, cost: number, work: () => void): void {
    const share = this.of(network);
    if (share.take(cost)) work();
    else
      share.defer(() => {
        share.take(cost);
        work();
      });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextTurn(() => {
      this.#isScheduled = false;
      for (const [network, share] of this.#shares) if (share.beginTurn()) this.#shares.delete(network);
      if (this.#shares.size > 0) this.#schedule();
    });
  }
}

class Share implements TurnShare {
  #used = 0;
  #deferred: (() => void)[] = [];

  take(cost: number): boolean {
    if (this.#used >= turnCosts.turn) return false;
    this.#used += cost;
    return true;
  }

  defer(work: () => void): void {
    this.#deferred.push(work);
  }

  /** @returns whether nothing was deferred */
  beginTurn(): boolean {
    this.#used = 0;
    if (this.#deferred.length === 0) return true;
    const deferred = this.#deferred;
    this.#deferred = [];
    let next = 0;
    for (; next < deferred.length && this.#used < turnCosts.turn; next += 1) deferred[next]?.();
    this.#deferred = [...deferred.slice(next), ...this.#deferred];
    return false;
  }
}
