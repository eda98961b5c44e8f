import { expect, test } from 'vitest';
import { pairwise } from './pairwise.ts';

test('every pair of values that is possible occurs, in far fewer rows', () => {
  const rows = [1, 2, 3, 4].flatMap((version) =>
    ['a', 'b', 'c', 'd', 'e'].flatMap((mode) => ['tcp', 'unix'].map((socket) => ({ version, mode, socket }))),
  );
  // Not every combination is possible.
  const possible = rows.filter(({ version, mode }) => version > 1 || mode !== 'e');
  const chosen = pairwise(possible, [({ version }) => version, ({ mode }) => mode, ({ socket }) => socket]);
  const pairs = (some: typeof rows) =>
    new Set(
      some.flatMap(({ version, mode, socket }) => [`${version} ${mode}`, `${version} ${socket}`, `${mode} ${socket}`]),
    );
  expect(pairs(chosen)).toEqual(pairs(possible));
  expect(chosen.length).toBeLessThanOrEqual(20);
  expect(possible).toEqual(expect.arrayContaining(chosen));
});
