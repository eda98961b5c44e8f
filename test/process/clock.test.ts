/** The clock of rooms. */
import { expect, test, vi } from 'vitest';
import { steadyClock } from '../../app/process/lifecycle.ts';

test('a change of the system clock does not move deadlines', () => {
  const before = steadyClock();
  expect(Math.abs(before - Date.now())).toBeLessThan(1000);
  for (const set of [0, Date.now() + 3_600_000]) {
    const system = vi.spyOn(Date, 'now').mockReturnValue(set);
    expect(steadyClock() - before).toBeGreaterThanOrEqual(0);
    expect(steadyClock() - before).toBeLessThan(60_000);
    system.mockRestore();
  }
});
