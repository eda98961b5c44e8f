/** The budget for bytes that wait in memory; what it closes in practice: test/signaling/unsent.test.ts, test/listener/http/input.test.ts. */
import { expect, test } from 'vitest';
import { UnsentBytes } from '../../app/budgets/unsent-bytes.ts';

test('counters are called at each enforcement, and early when much was received', () => {
  const unsent = new UnsentBytes(1000);
  let counted = 0;
  let closed = 0;
  const counter = () => {
    counted += 1;
    const close = () => {
      closed += 1;
    };
    unsent.count('network', { bytes: 1001, isEnding: false, close });
  };
  unsent.addCounter(counter);
  unsent.transferred(900);
  expect(counted).toBe(0);
  unsent.transferred(200);
  expect([counted, closed]).toEqual([1, 1]);
  unsent.transferred(900);
  unsent.enforce();
  expect([counted, closed]).toEqual([2, 2]);
  unsent.removeCounter(counter);
  unsent.enforce();
  expect(counted).toBe(2);
});
