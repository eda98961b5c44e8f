import { describe, expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { join, resume } from '../../app/rooms/join.ts';
import { leave, leaveForNow, lose, sweep } from '../../app/rooms/leave.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import { hear, listen } from '../../app/rooms/presence.ts';
import { carryOut, emptyRoom, isOver } from '../../app/rooms/room.ts';
import { enter, entrance, rules, took } from './rules.ts';

describe('leaving a room', () => {
  test('peers without requests become away, and peers away for too long leave, each once', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    enter(room, 'b', { until: 500 });
    expect(sweep(room, 499, rules)).toEqual([]);
    expect(sweep(room, 500, rules)).toEqual([{ type: 'peer-away', peer: 'b' }]);
    expect(lose(room, 'b', 600, rules)).toMatchObject({ events: [] });
    expect(sweep(room, 1499, rules)).toEqual([]);
    expect(sweep(room, 1500, rules)).toEqual([{ type: 'peer-left', peer: 'b', reason: 'timeout' }]);
    expect(sweep(room, 9999, rules)).toEqual([]);
  });

  test('a page that may be reloading has a short grace, and then has left', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    enter(room, 'b');
    expect(lose(room, 'b', 0, rules)).toMatchObject({ events: [{ type: 'peer-away', peer: 'b' }] });
    expect(leaveForNow(room, 'b', 0, rules)).toMatchObject({ events: [] });
    expect(lose(room, 'b', 1, rules)).toMatchObject({ events: [] });
    const late = { id: 'b', secretHash: 'hash of b', until: 9000 };
    expect([hear(room, late, 0), listen(room, late, 0)]).toEqual([
      refuse('unknown-session'),
      refuse('unknown-session'),
    ]);
    expect(sweep(room, 99, rules)).toEqual([]);
    expect(sweep(room, 100, rules)).toEqual([{ type: 'peer-left', peer: 'b', reason: 'left' }]);
  });

  test('the peer present longest becomes host when the last host leaves, but not a guest by token', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    enter(room, 'b', { granted: { role: 'guest' } });
    enter(room, 'c');
    enter(room, 'd');
    lose(room, 'a', 0, rules);
    expect([...room.peers.values()].filter(({ role }) => role === 'host').map(({ id }) => id)).toEqual(['a']);
    expect(sweep(room, 1000, rules)).toEqual([
      { type: 'peer-left', peer: 'a', reason: 'timeout' },
      { type: 'peer-updated', peer: 'c', role: 'host' },
    ]);
    leave(room, 'd', 'left', 0, rules);
    expect(leave(room, 'c', 'left', 0, rules)).toMatchObject({ events: [{ type: 'peer-left', peer: 'c' }] });
  });

  test('a room that everyone has left is like new, and its lobby is notified', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    applyMessage(room, 'a', { type: 'chat', n: 1, text: 'secret' }, 0, rules);
    applyMessage(room, 'a', { type: 'lock', n: 2, access: 'knock' }, 0, rules);
    join(room, entrance('w'), 0, rules);
    const { events } = took(carryOut(room, (place) => leave(place, 'a', 'left', 0, rules), 0));
    expect(events).toEqual([
      { type: 'peer-left', peer: 'a', reason: 'left' },
      { type: 'room-ended', for: 'waiting' },
    ]);
    const back = (id: string) => resume(room, { id, secretHash: `hash of ${id}`, until: 0 }, 0, rules);
    expect(back('w')).toEqual({ refused: 'room-ended' });
    expect(enter(room, 'b').view).toMatchObject({ self: { role: 'host' }, room: { access: 'open' }, said: [] });
    leave(room, 'b', 'left', 0, rules);
    expect(isOver(room)).toBe(false);
    sweep(room, rules.grace, rules);
    expect(isOver(room)).toBe(true);
  });

  test('where hosts join with a token, a peer may wait before the room exists', () => {
    const knockRules = { ...rules, access: 'knock' as const };
    const room = emptyRoom('r');
    expect(took(join(room, entrance('w'), 0, knockRules)).result).toMatchObject({ state: 'waiting', host: false });
    const { events } = took(
      carryOut(room, (place) => join(place, entrance('a', { granted: { role: 'host' } }), 0, knockRules), 0),
    );
    expect(events).toEqual([
      expect.objectContaining({ type: 'peer-joined' }),
      { type: 'lobby', among: ['a'], waiting: [{ id: 'w', away: false }] },
      { type: 'waiting-updated', among: ['w'], host: true },
    ]);
    expect(took(carryOut(room, (place) => leave(place, 'a', 'left', 0, knockRules), 0)).events.at(-1)).toEqual({
      type: 'waiting-updated',
      among: ['w'],
      host: false,
    });
    lose(room, 'w', 0, knockRules);
    sweep(room, knockRules.grace, knockRules);
    expect(isOver(room)).toBe(true);
  });
});
