/** What is said once, by a screen reader and for some seconds on the screen. */

/** `heard`: only said, because the screen shows it in another place. */
export type Toast = Readonly<{ key: number; text: string; heard: boolean }>;

const lasts = 5_000;
const most = 3;

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

  say(text: string, heard = false): void {
    this.#keys += 1;
    const notice = { key: this.#keys, text, heard };
    this.#shown = [...this.#shown.slice(1 - most), notice];
    setTimeout(() => {
      this.#shown = this.#shown.filter((other) => other !== notice);
      this.#changed();
    }, lasts);
    this.#changed();
  }
}
