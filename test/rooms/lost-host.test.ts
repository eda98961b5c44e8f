/** A host that lost its connection, and the settings of its room. */
import { describe, expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { create } from '../../app/rooms/create.ts';
import { join } from '../../app/rooms/join.ts';
import { leave, lose, sweep } from '../../app/rooms/leave.ts';
import { applyMessage, type Said } from '../../app/rooms/messages.ts';
import { Registry } from '../../app/rooms/registry.ts';
import { carryOut, emptyRoom, isOver, type Room } from '../../app/rooms/room.ts';
import { limits } from './lived.ts';
import { enter, entrance, rules as short, took } from './rules.ts';

const rules = { ...short, roomMemory: 60_000 };
/** When a host that was lost at 0 has left. */
const gone = rules.grace;
const forgotten = gone + rules.roomMemory;

const say = (room: Room, from: string, message: Said): void => {
  took(applyMessage(room, from, message, 0, rules));
};
const lock = (room: Room, access: 'locked' | 'knock'): void => say(room, 'host', { type: 'lock', n: 1, access });
/** A room that its only host has lost. `prepare` changes its settings. */
const lostRoom = (prepare: (room: Room) => void): Room => {
  const room = emptyRoom('r');
  enter(room, 'host', {}, rules);
  prepare(room);
  lose(room, 'host', 0, rules);
  sweep(room, gone, rules);
  return room;
};
/** The same client with a new session. */
const returning = (more = {}) =>
  entrance('host', { secretHash: 'new', former: { secretHash: 'hash of host', at: 0 }, ...more });

describe('a host that was lost', () => {
  test.each(['locked', 'knock'] as const)(
    'returns as host to a room that is still %s, which nobody else enters',
    (access) => {
      const room = lostRoom((one) => lock(one, access));
      expect([room.peers.size, isOver(room)]).toEqual([0, false]);
      const stranger = join(room, entrance('stranger'), gone, rules);
      if (access === 'locked') expect(stranger).toEqual(refuse('room-locked'));
      else expect(took(stranger).result).toMatchObject({ state: 'waiting', host: false });
      const guessed = returning({ former: { secretHash: 'another', at: 0 } });
      expect(join(room, guessed, gone, rules)).not.toMatchObject({ result: { state: 'joined' } });
      expect(took(join(room, returning(), forgotten - 1, rules)).result).toMatchObject({
        state: 'joined',
        view: { self: { role: 'host' }, room: { access } },
      });
    },
  );

  test('also to a room with a passcode, without it, and where bans still hold; what was said is gone', () => {
    const banned = entrance('banned', { secretHash: 'other', granted: { subject: 'sub' } });
    const room = lostRoom((one) => {
      enter(one, 'guest', { granted: { subject: 'sub' } }, rules);
      say(one, 'host', { type: 'chat', n: 1, text: 'hello' });
      say(one, 'host', { type: 'passcode', n: 2, passcode: { salt: 's', hash: 'h' } });
      say(one, 'host', { type: 'kick', n: 3, peer: 'guest', ban: true });
    });
    expect(join(room, entrance('stranger'), gone, rules)).toEqual(refuse('passcode-needed'));
    expect(join(room, { ...banned, passcodeHash: 'h' }, gone, rules)).toEqual(refuse('kicked'));
    expect(took(join(room, returning(), gone, rules)).result).toMatchObject({
      view: { self: { role: 'host' }, room: { passcode: true }, said: [] },
    });
  });

  test('returns as host to a room where another peer became host meanwhile', () => {
    const room = emptyRoom('r');
    enter(room, 'host', {}, rules);
    enter(room, 'guest', {}, rules);
    lose(room, 'host', 0, rules);
    sweep(room, gone, rules);
    expect(took(join(room, returning(), gone, rules)).result).toMatchObject({ view: { self: { role: 'host' } } });
    const asGuest = took(join(room, returning({ id: 'x', granted: { role: 'guest' } }), gone, rules));
    expect(asGuest.result).toMatchObject({ view: { self: { role: 'guest' } } });
  });

  test('is forgotten after the time of the rules, and peers in the lobby are notified', () => {
    const room = lostRoom((one) => lock(one, 'knock'));
    took(join(room, entrance('waiting'), gone, rules));
    expect(sweep(room, forgotten - 1, rules)).toEqual([]);
    expect(
      took(carryOut(room, (one, now) => ({ events: sweep(one, now, rules), result: undefined }), forgotten)).events,
    ).toEqual([{ type: 'room-ended', for: 'waiting' }]);
    expect(enter(room, 'stranger', {}, rules).view).toMatchObject({ self: { role: 'host' }, room: { access: 'open' } });
    expect(took(join(room, returning(), forgotten, rules)).result).toMatchObject({ view: { self: { role: 'guest' } } });
  });

  test('a created room has no other host until its creator joins, also after others have left, or is forgotten', () => {
    const room = emptyRoom('r');
    const creation = { secretHash: 'hash of host' };
    took(create(room, creation, 0, rules));
    enter(room, 'a', {}, rules);
    leave(room, 'a', 'left', 0, rules);
    expect(isOver(room)).toBe(false);
    expect(enter(room, 'b', {}, rules).view.self.role).toBe('guest');
    say(room, 'b', { type: 'update', n: 1, hand: true });
    expect(room.peers.get('b')?.role).toBe('guest');
    const late = structuredClone(room);
    expect(took(join(room, returning(), 1, rules)).result).toMatchObject({ view: { self: { role: 'host' } } });
    expect(sweep(late, rules.roomMemory, rules)).toEqual([{ type: 'peer-updated', peer: 'b', role: 'host' }]);
    leave(late, 'b', 'left', 0, rules);
    expect(isOver(late)).toBe(true);
  });

  const isReset: [string, (room: Room) => void, typeof rules][] = [
    [
      'the host left by itself',
      (room) => {
        lock(room, 'locked');
        leave(room, 'host', 'left', 0, rules);
      },
      rules,
    ],
    ['nothing was set', () => {}, rules],
    ['the rules say so', (room) => lock(room, 'locked'), short],
  ];
  test.each(isReset)('a room is over without peers if %s', (_, prepare, by) => {
    const room = emptyRoom('r');
    enter(room, 'host', {}, by);
    prepare(room);
    lose(room, 'host', 0, by);
    sweep(room, gone, by);
    expect(isOver(room)).toBe(true);
  });

  test('an empty room gives way to a new one, and counts as its address’s own room', () => {
    const registry = new Registry({ ...limits, rooms: 1, rules });
    const by = (name: string, one = entrance(name, { from: 'net', mayOpen: false })) =>
      registry.commit(name, (room, now) => join(room, one, now, rules), gone);
    registry.commit('r', (room) => join(room, entrance('host', { from: 'net' }), 0, rules), 0);
    registry.commit(
      'r',
      (room) => {
        lock(room, 'locked');
        return lose(room, 'host', 0, rules);
      },
      0,
    );
    registry.sweep(gone);
    expect(registry.count()).toEqual({ rooms: 1, peers: 0 });
    expect(by('r', returning({ from: 'net', mayOpen: false }))).toMatchObject({ result: { state: 'joined' } });
    registry.commit('r', (room) => lose(room, 'host', 0, rules), 0);
    registry.sweep(gone);
    expect(by('other')).toEqual(refuse('too-many-rooms', 'from this address'));
    expect(by('other', entrance('x'))).toMatchObject({ result: { state: 'joined' } });
    expect(registry.count()).toEqual({ rooms: 1, peers: 1 });
  });
});

test('whom the peers made host meanwhile, and whom those make host, does not return as host by being lost too', () => {
  const room = lostRoom((one) => {
    for (const id of ['promoted', 'helper']) enter(one, id, {}, rules);
  });
  const lost = (id: string): void => {
    lose(room, id, gone, rules);
    sweep(room, 2 * gone, rules);
  };
  expect(room.peers.get('promoted')?.role).toBe('host');
  // A rejoin changes nothing about that.
  enter(room, 'promoted', {}, rules);
  say(room, 'promoted', { type: 'role', n: 1, peer: 'helper', role: 'host' });
  lost('helper');
  took(join(room, returning(), 2 * gone, rules));
  enter(room, 'another', {}, rules);
  say(room, 'promoted', { type: 'role', n: 2, peer: 'another', role: 'host' });
  lost('another');
  say(room, 'host', { type: 'kick', n: 1, peer: 'promoted' });
  say(room, 'host', { type: 'lock', n: 2, access: 'locked' });
  for (const id of ['helper', 'another']) {
    const back = entrance('back', { secretHash: 'new', former: { secretHash: `hash of ${id}`, at: 0 } });
    expect(join(room, back, 2 * gone, rules)).toEqual(refuse('room-locked'));
  }
});
