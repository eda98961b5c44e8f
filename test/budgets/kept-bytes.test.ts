import { expect, test } from 'vitest';
import { KeptBytes } from '../../app/budgets/kept-bytes.ts';

type Room = { name: string; owner: string; bytes: number };
const make = (total: number, share: number) => {
  const kept = new KeptBytes<Room>({ total, share });
  const trimmed: string[] = [];
  const add = (name: string, owner: string, bytes: number): Room => {
    const room = { name, owner, bytes: 0 };
    kept.set(room, bytes);
    return room;
  };
  const trim = () =>
    kept.trim((room) => {
      trimmed.push(room.name);
      return room.bytes / 2;
    });
  return { kept, add, trim, trimmed };
};

test('an owner over its share is trimmed, its largest room first, and no other owner', () => {
  const { kept, add, trim, trimmed } = make(10_000, 1000);
  const [small, large, other] = [add('small', 'a', 300), add('large', 'a', 800), add('other', 'b', 990)];
  expect([kept.isOver(small), kept.isOver(other)]).toEqual([true, false]);
  trim();
  expect(trimmed).toEqual(['large']);
  expect([large.bytes, kept.total]).toEqual([400, 1690]);
});

test('when the total is exceeded, the owner that keeps most is trimmed', () => {
  const { kept, add, trim, trimmed } = make(1000, 900);
  for (let at = 0; at < 5; at += 1) add(`stranger-${at}`, 'a', 150);
  for (let at = 0; at < 5; at += 1) add(`honest-${at}`, `b${at}`, 60);
  trim();
  expect(kept.total).toBeLessThanOrEqual(1000);
  expect(trimmed.filter((name) => name.startsWith('honest'))).toEqual([]);
});

test('when the largest owner has nothing to trim, no other owner is trimmed, and it is not retried at once', () => {
  const { kept, add } = make(100, 1000);
  const [stuck, honest] = [add('r', 'a', 500), add('honest', 'b', 50)];
  const tried: string[] = [];
  const trim = (room: Room) => tried.push(room.name) - tried.length;
  kept.trim(trim);
  expect([kept.total, tried, kept.isOver(honest)]).toEqual([550, ['r'], false]);
  kept.set(stuck, 600);
  expect(kept.isOver(honest)).toBe(true);
  kept.trim(trim);
  kept.retry();
  expect(kept.isOver(honest)).toBe(true);
});

test('a removed room is not counted', () => {
  const { kept, add } = make(1000, 1000);
  const room = add('r', '192.0.2.1', 500);
  expect(kept.total).toBe(500);
  kept.set(room, 0);
  expect(kept.total).toBe(0);
});

test('a room that changes its owner is counted for the new one only', () => {
  const { kept, add } = make(10_000, 1000);
  const [room, first, second] = [add('r', 'a', 600), add('first', 'a', 300), add('second', 'b', 500)];
  kept.set(room, 600, 'b');
  expect([kept.total, kept.isOver(first), kept.isOver(second), kept.isOver(room)]).toEqual([1400, false, true, true]);
  kept.set(first, 900);
  expect(kept.isOver(first)).toBe(false);
});
