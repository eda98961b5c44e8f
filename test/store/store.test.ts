/** The guarantees of a store for its listeners. */
import { expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { join } from '../../app/rooms/join.ts';
import { lose } from '../../app/rooms/leave.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { memoryStore } from '../../app/store/memory.ts';
import { pausable } from '../../app/store/pausable.ts';
import { entrance, rules } from '../rooms/rules.ts';

test('events committed by a listener are delivered to the others after the event it received', async () => {
  const limits = { rooms: 9, rules, log: { events: 99, bytes: 1e5, age: 1e5 }, kept: { total: 1e9, share: 1e9 } };
  const store = memoryStore(limits, () => 0, zeroCounts());
  await store.commit('room', (room) => join(room, entrance('a'), 0, rules));
  const received: number[] = [];
  store.subscribe('room', ({ event }) => {
    if (event.type === 'peer-joined') void store.commit('room', (room, now) => lose(room, 'a', now, rules));
  });
  store.subscribe('room', ({ seq }) => received.push(seq));
  await store.commit('room', (room) => join(room, entrance('b'), 0, rules));
  expect(received).toEqual([2, 3]);
});

test('commitNow keeps and delivers before it returns, and opens no room while paused', () => {
  const limits = { rooms: 9, rules, log: { events: 99, bytes: 1e5, age: 1e5 }, kept: { total: 1e9, share: 1e9 } };
  let accepting = false;
  const store = pausable(
    memoryStore(limits, () => 0, zeroCounts()),
    () => (accepting ? undefined : refuse('too-many-rooms')),
  );
  const received: number[] = [];
  store.subscribe('room', ({ seq }) => received.push(seq));
  const enter = () => store.commitNow?.('room', (room) => join(room, entrance('a'), 0, rules));
  expect(enter()).toMatchObject({ refused: 'too-many-rooms' });
  accepting = true;
  expect(enter()).toMatchObject({ seq: 1 });
  expect(received).toEqual([1]);
  store.handOver?.();
  expect(enter()).toMatchObject({ refused: 'draining' });
});
