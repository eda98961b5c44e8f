/** Fair shares of the event loop. */
import { expect, test } from 'vitest';
import { TurnShares, turnCosts } from '../../app/budgets/turn-shares.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const requestsPerTurn = turnCosts.turn / turnCosts.request;

test('a network that sends much waits for its next turn, in order, and others do not wait', async () => {
  const turns = new TurnShares(setImmediate);
  const done: number[] = [];
  const total = 2 * requestsPerTurn + 1;
  for (let nth = 0; nth < total; nth += 1) turns.run('flood', turnCosts.request, () => done.push(nth));
  expect(done).toHaveLength(requestsPerTurn);
  let others = 0;
  turns.run('other', turnCosts.request, () => {
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
  for (let nth = 0; nth < 1000; nth += 1) turns.run(`network ${nth}`, turnCosts.frame, () => {});
  await turn();
  expect(turns.size).toBe(1000);
  turns.run('one more', turnCosts.frame, () => {});
  await turn();
  expect(turns.size).toBe(0);
  for (let nth = 0; nth < 3; nth += 1) turns.run('busy', turnCosts.turn, () => {});
  while (turns.size > 0) await turn();
});

test('more work than may wait is not run, and the rest keeps its order', async () => {
  const turns = new TurnShares(setImmediate);
  const done: number[] = [];
  let accepted = 0;
  for (let nth = 0; nth < 10_000; nth += 1) if (turns.run('flood', turnCosts.turn, () => done.push(nth))) accepted += 1;
  expect(accepted).toBe(1 + 4096);
  while (turns.size > 0) await turn();
  expect(done).toEqual(Array.from({ length: accepted }, (_, nth) => nth));
});

test('an error of deferred work does not stop the work of others', async () => {
  const next: (() => void)[] = [];
  const turns = new TurnShares((work) => next.push(work));
  let others = 0;
  for (const network of ['broken', 'other']) {
    turns.run(network, turnCosts.turn, () => {});
    turns.run(network, 1, () => {
      if (network === 'broken') throw new Error('broken');
      others += 1;
    });
  }
  expect(() => next.shift()?.()).toThrow('broken');
  next.shift()?.();
  expect(others).toBe(1);
});
