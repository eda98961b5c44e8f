/** Assertions whose failure messages state the expected and the actual value. */
import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';

/** Asserts deep equality. @param what names the value */
export const same = (actual: unknown, expected: unknown, what = ''): void => {
  if (!isDeepStrictEqual(actual, expected)) fail(actual, expected, what);
};

/** Asserts that the actual value includes the expected one: objects may have more fields, lists no more items. */
export const matches = (actual: unknown, expected: unknown, what = ''): void => {
  if (!isWithin(actual, expected)) fail(actual, expected, what);
};

/** JSON on one line, truncated. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
};

const fail = (actual: unknown, expected: unknown, what: string): never => {
  const message = `${what && `${what}: `}expected ${shown(expected)}, got ${shown(actual)}`;
  throw new AssertionError({ message, actual, expected });
};

const isWithin = (actual: unknown, expected: unknown): boolean => {
  if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected);
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual) !== Array.isArray(expected)) return false;
  if (Array.isArray(actual) && Array.isArray(expected) && actual.length !== expected.length) return false;
  const has = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(expected).every(([name, value]) => has.has(name) && isWithin(has.get(name), value));
};
