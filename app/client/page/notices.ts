/** What is said once, by a screen reader and for some seconds on the screen. */

export type Notice = Readonly<{ key: number; text: string }>;

const lasts = 5_000;
const most = 3;

export class Notices {
  #shown: readonly Notice[] = [];
  #changed: () => void;
  #keys = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get shown(): readonly Notice[] {
    return this.#shown;
  }

  say(text: string): void {
    this.#keys += 1;
    const notice = { key: this.#keys, text };
    this.#shown = [...this.#shown.slice(1 - most), notice];
    setTimeout(() => {
      this.#shown = this.#shown.filter((other) => other !== notice);
      this.#changed();
    }, lasts);
    this.#changed();
  }
}
