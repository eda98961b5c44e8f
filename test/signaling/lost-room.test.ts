/** Peers that come back to a room that the server has lost: for a day with the same id, then with a new one. */
import { expect, test } from 'vitest';
import { createSessions } from '../../app/auth/session.ts';
import type { Signaling } from '../../app/signaling/context.ts';
import { joinRoom } from '../../app/signaling/join.ts';
import { testContext } from './test-context.ts';

const hour = 3_600_000;
const start = 1_800_000_000_000;
const sessions = createSessions('the same key over restarts');
const joined = async (signaling: Signaling, fields: { session?: string; after?: number } = {}) => {
  const caller = { address: '192.0.2.1' };
  const until = Number.POSITIVE_INFINITY;
  const entered = await joinRoom(signaling, { room: 'hall', message: fields, caller, until, attach: () => {} });
  if ('refused' in entered) throw new Error(entered.refused);
  return entered.first;
};

test.each([
  [23, 'the same'],
  [25, 'another'],
])('%s hours after its session was issued, a peer has %s id', async (hours, which) => {
  const first = await joined(testContext({ sessions, clock: () => start }));
  const restarted = testContext({ sessions, clock: () => start + hours * hour });
  const back = await joined(restarted, { session: first.session, after: first.seq });
  expect(back).toMatchObject({ type: 'joined', recovered: false });
  expect(back.self.id === first.self.id ? 'the same' : 'another').toBe(which);
});

test('a room that was not lost accepts its sessions as long as it exists', async () => {
  let now = start;
  const context = testContext({ sessions, clock: () => now });
  const { session, seq, self } = await joined(context);
  now += 100 * hour;
  expect(await joined(context, { session, after: seq })).toMatchObject({ recovered: true, self: { id: self.id } });
});
