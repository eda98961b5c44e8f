/** Reactions as they are shown: on the tile of whoever sent one, for some seconds. */

export const choices = ['👍', '👏', '❤️', '😂', '😮', '🎉'] as const;

const lasts = 4_000;

export class Reactions {
  #shown = new Map<string, string>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** What this peer, or `self`, shows now. */
  of(who: string): string | undefined {
    return this.#shown.get(who);
  }

  show(who: string, text: string): void {
    clearTimeout(this.#timers.get(who));
    this.#shown.set(who, text);
    const timer = setTimeout(() => {
      this.#shown.delete(who);
      this.#timers.delete(who);
      this.#changed();
    }, lasts);
    this.#timers.set(who, timer);
    this.#changed();
  }
}
