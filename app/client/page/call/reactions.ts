/** Reactions, shown on the sender's tile for some seconds. */

export const choices = ['👍', '👏', '❤️', '😂', '😮', '🎉'] as const;

const duration = 4_000;

export class Reactions {
  #shown = new Map<string, string>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** The current reaction of this peer, or of `self`. */
  of(peer: string): string | undefined {
    return this.#shown.get(peer);
  }

  show(peer: string, text: string): void {
    clearTimeout(this.#timers.get(peer));
    this.#shown.set(peer, text);
    const timer = setTimeout(() => {
      this.#shown.delete(peer);
      this.#timers.delete(peer);
      this.#changed();
    }, duration);
    this.#timers.set(peer, timer);
    this.#changed();
  }
}
