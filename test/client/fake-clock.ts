/** A clock that moves only when the test moves it, and a random source that always returns the middle. */
import type { Clock } from '../../app/client/clock.ts';

type Due = { at: number; run: () => void };

export class FakeClock implements Clock {
  #now = 0;
  #due = new Map<number, Due>();
  #last = 0;

  get now(): number {
    return this.#now;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#due.size;
  }

  setTimeout(run: () => void, milliseconds: number): number {
    this.#last += 1;
    this.#due.set(this.#last, { at: this.#now + milliseconds, run });
    return this.#last;
  }

  clearTimeout(timer: object | number): void {
    this.#due.delete(Number(timer));
  }

  random(): number {
    return 0.5;
  }

  /** Runs the timers due within the next `milliseconds`, in order, and lets promises settle before and in between. */
  async pass(milliseconds: number): Promise<void> {
    await settled();
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#due].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      this.#now = Math.max(this.#now, next[1].at);
      this.#due.delete(next[0]);
      next[1].run();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

/** Resolves when all promises and tasks that can settle now have done so. */
export const settled = async (): Promise<void> => {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
};
