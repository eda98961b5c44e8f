/** Comparisons whose failures read as a sentence: what was wanted, and what was seen. */
import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';

/** Throws unless both are the same through and through. @param what whose value it is */
export const same = (seen: unknown, wanted: unknown, what = ''): void => {
  if (!isDeepStrictEqual(seen, wanted)) fail(seen, wanted, what);
};

/** Throws unless everything that is wanted is there; objects may have more, lists may not be longer. */
export const matches = (seen: unknown, wanted: unknown, what = ''): void => {
  if (!isWithin(seen, wanted)) fail(seen, wanted, what);
};

/** As JSON, on one line and not too long. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
};

const fail = (actual: unknown, expected: unknown, what: string): never => {
  const message = `${what && `${what}: `}wanted ${shown(expected)}, saw ${shown(actual)}`;
  throw new AssertionError({ message, actual, expected });
};

const isWithin = (seen: unknown, wanted: unknown): boolean => {
  if (typeof wanted !== 'object' || wanted === null) return Object.is(seen, wanted);
  if (typeof seen !== 'object' || seen === null || Array.isArray(seen) !== Array.isArray(wanted)) return false;
  if (Array.isArray(seen) && Array.isArray(wanted) && seen.length !== wanted.length) return false;
  const has = new Map<string, unknown>(Object.entries(seen));
  return Object.entries(wanted).every(([name, value]) => has.has(name) && isWithin(has.get(name), value));
};
