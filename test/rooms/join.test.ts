import { describe, expect, test } from 'vitest';
import { newSalt, PasscodeHasher } from '../../app/auth/passcode.ts';
import { join, resume } from '../../app/rooms/join.ts';
import { lose } from '../../app/rooms/leave.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import { emptyRoom } from '../../app/rooms/room.ts';
import { enter, entrance, rules, took } from './rules.ts';

const forEver = Number.POSITIVE_INFINITY;

describe('joining a room', () => {
  test('makes one of each pair the initiator and one polite, with the same epoch on both sides', () => {
    const room = emptyRoom('r');
    const seen = new Map<string, { initiator: boolean; polite: boolean; epoch: number }>();
    for (const id of ['a', 'b', 'c', 'd']) {
      const { view, events } = enter(room, id);
      const [joined] = events;
      if (joined?.type !== 'peer-joined') throw new Error('no peer-joined');
      for (const peer of view.peers) {
        seen.set(`${id}>${peer.id}`, peer);
        seen.set(`${peer.id}>${id}`, joined.peer);
      }
    }
    expect(seen.size).toBe(12);
    for (const [key, one] of seen) {
      const back = seen.get(key.split('>').reverse().join('>'));
      expect([one.initiator, one.polite]).toEqual([!back?.initiator, !back?.polite]);
      expect(one.epoch).toBe(back?.epoch);
    }
  });

  test('again keeps the seat in a full room and the role, with a new epoch', () => {
    const room = emptyRoom('r');
    const two = { ...rules, maxPeers: 2 };
    enter(room, 'a', {}, two);
    enter(room, 'b', {}, two);
    room.access = 'locked';
    expect(join(room, entrance('c', { granted: { role: 'host' } }), 0, two)).toMatchObject({ refused: 'room-full' });
    const { view } = enter(room, 'a', {}, two);
    expect(view.self.role).toBe('host');
    expect(view.peers).toMatchObject([{ id: 'b', initiator: true, epoch: 3 }]);
  });

  test('resumes a session by its secret alone', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    lose(room, 'a', 1000, rules);
    const by = (id: string, secretHash: string) => resume(room, { id, secretHash, until: forEver }, 0, rules);
    expect(by('a', 'hash of b')).toEqual({ refused: 'unknown-session' });
    expect(by('x', 'hash of a')).toEqual({ refused: 'unknown-session' });
    expect(by('a', 'hash of a')).toMatchObject({ events: [{ type: 'peer-back', peer: 'a' }] });
    expect(by('a', 'hash of a')).toMatchObject({ events: [] });
  });

  describe('with a session of a lost room', () => {
    const former = { secretHash: 'hash of before', at: 5000.5 };
    const back = (id: string, secretHash: string, shown = former) =>
      entrance(id, { secretHash, former: shown, granted: {} });

    test('a peer gets an epoch above all earlier ones, and no more rights than a newcomer', () => {
      const room = emptyRoom('r');
      enter(room, 'x');
      const { events, result } = took(join(room, back('a', 'new'), 0, rules));
      expect(events).toMatchObject([{ type: 'peer-joined', peer: { id: 'a', role: 'guest', epoch: 5001 } }]);
      expect(result).toMatchObject({ view: { peers: [{ id: 'x', initiator: true, epoch: 5001 }] } });
      expect(enter(room, 'y').view.peers).toMatchObject([{ epoch: 5002 }, { epoch: 5002 }]);
      room.access = 'locked';
      expect(join(room, back('b', 'b'), 0, rules)).toEqual({ refused: 'room-locked' });
      room.access = 'knock';
      expect(took(join(room, back('b', 'b'), 0, rules)).result.state).toBe('waiting');
    });

    test('a peer gets one seat, and another join only if the new secret was never received', () => {
      const room = emptyRoom('r');
      enter(room, 'x');
      took(join(room, back('a', 'first'), 0, rules));
      const again = took(join(room, back('a', 'second'), 0, rules));
      expect(again.events).toMatchObject([{ type: 'peer-joined', peer: { id: 'a' } }]);
      expect(room.peers.size).toBe(2);
      expect(join(room, back('a', 'third', { ...former, secretHash: 'older' }), 0, rules)).toEqual({
        refused: 'unknown-session',
      });
      expect(join(room, back('x', 'new'), 0, rules)).toEqual({ refused: 'unknown-session' });
      expect(resume(room, { id: 'a', secretHash: 'first', until: forEver }, 0, rules)).toEqual({
        refused: 'unknown-session',
      });
      expect(resume(room, { id: 'a', secretHash: 'second', until: forEver }, 0, rules)).toMatchObject({ events: [] });
    });

    test('a peer in the lobby keeps its id, and is never in the room and the lobby at once', () => {
      const room = emptyRoom('r');
      enter(room, 'x');
      room.access = 'knock';
      took(join(room, back('a', 'first'), 0, rules));
      took(join(room, back('a', 'second'), 0, rules));
      expect([...room.waiting.keys()]).toEqual(['a']);
      room.access = 'open';
      took(join(room, back('a', 'third'), 0, rules));
      expect([room.waiting.size, room.peers.size]).toEqual([0, 2]);
    });

    test('a peer banned under its new session is banned under the old one', () => {
      const room = emptyRoom('r');
      enter(room, 'x');
      took(join(room, back('a', 'new'), 0, rules));
      took(applyMessage(room, 'x', { type: 'kick', n: 1, peer: 'a', ban: true }, 1000, rules));
      for (const secretHash of ['new', former.secretHash])
        expect(resume(room, { id: 'a', secretHash, until: forEver }, 0, rules)).toEqual({ refused: 'kicked' });
    });
  });

  test('gives the role of the token; the first peer without one becomes host', () => {
    const room = emptyRoom('r');
    expect(enter(room, 'a', { granted: { role: 'guest' } }).view.self.role).toBe('guest');
    expect(enter(room, 'b').view.self.role).toBe('guest');
    expect(enter(room, 'c', { granted: { role: 'host' } }).view.self.role).toBe('host');
    expect(enter(emptyRoom('s'), 'a').view.self.role).toBe('host');
  });

  test('is refused by a locked room, and needs the passcode of a room with one; a host by token passes both', async () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    const hasher = new PasscodeHasher();
    const salt = newSalt();
    const given = (text: string) => hasher.hash(text, salt, '');
    const passcode = { salt, hash: await given('se\u0301same') };
    applyMessage(room, 'a', { type: 'passcode', n: 1, passcode }, 0, rules);
    expect(join(room, entrance('b'), 0, rules)).toEqual({ refused: 'passcode-needed' });
    expect(join(room, entrance('b', { passcodeHash: await given('sesame') }), 0, rules)).toEqual({
      refused: 'wrong-passcode',
    });
    enter(room, 'b', { passcodeHash: await given('s\u00e9same') });
    applyMessage(room, 'a', { type: 'lock', n: 2, access: 'locked' }, 0, rules);
    expect(join(room, entrance('c', { passcodeHash: await given('s\u00e9same') }), 0, rules)).toEqual({
      refused: 'room-locked',
    });
    expect(enter(room, 'c', { granted: { role: 'host' } }).view.room).toEqual({ access: 'locked', passcode: true });
  });
});
