/** Guesses at passcodes, by address and by room, and claims. */
import { expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { guess } from '../../app/signaling/authorize.ts';
import { openHouse } from './house.ts';

test('passcodes tried at the same time are as many tries, and a right one costs nothing', async () => {
  const door = openHouse();
  const by = (attempt: () => Promise<object>) => guess(door, 'room', { address: '192.0.2.1' }, attempt);
  const wrong = async () => refuse('wrong-passcode');
  const many = await Promise.all(Array.from({ length: 12 }, () => by(wrong)));
  expect(many.filter((outcome) => 'refused' in outcome && outcome.refused === 'wrong-passcode')).toHaveLength(9);
  expect(many.at(-1)).toMatchObject({ refused: 'rate-limited', retry: expect.any(Number) });
  for (let n = 0; n < 30; n += 1)
    expect(await guess(openHouse(), 'room', { address: '' }, async () => ({}))).toEqual({});
  expect(await by(async () => ({}))).toMatchObject({ refused: 'rate-limited' });
});

test('a claim in the memory store is had by one, until its time or until it is given back', async () => {
  let now = 0;
  const store = openHouse({ clock: () => now }).store;
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

test('a room at which many guess turns away who has guessed wrong, and nobody else', async () => {
  const door = openHouse();
  const wrong = async () => refuse('wrong-passcode');
  const by = (address: string, attempt: () => Promise<object> = wrong) => guess(door, 'room', { address }, attempt);
  // Each address has nine guesses, the room twenty.
  for (let at = 0; at < 20; at += 1) expect(await by(`192.0.2.${at % 5}`)).toMatchObject({ refused: 'wrong-passcode' });
  expect(await by('192.0.2.1', async () => ({}))).toMatchObject({ refused: 'rate-limited', detail: 'for this room' });
  expect(await by('198.51.100.1', async () => ({}))).toEqual({});
  expect(await guess(door, 'another', { address: '192.0.2.1' }, async () => ({}))).toEqual({});
});

test('guesses from many networks of one /48 are counted together', async () => {
  const door = openHouse();
  const outcomes: unknown[] = [];
  for (let at = 0; at < 200; at += 1)
    outcomes.push(
      await guess(door, `room-${at}`, { address: `2001:db8:1:${at.toString(16)}00::1` }, async () =>
        refuse('wrong-passcode'),
      ),
    );
  // Four times the nine of one address.
  expect(outcomes.filter((one) => (one as { refused: string }).refused === 'wrong-passcode')).toHaveLength(36);
});
