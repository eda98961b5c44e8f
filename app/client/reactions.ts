/** Reactions: a few characters to everyone at once, over the data channels; what comes too fast is dropped on both sides. */

/** Characters of one, how many may come at once, and milliseconds until there may be one more. */
const longest = 64;
const burst = 8;
const refill = 250;

/** A bucket of tokens: `take()` says whether there was one. */
export class Bucket {
  #tokens = burst;
  #at = performance.now();

  take(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#at) / refill);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** @throws RangeError when it is empty or too long */
export const encodeReaction = (text: string): string => {
  if (!isFit(text)) throw new RangeError(`a reaction has 1 to ${longest} characters`);
  return JSON.stringify({ reaction: text });
};

/** The reaction in a peer's data; undefined when it is something else. */
export const reactionOf = (data: unknown): string | undefined => {
  const { reaction } = objectOf(data);
  return typeof reaction === 'string' && isFit(reaction) ? reaction : undefined;
};

/** The fields of a JSON object in text from a peer; none when it is no such thing. */
export const objectOf = (data: unknown): Record<string, unknown> => {
  try {
    return typeof data === 'string' ? { ...JSON.parse(data) } : {};
  } catch {
    return {};
  }
};

const isFit = (text: string): boolean => text.length > 0 && text.length <= longest;
