/** Budgets by address and by seat, with time as an argument. */
import { describe, expect, test } from 'vitest';
import { addressLevels, largestNetwork, smallestNetwork } from '../../app/budgets/address.ts';
import { AddressBudgets, type AddressLimits } from '../../app/budgets/address-budgets.ts';
import { SeatBudget, SeatBudgets } from '../../app/budgets/seat-budgets.ts';
import { type RateLimits, TokenBucket } from '../../app/budgets/token-bucket.ts';

const budgets = (limits: RateLimits, most?: number): AddressBudgets => {
  const rates = { joins: limits, resumes: limits, guesses: limits, lookups: limits, hashes: limits, messages: limits };
  const all: AddressLimits = {
    rates: { ...rates, bytes: limits, replay: limits, refusals: limits, crossSiteRefusals: limits },
    held: { rooms: 2, seats: 3, connections: 4 },
  };
  return new AddressBudgets(all, most);
};

describe('the budgets of an address', () => {
  test('allow a burst, then the rate, and return the time to wait', () => {
    const some = budgets({ rate: 0.5, burst: 3 });
    const take = (now: number) => some.take('joins', '192.0.2.1', now);
    expect([take(0), take(0), take(0), take(0)]).toEqual([0, 0, 0, 2000]);
    expect(take(1500)).toBe(500);
    // A refused request costs nothing.
    expect([take(2000), take(2000)]).toEqual([0, 2000]);
    expect([take(100_000), take(100_000), take(100_000), take(100_000)]).toEqual([0, 0, 0, 2000]);
    expect(some.take('resumes', '192.0.2.1', 100_000)).toBe(0);
  });

  test('keep addresses apart, and take back unused amounts', () => {
    const some = budgets({ rate: 1, burst: 1 });
    const take = (address: string | undefined, now: number) => some.take('joins', address, now);
    expect(take('192.0.2.1', 0)).toBe(0);
    expect([take('192.0.2.1', 0), take('192.0.2.1', 400)]).toEqual([1000, 600]);
    some.giveBack('joins', '192.0.2.1', 400);
    some.giveBack('joins', '192.0.2.1', 400);
    expect([take('192.0.2.1', 400), take('192.0.2.1', 400)]).toEqual([0, 1000]);
    expect(take('192.0.2.2', 0)).toBe(0);
    expect([take(undefined, 0), take('', 0)]).toEqual([0, 1000]);
  });

  test('are shared by each /64, with larger ones for the /56 and the /48 around it', () => {
    const some = budgets({ rate: 1, burst: 10 });
    const taken = (addressOf: (at: number) => string) => {
      let count = 0;
      while (count < 1000 && some.take('joins', addressOf(count), 0) === 0) count += 1;
      return count;
    };
    expect(taken((at) => `2001:db8:1:1::${at.toString(16)}`)).toBe(10);
    expect(taken((at) => `2001:db8:1:${(2 + at).toString(16)}::1`)).toBe(10);
    expect(taken((at) => `2001:db8:1:${(1 + at).toString(16)}00::1`)).toBe(20);
    expect(taken((at) => `2001:db8:2:${at.toString(16)}00::1`)).toBe(40);
  });

  test('refuse until enough has been refilled; the debt is at most one burst', () => {
    const some = budgets({ rate: 1, burst: 2 });
    const isSpent = (address: string, now: number) => some.isSpent('refusals', address, now);
    expect(isSpent('192.0.2.1', 0)).toBe(false);
    for (let times = 0; times < 1000; times += 1) some.charge('refusals', '192.0.2.1', 0);
    expect([0, 2999, 3000].map((now) => isSpent('192.0.2.1', now))).toEqual([true, true, false]);
    // A /64 that owes a burst takes nothing more from its /48, which six others use up.
    for (let times = 0; times < 1000; times += 1) some.charge('refusals', '2001:db8::1', 0);
    expect(isSpent('2001:db8:0:100::1', 0)).toBe(false);
    for (let at = 1; at <= 6; at += 1) some.charge('refusals', `2001:db8:0:${at}00::1`, 0);
    expect([isSpent('2001:db8:0:900::1', 0), isSpent('2001:db8:1::1', 0)]).toEqual([true, false]);
  });

  test('limit held resources at every level until they are released or recounted', () => {
    const some = budgets({ rate: 1, burst: 1 });
    const fits = (address: string) => some.hasRoomFor('rooms', address);
    some.hold('rooms', '2001:db8::1', 2);
    expect([fits('2001:db8::2'), fits('2001:db8:0:1::1'), fits('192.0.2.1')]).toEqual([false, true, true]);
    some.hold('rooms', '2001:db8:0:1::1', 2);
    expect(fits('2001:db8:0:2::1')).toBe(false);
    expect(fits('2001:db8:0:100::1')).toBe(true);
    some.recount(new Map([['2001:db8:0:0::/64', { rooms: 1, seats: 1 }]]));
    expect([fits('2001:db8::2'), fits('2001:db8:0:2::1')]).toEqual([true, true]);
    some.hold('connections', '192.0.2.1', 4);
    expect(some.hasRoomFor('connections', '192.0.2.1')).toBe(false);
    some.hold('connections', '192.0.2.1', -1);
    expect(some.hasRoomFor('connections', '192.0.2.1')).toBe(true);
  });

  test('are dropped when unused, and the longest unused first when there are too many', () => {
    const some = budgets({ rate: 1, burst: 2 }, 3);
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.1', '192.0.2.4'])
      some.take('joins', address, 0);
    expect(some.size).toBe(3);
    some.hold('seats', '192.0.2.3');
    some.sweep(2000);
    expect(some.size).toBe(1);
    some.recount(new Map());
    some.sweep(2000);
    expect(some.size).toBe(0);
  });

  test('are not affected by a clock that is set back', () => {
    const bucket = new TokenBucket({ rate: 1, burst: 5 }, 100_000);
    expect(bucket.take(100_000)).toBe(0);
    expect(bucket.take(40_000)).toBe(0);
    expect(bucket.wait(40_000)).toBe(0);
    expect(bucket.take(40_000, 4)).toBe(1);
    expect(bucket.take(42_000, 1)).toBe(0);
  });

  test.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:0DB8:0001:0102::6', '2001:db8:1:102::/64', '2001:db8:1::/48'],
    ['2001:db8::6', '2001:db8:0:0::/64', '2001:db8:0::/48'],
    ['2001:db8::3:4:5:6', '2001:db8:0:0::/64', '2001:db8:0::/48'],
    ['::1', '0:0:0:0::/64', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0::/48'],
    ['1::', '1:0:0:0::/64', '1:0:0::/48'],
    ['', '', ''],
    [undefined, '', ''],
  ])('%s is in %s and %s', (address, smallest, largest) => {
    expect([smallestNetwork(address), largestNetwork(address)]).toEqual([smallest, largest]);
    // A key is an address of its network.
    for (const key of addressLevels(address)) expect(largestNetwork(key)).toBe(largest);
    expect(smallestNetwork(smallest)).toBe(smallest);
  });
});

describe('the budget of a seat', () => {
  const limits = { rate: 10, burst: 2, byteRate: 1000, byteBurst: 500 };

  test('counts messages and bytes, and refuses when either is used up', () => {
    const seat = new SeatBudget(limits, 0);
    expect([seat.take(1, 0), seat.take(1, 0), seat.take(1, 0)]).toEqual(['within', 'within', 'over']);
    const bytes = new SeatBudget(limits, 0);
    expect([bytes.take(500, 0), bytes.take(100, 0)]).toEqual(['within', 'over']);
    expect(bytes.take(100, 300)).toBe('within');
  });

  test('is far exceeded when the debt is a whole burst', () => {
    const seat = new SeatBudget(limits, 0);
    expect([seat.take(500, 0), seat.take(500, 0), seat.take(1, 0)]).toEqual(['within', 'over', 'far-over']);
    const messages = new SeatBudget(limits, 0);
    expect([1, 2, 3, 4, 5].map(() => messages.take(1, 0))).toEqual(['within', 'within', 'over', 'over', 'far-over']);
  });

  test('outlives the connections that use it', () => {
    const seats = new SeatBudgets(limits);
    const first = seats.open('r', 'a', 0, true);
    first.take(500, 0);
    seats.release('r', 'a');
    seats.sweep(0);
    expect(seats.open('r', 'a', 0, false)).toBe(first);
    expect(seats.open('r', 'b', 0, true)).not.toBe(first);
    seats.release('r', 'a');
    seats.sweep(10_000);
    expect(seats.size).toBe(1);
  });

  test('moved from another worker starts with the amount of one second', () => {
    const seats = new SeatBudgets({ rate: 10, burst: 400, byteRate: 1000, byteBurst: 5000 }, true);
    const taken = (peer: string, isNew: boolean) => {
      const seat = seats.open('r', peer, 0, isNew);
      let count = 0;
      while (seat.take(1, 0) === 'within') count += 1;
      return count;
    };
    expect([taken('a', true), taken('b', false)]).toEqual([400, 10]);
  });
});
