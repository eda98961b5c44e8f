/** Short messages: shown for some seconds, and announced by screen readers. */

/** `announceOnly`: for screen readers only, because the screen shows it elsewhere. */
export type Toast = Readonly<{ key: number; text: string; announceOnly: boolean }>;

const duration = 5_000;
const mostShown = 3;

export class Toasts {
  #shown: readonly Toast[] = [];
  #changed: () => void;
  #keys = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get shown(): readonly Toast[] {
    return this.#shown;
  }

  show(text: string, announceOnly = false): void {
    this.#keys += 1;
    const toast = { key: this.#keys, text, announceOnly };
    this.#shown = [...this.#shown.slice(1 - mostShown), toast];
    setTimeout(() => {
      this.#shown = this.#shown.filter((other) => other !== toast);
      this.#changed();
    }, duration);
    this.#changed();
  }
}
