/** Reactions: a few characters to everyone at once, over the data channels; what comes too fast is dropped on both sides. */

import { isObject } from './link-signal.ts';

/** Characters of one. */
const longest = 64;

/** @throws RangeError when it is empty or too long */
export const encodeReaction = (text: string): string => {
  if (!isFit(text)) throw new RangeError(`a reaction has 1 to ${longest} characters`);
  return JSON.stringify({ reaction: text });
};

/** The reaction in what a peer sent; undefined when it is something else. */
export const reactionOf = (data: unknown): string | undefined =>
  isObject(data) && typeof data.reaction === 'string' && isFit(data.reaction) ? data.reaction : undefined;

const isFit = (text: string): boolean => text.length > 0 && text.length <= longest;
