/** Time and chance as the library asks for them, so that tests can be in charge of both. */

export type Timer = object | number;
export type Clock = {
  setTimeout(run: () => void, milliseconds: number): Timer;
  clearTimeout(timer: Timer): void;
  /** From 0 to just under 1. */
  random(): number;
};

export const browserClock: Clock = {
  setTimeout: (run, milliseconds) => globalThis.setTimeout(run, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
  random: Math.random,
};

/** One timer that is armed anew, disarmed, and never runs twice at once. */
export class Alarm {
  #clock: Clock;
  #timer: Timer = 0;
  #armed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get armed(): boolean {
    return this.#armed;
  }

  arm(milliseconds: number, run: () => void): void {
    this.disarm();
    this.#armed = true;
    this.#timer = this.#clock.setTimeout(() => {
      this.#armed = false;
      run();
    }, milliseconds);
  }

  disarm(): void {
    if (this.#armed) this.#clock.clearTimeout(this.#timer);
    this.#armed = false;
  }
}
