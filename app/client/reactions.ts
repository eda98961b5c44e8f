/** Reactions: a few characters to everyone, over the data channels. Both sides drop what exceeds the rate limit. */

import { isObject } from './link-signal.ts';

/** Maximum characters of a reaction. */
const maxLength = 64;

/** @throws RangeError if it is empty or too long */
export const encodeReaction = (text: string): string => {
  if (!isValid(text)) throw new RangeError(`a reaction has 1 to ${maxLength} characters`);
  return JSON.stringify({ reaction: text });
};

/** The reaction in a peer's data; undefined if it contains none. */
export const reactionOf = (data: unknown): string | undefined =>
  isObject(data) && typeof data.reaction === 'string' && isValid(data.reaction) ? data.reaction : undefined;

const isValid = (text: string): boolean => text.length > 0 && text.length <= maxLength;
