/** Peers that return to a room that the server has lost, or that they have left: with which id, and from which budget. */
import { expect, test } from 'vitest';
import { createSessions, readSession } from '../../app/auth/session.ts';
import type { Signaling } from '../../app/signaling/context.ts';
import { leaveRoom } from '../../app/signaling/handle-message.ts';
import { joinRoom } from '../../app/signaling/join.ts';
import { addressLimits, testContext } from './test-context.ts';

const hour = 3_600_000;
const start = 1_800_000_000_000;
const sessions = createSessions('the same key over restarts');
const enter = (signaling: Signaling, fields: { session?: string; after?: number } = {}, address = '192.0.2.1') => {
  const until = Number.POSITIVE_INFINITY;
  return joinRoom(signaling, { room: 'hall', message: fields, caller: { address }, until, attach: () => {} });
};
const joined = async (...args: Parameters<typeof enter>) => {
  const entered = await enter(...args);
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

const { burst } = addressLimits().rates.joins;
/** Leaves and returns with the proof of the session, so many times. @returns the last session */
const returns = async (context: Signaling, session: string, times: number): Promise<string> => {
  for (let left = times; left > 0; left -= 1) {
    const first = await joined(context, { session, after: 0 });
    expect(first.self.id).toBe(readSession(session)?.id);
    await leaveRoom(context, 'hall', first.self.id, 'left');
    session = first.session;
  }
  return session;
};

test('a peer that returns to a room that it left by itself pays as for a join', async () => {
  const context = testContext({ sessions, clock: () => start });
  await joined(context, {}, '198.51.100.1');
  const session = await returns(context, sessions.mint('hall', start).session, burst);
  expect(await enter(context, { session, after: 0 })).toMatchObject({ refused: 'rate-limited' });
  expect(await enter(context)).toMatchObject({ refused: 'rate-limited' });
  expect(await joined(context, {}, '198.51.100.2')).toMatchObject({ type: 'joined' });
});

test('peers that return to a lost room pay nothing of the budget for joins, for five minutes', async () => {
  let now = start + hour;
  const context = testContext({ sessions, clock: () => now });
  await joined(context, { session: sessions.mint('hall', start).session, after: 7 });
  now += 5 * 60_000 - 1;
  const session = await returns(context, sessions.mint('hall', start).session, 3 * burst);
  now += 1;
  await returns(context, session, burst);
  expect(await enter(context, { session, after: 0 })).toMatchObject({ refused: 'rate-limited' });
});
