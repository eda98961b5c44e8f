import { describe, expect, test } from 'vitest';
import { join, resume } from '../../app/rooms/join.ts';
import { lose } from '../../app/rooms/leave.ts';
import { applyMessage, type Said } from '../../app/rooms/messages.ts';
import { carryOut, emptyRoom, type Room } from '../../app/rooms/room.ts';
import { enter, entrance, rules, took } from './rules.ts';

type Unnumbered = Said extends infer S ? (S extends Said ? Omit<S, 'n'> : never) : never;
/** Sends it with the sender's next number; → the refusal's code, or the events. */
const say = (room: Room, from: string, message: Unnumbered, now = 0) => {
  const n = (room.peers.get(from)?.accepted ?? 0) + 1;
  const decision = carryOut(room, (place) => applyMessage(place, from, { ...message, n } as Said, now, rules), now);
  if ('refused' in decision) return decision.refused;
  return decision.result.refusal?.refused ?? decision.events;
};

/** A room with a lobby: host a, guest b, w waiting. */
const knocked = () => {
  const room = emptyRoom('r');
  enter(room, 'a');
  enter(room, 'b');
  say(room, 'a', { type: 'lock', access: 'knock' });
  expect(took(join(room, entrance('w', { name: 'Wanda' }), 0, rules)).result).toMatchObject({
    state: 'waiting',
    host: true,
  });
  return room;
};

describe('messages of a room', () => {
  test('a refusal settles the number too, a gap does not', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    const by = (message: Said) => applyMessage(room, 'a', message, 0, rules);
    expect(by({ type: 'signal', n: 1, to: 'x', epoch: 1, data: '1' })).toMatchObject({
      events: [],
      result: { accepted: 1, refusal: { refused: 'unknown-peer' } },
    });
    expect(by({ type: 'chat', n: 3, text: 'x' })).toMatchObject({ refused: 'out-of-order' });
    expect(by({ type: 'chat', n: 2, text: 'x' })).toMatchObject({ result: { accepted: 2 } });
    expect(by({ type: 'signal', n: 3, to: 'a', epoch: 1, data: '1' })).toMatchObject({
      result: { refusal: { refused: 'unknown-peer' } },
    });
  });

  test.each<Unnumbered>([
    { type: 'admit', peer: 'w' },
    { type: 'deny', peer: 'w' },
    { type: 'lock', access: 'open' },
    { type: 'passcode', passcode: null },
    { type: 'role', peer: 'b', role: 'host' },
    { type: 'kick', peer: 'a' },
    { type: 'mute-request', peer: 'a', kind: 'audio' },
    { type: 'end' },
  ])('a guest may not send $type', (message) => {
    const room = knocked();
    const before = JSON.stringify([...room.peers.keys(), ...room.waiting.keys(), room.access]);
    expect(say(room, 'b', message)).toBe('not-allowed');
    expect(say(room, 'w', message)).toBe('waiting');
    expect(JSON.stringify([...room.peers.keys(), ...room.waiting.keys(), room.access])).toBe(before);
    expect(say(room, 'b', { type: 'chat', text: 'it goes on' })).toMatchObject([{ type: 'chat' }]);
  });

  test('an admitted peer joins, and hosts see who still waits', () => {
    const room = knocked();
    expect(took(join(room, entrance('v'), 0, rules)).result).toMatchObject({ state: 'waiting' });
    expect(join(room, entrance('u'), 0, rules)).toMatchObject({ refused: 'lobby-full' });
    expect(say(room, 'a', { type: 'admit', peer: 'w' })).toEqual([
      expect.objectContaining({
        type: 'peer-joined',
        peer: expect.objectContaining({ id: 'w', name: 'Wanda', epoch: 3 }),
      }),
      { type: 'lobby', among: ['a'], waiting: [{ id: 'v', away: false }] },
    ]);
    expect(say(room, 'a', { type: 'admit', peer: 'w' })).toBe('unknown-peer');
    enter(room, 'd', { granted: { role: 'host' } });
    expect(say(room, 'a', { type: 'admit', peer: 'v' })).toBe('room-full');
    expect(room.waiting.has('v')).toBe(true);
  });

  test('a denial, a kick and a ban are reported to the session while they last', () => {
    const room = knocked();
    expect(say(room, 'a', { type: 'deny', peer: 'w' })).toEqual([
      { type: 'denied', peer: 'w' },
      { type: 'lobby', among: ['a'], waiting: [] },
    ]);
    expect(say(room, 'a', { type: 'kick', peer: 'a' })).toBe('unknown-peer');
    say(room, 'a', { type: 'lock', access: 'open' });
    enter(room, 'c');
    expect(say(room, 'a', { type: 'kick', peer: 'b' })).toEqual([{ type: 'peer-left', peer: 'b', reason: 'kicked' }]);
    expect(say(room, 'a', { type: 'kick', peer: 'c', ban: true })).toMatchObject([{ reason: 'kicked' }]);
    const back = (id: string) => resume(room, { id, secretHash: `hash of ${id}`, until: 0 }, 0, rules);
    expect([back('w'), back('b'), back('c')]).toEqual([
      { refused: 'denied' },
      { refused: 'kicked' },
      { refused: 'kicked' },
    ]);
  });

  test('the last host stays host; another peer may become host', () => {
    const room = knocked();
    expect(say(room, 'a', { type: 'role', peer: 'a', role: 'guest' })).toBe('last-host');
    expect(say(room, 'a', { type: 'role', peer: 'b', role: 'host' })).toMatchObject([
      { type: 'peer-updated', peer: 'b', role: 'host' },
      { type: 'lobby', among: ['a', 'b'] },
    ]);
    expect(say(room, 'b', { type: 'role', peer: 'a', role: 'guest' })).toMatchObject([
      { type: 'peer-updated', peer: 'a', role: 'guest' },
      { type: 'lobby', among: ['b'] },
    ]);
    expect(say(room, 'a', { type: 'end' })).toBe('not-allowed');
  });

  test('peers in the lobby are notified when no host is present, and when one returns', () => {
    const room = knocked();
    const carry = (command: Parameters<typeof carryOut<void>>[1]) => took(carryOut(room, command, 0)).events;
    expect(carry((place) => lose(place, 'a', 0, rules))).toEqual([
      { type: 'peer-away', peer: 'a' },
      { type: 'waiting-updated', among: ['w'], host: false },
    ]);
    const back = (place: Room) => resume(place, { id: 'a', secretHash: 'hash of a', until: 1 }, 0, rules);
    expect(took(carryOut(room, back, 0)).events).toEqual([
      { type: 'peer-back', peer: 'a' },
      { type: 'waiting-updated', among: ['w'], host: true },
    ]);
  });

  test('the end of a room removes all its peers, and its sessions are not valid in the next room', () => {
    const room = knocked();
    expect(say(room, 'a', { type: 'end' }, 5)).toEqual([{ type: 'room-ended', for: 'all', peers: 2 }]);
    expect([room.peers.size, room.waiting.size, room.access]).toEqual([0, 0, undefined]);
    for (const id of ['a', 'b', 'w'])
      expect(resume(room, { id, secretHash: `hash of ${id}`, until: 0 }, 0, rules)).toEqual({ refused: 'room-ended' });
  });

  test('recent chat to everyone is sent to newcomers', () => {
    const room = emptyRoom('r');
    enter(room, 'a', { name: 'Aiko' });
    enter(room, 'b');
    for (const text of ['one', 'two', 'three', 'four']) say(room, 'a', { type: 'chat', text }, 7);
    say(room, 'a', { type: 'chat', text: 'for b alone', to: 'b' });
    expect(enter(room, 'c').view.said).toEqual(
      ['two', 'three', 'four'].map((text) => ({ from: 'a', name: 'Aiko', text, at: 7 })),
    );
  });

  test('a raised hand is sent and listed', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    expect(say(room, 'a', { type: 'update', hand: true })).toEqual([{ type: 'peer-updated', peer: 'a', hand: true }]);
    expect(enter(room, 'b').view.peers).toMatchObject([{ id: 'a', hand: true }]);
  });
});
