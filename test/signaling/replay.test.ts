/** Events that are sent again: what they cost the network of the client that asks for them. */
import { expect, test } from 'vitest';
import { turnCosts } from '../../app/budgets/turn-shares.ts';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { countReplay } from '../../app/signaling/replay.ts';
import { testContext } from './test-context.ts';

test('many small events take the time of the network, in this turn and in the next ones', async () => {
  const signaling = testContext();
  const { seats, turns } = signaling;
  const seat = seats.open('room', 'peer', 0, true);
  const entry: RoomLogEntry = { seq: 1, at: 0, event: { type: 'peer-left', peer: 'other', reason: 'left' } };
  const count = (3 * turnCosts.turn) / turnCosts.event;
  countReplay(
    signaling,
    seat,
    { address: '203.0.113.7', token: undefined, crossSite: false },
    Array(count).fill(entry),
  );
  expect(turns.of('203.0.113.8').take(1)).toBe(true);
  for (const isFree of [false, false, false, true]) {
    expect(turns.of('203.0.113.7').take(1)).toBe(isFree);
    await new Promise((resolve) => setImmediate(resolve));
  }
});
