/** Peers that come back to a room that the server has lost: for a day under the id of before, then as anybody. */
import { expect, test } from 'vitest';
import { createSessions } from '../../app/auth/session.ts';
import type { Signaling } from '../../app/signaling/context.ts';
import { joinRoom } from '../../app/signaling/join.ts';
import { openHouse } from './house.ts';

const hour = 3_600_000;
const start = 1_800_000_000_000;
const sessions = createSessions('the same key over restarts');
const joined = async (signaling: Signaling, fields: { session?: string; after?: number } = {}) => {
  const caller = { address: '192.0.2.1' };
  const entered = await joinRoom(signaling, 'hall', fields, Number.POSITIVE_INFINITY, () => {}, caller);
  if ('refused' in entered) throw new Error(entered.refused);
  return entered.first;
};

test.each([
  [23, 'the same'],
  [25, 'another'],
])('%s hours after its session was given, a peer has %s id', async (hours, which) => {
  const first = await joined(openHouse({ sessions, clock: () => start }));
  const restarted = openHouse({ sessions, clock: () => start + hours * hour });
  const back = await joined(restarted, { session: first.session, after: first.seq });
  expect(back).toMatchObject({ type: 'joined', recovered: false });
  expect(back.self.id === first.self.id ? 'the same' : 'another').toBe(which);
});

test('a room that was not lost knows its sessions for as long as it lives', async () => {
  let now = start;
  const house = openHouse({ sessions, clock: () => now });
  const { session, seq, self } = await joined(house);
  now += 100 * hour;
  expect(await joined(house, { session, after: seq })).toMatchObject({ recovered: true, self: { id: self.id } });
});
