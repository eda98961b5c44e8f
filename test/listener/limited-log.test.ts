/** The lines about refused requests in the log: limited per second, with the number of those left out. */
import { expect, test } from 'vitest';
import { limitedLog } from '../../app/listener/limited-log.ts';

test('no more than 20 lines a second are logged, then the number of those left out', () => {
  let now = 0;
  const lines: [object, string][] = [];
  const log = limitedLog({ warn: (...line) => void lines.push(line) }, () => now);
  for (let nth = 0; nth < 500; nth += 1) log.warn({ nth }, 'refused');
  expect(lines).toHaveLength(20);
  now = 1000;
  log.warn({}, 'refused');
  expect(lines.slice(20)).toEqual([
    [{ omitted: 480 }, expect.stringContaining('left out')],
    [{}, 'refused'],
  ]);
  now = 2000;
  log.warn({}, 'refused');
  expect(lines).toHaveLength(23);
});
