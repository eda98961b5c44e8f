import { describe, expect, test } from 'vitest';
import * as rooms from '../../app/rooms/room.ts';

const enter = (room: rooms.Room, id: string, maxPeers = 16) => {
  const decision = rooms.join(room, { id, secretHash: `hash of ${id}`, until: Number.POSITIVE_INFINITY, maxPeers });
  if ('refused' in decision) throw new Error(decision.refused);
  return decision;
};

describe('a room', () => {
  test('in every pair exactly one offers and exactly one yields, and both see one epoch', () => {
    const room = rooms.emptyRoom('r');
    const seen = new Map<string, { initiator: boolean; polite: boolean; epoch: number }>();
    for (const id of ['a', 'b', 'c', 'd']) {
      const { result, events } = enter(room, id);
      const [joined] = events;
      if (joined?.type !== 'peer-joined') throw new Error('no peer-joined');
      for (const peer of result.peers) {
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

  test('one who joins anew keeps its seat in a full room, not its epoch', () => {
    const room = rooms.emptyRoom('r');
    enter(room, 'a', 2);
    enter(room, 'b', 2);
    expect(rooms.join(room, { id: 'c', secretHash: '', until: 0, maxPeers: 2 })).toMatchObject({
      refused: 'room-full',
    });
    const { result } = enter(room, 'a', 2);
    expect(result.self.role).toBe('host');
    expect(result.peers).toMatchObject([{ id: 'b', initiator: true, epoch: 3 }]);
  });

  test('a session is resumed by its secret alone', () => {
    const room = rooms.emptyRoom('r');
    enter(room, 'a');
    rooms.lose(room, 'a', 1000);
    expect(rooms.resume(room, 'a', 'hash of b', 0)).toEqual({ refused: 'unknown-session' });
    expect(rooms.resume(room, 'x', 'hash of a', 0)).toEqual({ refused: 'unknown-session' });
    expect(rooms.resume(room, 'a', 'hash of a', 0)).toMatchObject({ events: [{ type: 'peer-back', peer: 'a' }] });
    expect(rooms.resume(room, 'a', 'hash of a', 0)).toMatchObject({ events: [] });
  });

  test('time makes the silent away and the long away leave, each once', () => {
    const room = rooms.emptyRoom('r');
    enter(room, 'a');
    rooms.join(room, { id: 'b', secretHash: 'h', until: 500, maxPeers: 2 });
    expect(rooms.sweep(room, 499, 1000)).toEqual([]);
    expect(rooms.sweep(room, 500, 1000)).toEqual([{ type: 'peer-away', peer: 'b' }]);
    expect(rooms.lose(room, 'b', 600)).toMatchObject({ events: [] });
    expect(rooms.sweep(room, 1499, 1000)).toEqual([]);
    expect(rooms.sweep(room, 1500, 1000)).toEqual([{ type: 'peer-left', peer: 'b', reason: 'timeout' }]);
    expect(rooms.sweep(room, 9999, 1000)).toEqual([]);
  });

  test('a refusal settles the number too, a gap does not', () => {
    const room = rooms.emptyRoom('r');
    enter(room, 'a');
    const nobody = rooms.signal(room, 'a', { n: 1, to: 'x', epoch: 1, data: '1' });
    expect(nobody).toMatchObject({ events: [], result: { accepted: 1, refusal: { refused: 'unknown-peer' } } });
    expect(rooms.chat(room, 'a', { n: 3, text: 'x' }, 0)).toMatchObject({ refused: 'out-of-order' });
    expect(rooms.chat(room, 'a', { n: 2, text: 'x' }, 0)).toMatchObject({ result: { accepted: 2 } });
    expect(rooms.signal(room, 'a', { n: 3, to: 'a', epoch: 1, data: '1' })).toMatchObject({
      result: { refusal: { refused: 'unknown-peer' } },
    });
  });
});
