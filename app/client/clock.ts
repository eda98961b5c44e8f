/** Time and chance as the library asks for them, so that tests can be in charge of both. */

export type Timer = object | number;
export type Clock = {
  /** Milliseconds from an arbitrary beginning; never goes back. */
  readonly now: number;
  setTimeout(run: () => void, milliseconds: number): Timer;
  clearTimeout(timer: Timer): void;
  /** From 0 to just under 1. */
  random(): number;
};

export const browserClock: Clock = {
  get now() {
    return performance.now();
  },
  setTimeout: (run, milliseconds) => globalThis.setTimeout(run, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
  random: Math.random,
};

/** One timer that is armed anew, disarmed, and never runs twice at once. */
export class Alarm {
  #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get armed(): boolean {
    return this.#timer !== undefined;
  }

  arm(milliseconds: number, run: () => void): void {
    this.disarm();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      run();
    }, milliseconds);
  }

  disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
