import { describe, expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { join } from '../../app/rooms/join.ts';
import { leave, lose } from '../../app/rooms/leave.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import { Registry } from '../../app/rooms/registry.ts';
import { entrance, rules } from './rules.ts';

const limits = { rooms: 2, rules, log: { events: 10, bytes: 1000, age: 1000 }, kept: { total: 1e9, share: 1e9 } };
const enter = (registry: Registry, room: string, id: string) =>
  registry.commit(room, (place) => join(place, entrance(id), 0, rules), 0);

describe('the registry', () => {
  test('creates a room for the first peer and drops it after the last', () => {
    const registry = new Registry(limits);
    expect(enter(registry, 'one', 'a')).toMatchObject({ seq: 1 });
    expect(enter(registry, 'one', 'b')).toMatchObject({ seq: 2 });
    expect(registry.count()).toEqual({ rooms: 1, peers: 2 });
    registry.commit('one', (place) => leave(place, 'a', 'left', 0, rules), 0);
    registry.commit('one', (place) => leave(place, 'b', 'left', 0, rules), 0);
    expect(registry.count()).toEqual({ rooms: 0, peers: 0 });
    expect(registry.since('one', 0)).toEqual(refuse('events-gone'));
  });

  test('limits the rooms, and other commands than a join create none', () => {
    const registry = new Registry(limits);
    enter(registry, 'one', 'a');
    registry.commit('nobody was here', (place) => leave(place, 'a', 'left', 0, rules), 0);
    enter(registry, 'two', 'a');
    expect(enter(registry, 'three', 'a')).toMatchObject({ refused: 'too-many-rooms' });
    expect(enter(registry, 'two', 'b')).toMatchObject({ seq: 2 });
  });

  test('a reopened room counts for the address that reopened it', () => {
    const log = { events: 999, bytes: 1e6, age: 1e6 };
    const registry = new Registry({ ...limits, log, kept: { total: 1e9, share: 150_000 } });
    const open = (room: string, id: string, from: string) =>
      registry.commit(room, (place, now) => join(place, entrance(id, { from }), now, rules), 0);
    const fill = (room: string, from: string) => {
      const text = 'x'.repeat(1000);
      for (let n = 1; n <= 100; n += 1)
        registry.commit(room, (place, now) => applyMessage(place, from, { type: 'chat', n, text }, now, rules), 0);
    };
    open('one', 'a', '192.0.2.1');
    // The room is kept empty, to tell the peer that comes back why its session ended.
    const ended = registry.commit(
      'one',
      (place, now) => applyMessage(place, 'a', { type: 'end', n: 1 }, now, rules),
      0,
    );
    open('one', 'b', '198.51.100.1');
    fill('one', 'b');
    open('two', 'c', '192.0.2.1');
    fill('two', 'c');
    registry.sweep(0);
    expect(registry.since('one', 'seq' in ended ? ended.seq : 0)).toHaveLength(101);
    expect(registry.since('two', 0)).toHaveLength(101);
  });

  test('sweeps every room, and drops one whose last peer times out', () => {
    const registry = new Registry(limits);
    enter(registry, 'one', 'a');
    registry.commit('one', (place, now) => lose(place, 'a', now, rules), 0);
    expect([...registry.sweep(999).values()].flat()).toEqual([]);
    expect(registry.sweep(1000).get('one')).toMatchObject([
      { seq: 3, event: { type: 'peer-left', reason: 'timeout' } },
    ]);
    expect(registry.count()).toEqual({ rooms: 0, peers: 0 });
  });
});
