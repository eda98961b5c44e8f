/** Buckets by address and by session, with time as an argument. */
import { describe, expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { guess } from '../../app/signaling/admit.ts';
import { Allowance, TokenBucket } from '../../app/signaling/rate.ts';
import { placeOf, Throttle } from '../../app/signaling/throttle.ts';
import { openHouse } from './house.ts';

describe('a throttle', () => {
  test('lets a burst through, then as many as the rate allows, and tells how long to wait', () => {
    const throttle = new Throttle({ rate: 0.5, burst: 3 });
    const take = (now: number) => throttle.take('192.0.2.1', now);
    expect([take(0), take(0), take(0), take(0)]).toEqual([0, 0, 0, 2000]);
    expect(take(1500)).toBe(500);
    // What was refused has cost nothing.
    expect([take(2000), take(2000)]).toEqual([0, 2000]);
    expect([take(100_000), take(100_000), take(100_000), take(100_000)]).toEqual([0, 0, 0, 2000]);
  });
  test('keeps addresses apart, and takes back what was not used up', () => {
    const throttle = new Throttle({ rate: 1, burst: 1 });
    expect(throttle.take('192.0.2.1', 0)).toBe(0);
    expect([throttle.take('192.0.2.1', 0), throttle.take('192.0.2.1', 400)]).toEqual([1000, 600]);
    throttle.giveBack('192.0.2.1', 400);
    throttle.giveBack('192.0.2.1', 400);
    expect([throttle.take('192.0.2.1', 400), throttle.take('192.0.2.1', 400)]).toEqual([0, 1000]);
    expect(throttle.take('192.0.2.2', 0)).toBe(0);
    expect(throttle.take('2001:db8::1', 0)).toBe(0);
    expect(throttle.take('2001:db8::2', 0)).toBe(1000);
    expect(throttle.take('2001:db8:0:1::2', 0)).toBe(0);
    expect([throttle.take(undefined, 0), throttle.take('', 0)]).toEqual([0, 1000]);
  });
  test('forgets whose bucket is full again, and, when it holds too many, who was not there for longest', () => {
    const throttle = new Throttle({ rate: 1, burst: 2 }, 3);
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.1', '192.0.2.4']) throttle.take(address, 0);
    expect(throttle.size).toBe(3);
    throttle.sweep(1000);
    expect(throttle.size).toBe(1);
    throttle.sweep(2000);
    expect(throttle.size).toBe(0);
  });
  test('is not fooled by a clock that is set back', () => {
    const bucket = new TokenBucket({ rate: 1, burst: 5 }, 100_000);
    expect(bucket.take(100_000)).toBe(0);
    expect(bucket.take(40_000)).toBe(0);
    expect(bucket.wait(40_000)).toBe(0);
    expect(bucket.take(40_000, 4)).toBe(1);
    expect(bucket.take(42_000, 1)).toBe(0);
  });
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8::3:4:5:6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['', ''],
    [undefined, ''],
  ])('%s has the bucket of %s', (address, place) => {
    expect(placeOf(address)).toBe(place);
  });
});

describe('what a session may send', () => {
  const limits = { rate: 10, burst: 2, byteRate: 1000, byteBurst: 500 };
  test('is counted in messages and in bytes, whichever is used up first', () => {
    const allowance = new Allowance(limits, 0);
    expect([allowance.take(1, 0), allowance.take(1, 0), allowance.take(1, 0)]).toEqual(['within', 'within', 'over']);
    const bytes = new Allowance(limits, 0);
    expect([bytes.take(500, 0), bytes.take(100, 0)]).toEqual(['within', 'over']);
    expect(bytes.take(100, 300)).toBe('within');
  });
  test('is far over when a whole burst is owed', () => {
    const allowance = new Allowance(limits, 0);
    expect([allowance.take(500, 0), allowance.take(500, 0), allowance.take(1, 0)]).toEqual([
      'within',
      'over',
      'far-over',
    ]);
    const messages = new Allowance(limits, 0);
    expect([1, 2, 3, 4, 5].map(() => messages.take(1, 0))).toEqual(['within', 'within', 'over', 'over', 'far-over']);
  });
});

test('passcodes tried at the same time are as many tries, and a right one costs nothing', async () => {
  const { attempts, clock, ...door } = openHouse();
  const by = (attempt: () => Promise<object>) => guess({ ...door, attempts, clock }, { address: '192.0.2.1' }, attempt);
  const wrong = async () => refuse('wrong-passcode');
  const many = await Promise.all(Array.from({ length: 12 }, () => by(wrong)));
  expect(many.filter((outcome) => 'refused' in outcome && outcome.refused === 'wrong-passcode')).toHaveLength(9);
  expect(many.at(-1)).toMatchObject({ refused: 'rate-limited', retry: expect.any(Number) });
  for (let n = 0; n < 30; n += 1) expect(await guess(openHouse(), { address: '' }, async () => ({}))).toEqual({});
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
