/** The rate of `lobby` events to hosts is limited, however often other peers knock and leave. */
import { expect, test } from 'vitest';
import { join } from '../../app/rooms/join.ts';
import { leave, sweep } from '../../app/rooms/leave.ts';
import { type Command, carryOut, emptyRoom, lobbyDue, type RoomEvent } from '../../app/rooms/room.ts';
import { enter, entrance, rules, took } from './rules.ts';

const knockRoom = () => {
  const room = emptyRoom('r');
  enter(room, 'host');
  room.access = 'knock';
  const events: RoomEvent[] = [];
  const run = (command: Command<unknown>, now: number) => {
    const decided = took(carryOut(room, command, now));
    events.push(...decided.events);
    return decided.events.filter(({ type }) => type === 'lobby');
  };
  const knock = (id: string, now: number) => run((place) => join(place, entrance(id), now, rules), now);
  const go = (id: string, now: number) => run((place) => leave(place, id, 'left', now, rules), now);
  const tick = (now: number) => run((place) => ({ events: sweep(place, now, rules), result: undefined }), now);
  return { room, events, run, knock, go, tick };
};

test('those who knock once are shown at once', () => {
  const { room, knock, go } = knockRoom();
  expect(knock('a', 0)).toMatchObject([{ waiting: [{ id: 'a' }] }]);
  expect(go('a', 1)).toMatchObject([{ waiting: [] }]);
  expect(lobbyDue(room)).toBe(Number.POSITIVE_INFINITY);
});

test('a flood is shown once a second, and the last state of it always', () => {
  const { room, events, knock, go, tick } = knockRoom();
  for (let now = 0; now < 60_000; now += 10) {
    if (now % 20 === 0) knock('a', now);
    else go('a', now);
    if (now % 250 === 0) tick(now);
  }
  const shown = events.filter(({ type }) => type === 'lobby').length;
  expect(shown).toBeGreaterThan(50);
  expect(shown).toBeLessThanOrEqual(80);
  knock('a', 60_000);
  expect(knock('honest', 60_010)).toEqual([]);
  const due = lobbyDue(room);
  expect(due).toBeLessThanOrEqual(61_010);
  expect(tick(due)).toMatchObject([{ waiting: [{ id: 'a' }, { id: 'honest' }] }]);
  expect(lobbyDue(room)).toBe(Number.POSITIVE_INFINITY);
  expect(tick(due + 5000)).toEqual([]);
});

test('a new host is shown the lobby even then', () => {
  const { run, knock, go } = knockRoom();
  for (let count = 0; count < 30; count += 1) {
    knock('a', 0);
    go('a', 0);
  }
  expect(knock('b', 0)).toEqual([]);
  const shown = run((room) => join(room, entrance('other', { granted: { role: 'host' } }), 0, rules), 0);
  expect(shown).toMatchObject([{ among: ['host', 'other'], waiting: [{ id: 'b' }] }]);
});
