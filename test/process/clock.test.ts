/** Time, as rooms see it. */
import { expect, test, vi } from 'vitest';
import { steadyClock } from '../../app/process/lifecycle.ts';

test('a clock that is set back or on moves no deadline', () => {
  const before = steadyClock();
  expect(Math.abs(before - Date.now())).toBeLessThan(1000);
  for (const set of [0, Date.now() + 3_600_000]) {
    const system = vi.spyOn(Date, 'now').mockReturnValue(set);
    expect(steadyClock() - before).toBeGreaterThanOrEqual(0);
    expect(steadyClock() - before).toBeLessThan(60_000);
    system.mockRestore();
  }
});
