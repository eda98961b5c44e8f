/** Source of time and randomness, which tests replace. */

export type Timer = object | number;
export type Clock = {
  /** Monotonic time in milliseconds, from an arbitrary origin. */
  readonly now: number;
  setTimeout(run: () => void, milliseconds: number): Timer;
  clearTimeout(timer: Timer): void;
  /** In the range [0, 1). */
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

/** One timer that can be re-armed and disarmed: arming it replaces the previous deadline. */
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

/** Runs an operation immediately when requested, but at most once per `interval` milliseconds; a request meanwhile is run later. */
export class Throttle {
  #alarm: Alarm;
  #interval: number;
  #run: () => void;
  #requested = false;

  constructor(clock: Clock, interval: number, run: () => void) {
    this.#alarm = new Alarm(clock);
    this.#interval = interval;
    this.#run = run;
  }

  request(): void {
    this.#requested = true;
    if (!this.#alarm.armed) this.#next();
  }

  /** Forgets a pending request, and when the operation ran last. */
  cancel(): void {
    this.#requested = false;
    this.#alarm.disarm();
  }

  #next(): void {
    if (!this.#requested) return;
    this.#requested = false;
    this.#alarm.arm(this.#interval, () => this.#next());
    this.#run();
  }
}
