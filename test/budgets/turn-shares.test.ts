/** Fair shares of the event loop. */
import { expect, test } from 'vitest';
import { TurnShares, turnCosts } from '../../app/budgets/turn-shares.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const requestsPerTurn = turnCosts.turn / turnCosts.request;

test('a network that sends much waits for its next turn, in order, and others do not wait', async () => {
  const turns = new TurnShares(setImmediate);
  const done: number[] = [];
  const total = 2 * requestsPerTurn + 1;
  for (let nth = 0; nth < total; nth += 1)
    turns.run('flood', { cost: turnCosts.request, bytes: 0 }, () => done.push(nth));
  expect(done).toHaveLength(requestsPerTurn);
  let others = 0;
  turns.run('other', { cost: turnCosts.request, bytes: 0 }, () => {
    others += 1;
  });
  expect(others).toBe(1);
  await turn();
  expect(done).toHaveLength(2 * requestsPerTurn);
  await turn();
  expect(done).toEqual(Array.from({ length: total }, (_, nth) => nth));
});

test('what is deferred comes before what arrives later, and deferred work can be deferred again', async () => {
  const turns = new TurnShares(setImmediate);
  const done: string[] = [];
  const read = (name: string, frames: number): void => {
    const share = turns.of('network');
    for (let left = frames; left > 0; left -= 1) {
      if (!share.take(turnCosts.frame)) return share.defer(() => read(name, left));
      if (left === 1) done.push(name);
    }
  };
  read('long', 3 * turnCosts.turn);
  read('short', 1);
  expect(done).toEqual([]);
  await turn();
  // The long one used up this turn as well.
  read('late', 1);
  await turn();
  expect(done).toEqual(['short']);
  await turn();
  await turn();
  expect(done.toSorted()).toEqual(['late', 'long', 'short']);
});

test('what networks have used is forgotten in the next turn when there are many of them, and when one has used half of its share', async () => {
  const turns = new TurnShares(setImmediate);
  for (let nth = 0; nth < 1000; nth += 1) turns.run(`network ${nth}`, { cost: turnCosts.frame, bytes: 0 }, () => {});
  await turn();
  expect(turns.size).toBe(1000);
  turns.run('one more', { cost: turnCosts.frame, bytes: 0 }, () => {});
  await turn();
  expect(turns.size).toBe(0);
  for (let nth = 0; nth < 3; nth += 1) turns.run('busy', { cost: turnCosts.turn, bytes: 0 }, () => {});
  while (turns.size > 0) await turn();
});

test('more work than may wait is not run, and the rest keeps its order', async () => {
  const turns = new TurnShares(setImmediate);
  const done: number[] = [];
  let accepted = 0;
  for (let nth = 0; nth < 10_000; nth += 1)
    if (turns.run('flood', { cost: turnCosts.turn, bytes: 0 }, () => done.push(nth))) accepted += 1;
  expect(accepted).toBe(1 + 4096);
  while (turns.size > 0) await turn();
  expect(done).toEqual(Array.from({ length: accepted }, (_, nth) => nth));
});

test('an error of deferred work does not stop the work of others', async () => {
  const next: (() => void)[] = [];
  const turns = new TurnShares((work) => next.push(work));
  let others = 0;
  for (const network of ['broken', 'other']) {
    turns.run(network, { cost: turnCosts.turn, bytes: 0 }, () => {});
    turns.run(network, { cost: 1, bytes: 0 }, () => {
      if (network === 'broken') throw new Error('broken');
      others += 1;
    });
  }
  expect(() => next.shift()?.()).toThrow('broken');
  next.shift()?.();
  expect(others).toBe(1);
});

test('work that costs more than a turn is paid in the next turns', async () => {
  const turns = new TurnShares(setImmediate);
  turns.of('network').charge(3 * turnCosts.turn);
  let isDone = false;
  turns.run('network', { cost: 1, bytes: 0 }, () => {
    isDone = true;
  });
  for (const expected of [false, false, true]) {
    await turn();
    expect(isDone).toBe(expected);
  }
  while (turns.size > 0) await turn();
});

test('the memory of what waits is limited for each network and for all, and every network may have a little', async () => {
  const turns = new TurnShares(setImmediate);
  const megabyte = 1024 * 1024;
  /** How many of `bytes` each may wait for a network that has used up its turn. */
  const waiting = (network: string, bytes: number, tries: number) => {
    turns.of(network).charge(turnCosts.turn);
    return Array.from({ length: tries }, () => turns.run(network, { cost: 1, bytes }, () => {})).filter(Boolean).length;
  };
  expect([1, 2, 3, 4, 5].map((nth) => waiting(`network ${nth}`, megabyte, 20))).toEqual([16, 16, 16, 16, 0]);
  expect(waiting('other', 10_000, 20)).toBe(6);
  while (turns.size > 0) await turn();
  expect(waiting('network 1', megabyte, 20)).toBe(16);
});
