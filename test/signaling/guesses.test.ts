/** Guesses of passcodes, limited by address and by room, and claims. */
import { expect, test } from 'vitest';
import { AddressBudgets } from '../../app/budgets/address-budgets.ts';
import { refuse } from '../../app/protocol/errors.ts';
import { type Caller, chargeGuess, settleGuess } from '../../app/signaling/authorize.ts';
import type { Signaling } from '../../app/signaling/context.ts';
import { addressLimits, testContext } from './test-context.ts';

const guess = async (
  signaling: Signaling,
  room: string,
  caller: Caller,
  attempt: () => Promise<object>,
): Promise<object> => {
  const refusal = chargeGuess(signaling, room, caller);
  if (refusal) return refusal;
  const outcome = await attempt();
  settleGuess(signaling, room, caller, outcome);
  return outcome;
};

test('concurrent wrong passcodes count as attempts each, and a right one costs nothing', async () => {
  const context = testContext();
  const by = (attempt: () => Promise<object>) => guess(context, 'room', { address: '192.0.2.1' }, attempt);
  const wrong = async () => refuse('wrong-passcode');
  const many = await Promise.all(Array.from({ length: 12 }, () => by(wrong)));
  expect(many.filter((outcome) => 'refused' in outcome && outcome.refused === 'wrong-passcode')).toHaveLength(9);
  expect(many.at(-1)).toMatchObject({ refused: 'rate-limited', retry: expect.any(Number) });
  for (let n = 0; n < 30; n += 1)
    expect(await guess(testContext(), 'room', { address: '' }, async () => ({}))).toEqual({});
  expect(await by(async () => ({}))).toMatchObject({ refused: 'rate-limited' });
});

test('a claim in the memory store belongs to one caller, until it expires or is released', async () => {
  let now = 0;
  const store = testContext({ clock: () => now }).store;
  expect([await store.claim('a', 10), await store.claim('a', 10), await store.claim('b', 10)]).toEqual([
    true,
    false,
    true,
  ]);
  await store.release('a');
  expect([await store.claim('a', 10), await store.claim('a', 10)]).toEqual([true, false]);
  now = 9;
  await store.sweep();
  expect(await store.claim('a', 10)).toBe(false);
  now = 10;
  await store.sweep();
  expect(await store.claim('a', 20)).toBe(true);
});

test('a room with many guesses refuses only addresses that guessed wrong', async () => {
  const context = testContext();
  const wrong = async () => refuse('wrong-passcode');
  const by = (address: string, attempt: () => Promise<object> = wrong) => guess(context, 'room', { address }, attempt);
  // Each address has nine guesses, the room twenty.
  for (let at = 0; at < 20; at += 1) expect(await by(`192.0.2.${at % 5}`)).toMatchObject({ refused: 'wrong-passcode' });
  expect(await by('192.0.2.1', async () => ({}))).toMatchObject({ refused: 'rate-limited', detail: 'for this room' });
  expect(await by('198.51.100.1', async () => ({}))).toEqual({});
  expect(await guess(context, 'another', { address: '192.0.2.1' }, async () => ({}))).toEqual({});
});

test('wrong guesses from ever more addresses lengthen the wait of a room only up to a limit', async () => {
  let now = 0;
  const { rates, ...limits } = addressLimits();
  const addresses = new AddressBudgets({ ...limits, rates: { ...rates, guesses: { rate: 0.001, burst: 9 } } });
  const context = testContext({ clock: () => now, addresses });
  const wrong = async () => refuse('wrong-passcode');
  for (let at = 0; at < 5000; at += 1)
    expect(await guess(context, 'room', { address: `10.0.${at >> 8}.${at & 255}` }, wrong)).toMatchObject({
      refused: 'wrong-passcode',
    });
  // Of a peer that has mistyped once. The room has twenty guesses, owes as many, and regains one a second.
  const again = () => guess(context, 'room', { address: '10.0.0.1' }, wrong);
  expect(await again()).toMatchObject({ refused: 'rate-limited', detail: 'for this room', retry: 21_000 });
  now = 5000;
  await guess(context, 'room', { address: '192.0.2.1' }, wrong);
  expect(await again()).toMatchObject({ refused: 'rate-limited', retry: 17_000 });
  now = 30_000;
  await guess(context, 'room', { address: '192.0.2.1' }, wrong);
  expect(await again()).toMatchObject({ refused: 'wrong-passcode' });
});

test('guesses from many networks of one /48 are counted together', async () => {
  const context = testContext();
  const outcomes: unknown[] = [];
  for (let at = 0; at < 200; at += 1)
    outcomes.push(
      await guess(context, `room-${at}`, { address: `2001:db8:1:${at.toString(16)}00::1` }, async () =>
        refuse('wrong-passcode'),
      ),
    );
  // Four times the nine of one address.
  expect(outcomes.filter((one) => (one as { refused: string }).refused === 'wrong-passcode')).toHaveLength(36);
});
