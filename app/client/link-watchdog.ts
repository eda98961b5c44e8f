/** The timeouts of a link: how long an attempt to connect may take, and after how many the link gives up. */
import { Alarm, type Clock } from './clock.ts';

/** In milliseconds, except `tries`. */
export type LinkTiming = {
  /** Connect timeout after the last signal of either side; each further try adds half of it. */
  connect: number;
  /** Connections after the first before the link counts as failed. */
  tries: number;
  /** Delay before ICE is restarted after a disconnection; most disconnections recover by themselves. */
  disconnected: number;
};
export const usualLinkTiming: LinkTiming = { connect: 10_000, tries: 3, disconnected: 2_000 };

export class LinkWatchdog {
  #timing: LinkTiming;
  #alarm: Alarm;
  #tries = 0;
  /** The generation from which tries are counted. */
  #baseGeneration = 1;

  constructor(clock: Clock, timing: LinkTiming) {
    this.#timing = timing;
    this.#alarm = new Alarm(clock);
  }

  /** Counts a generation as a try. Both ends count in the same way, whichever requested it, so that their timeouts keep the intended order. */
  started(generation: number): void {
    this.#tries = Math.min(this.#timing.tries, Math.max(this.#tries, generation - this.#baseGeneration));
  }

  /** Counts another try. @returns false if there were enough */
  tryAgain(): boolean {
    if (this.#tries >= this.#timing.tries) return false;
    this.#tries += 1;
    return true;
  }

  /** Counts tries from this generation on, because it has connected, or because they begin again. */
  reset(generation: number): void {
    this.stop();
    this.#baseGeneration = generation;
    this.#tries = 0;
  }

  /** Calls `onTimeout` unless the link connects in time. */
  awaitConnection(initiator: boolean, onTimeout: () => void): void {
    // The initiator times out first, so that the two sides do not act simultaneously.
    const factor = initiator ? 1 : 1.3;
    this.#alarm.arm(this.#timing.connect * (1 + this.#tries / 2) * factor, onTimeout);
  }

  /** Calls `onTimeout` unless the path recovers by itself. */
  awaitRecovery(factor: number, onTimeout: () => void): void {
    this.#alarm.arm(this.#timing.disconnected * factor, onTimeout);
  }

  stop(): void {
    this.#alarm.disarm();
  }
}
