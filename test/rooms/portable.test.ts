import { describe, expect, test } from 'vitest';
import { join } from '../../app/rooms/entering.ts';
import { leaveForNow } from '../../app/rooms/leaving.ts';
import { Registry } from '../../app/rooms/registry.ts';
import { speak } from '../../app/rooms/speaking.ts';
import { entrance, rules } from './rules.ts';

const limits = { rooms: 9, rules, log: { events: 8, bytes: 100_000, age: 100_000 } };

/** A registry with a room in which every field has been used. */
const lived = (): Registry => {
  const registry = new Registry(limits);
  const say = (from: string, said: object) => {
    registry.commit('r', (room, now) => speak(room, from, said as never, now, rules), 7);
  };
  registry.commit(
    'r',
    (room) => join(room, entrance('a', { name: 'Aiko', granted: { role: 'host', name: 'Aiko' } }), rules),
    1,
  );
  for (const id of ['b', 'c', 'd']) registry.commit('r', (room) => join(room, entrance(id, { until: 5000 }), rules), 2);
  say('a', { type: 'passcode', n: 1, passcode: { salt: 's', hash: 'h' } });
  say('a', { type: 'lock', n: 2, access: 'knock' });
  say('a', { type: 'kick', n: 3, peer: 'd', ban: true });
  say('a', { type: 'passcode', n: 4, passcode: null });
  registry.commit('r', (room) => join(room, entrance('w', { name: 'Wanda' }), rules), 3);
  say('b', { type: 'update', n: 1, hand: true, media: { audio: true, video: false, screen: true } });
  say('b', { type: 'signal', n: 2, to: 'a', epoch: 2, data: '{"sdp": "v=0\\r\\n 玄関"}' });
  say('a', { type: 'chat', n: 5, text: 'hello' });
  registry.commit('r', (room, now) => leaveForNow(room, 'c', now, rules), 9);
  return registry;
};

describe('a room for another process', () => {
  test('is the same there: peers, door, what was said, who is banned, numbers and events', () => {
    const before = lived();
    const parts = before.pack();
    const after = new Registry(limits);
    for (const part of parts) after.adopt(JSON.parse(JSON.stringify(part)));
    expect(after.pack()).toEqual(parts);
    expect(after.count()).toEqual(before.count());
    const seen = (registry: Registry) =>
      registry.commit('r', (room) => ({ events: [], result: structuredClone(room) }), 0);
    expect(seen(after)).toEqual(seen(before));
    const seq = (seen(after) as { seq: number }).seq;
    for (let from = 0; from <= seq + 1; from += 1) expect(after.since('r', from)).toEqual(before.since('r', from));
    expect(after.since('r', seq - 3)).toHaveLength(3);
    expect(after.sweep(10_000)).toEqual(before.sweep(10_000));
  });

  test.each([
    ['of another format', { format: 2 }, /format 2; this release reads format 1/],
    ['of none', { peers: [] }, /format undefined/],
    ['that is no object', 'r', /format undefined/],
    ['with a field that is not what it must be', { peers: [{ id: 'a' }] }, /peers/],
  ])('%s is refused by name', (_what, change, reason) => {
    const [part] = lived().pack();
    const odd =
      typeof change === 'string'
        ? change
        : 'format' in change
          ? { ...part, ...change }
          : { ...part, format: undefined, ...change };
    const given = _what.startsWith('with') ? { ...part, ...(change as object) } : odd;
    expect(() => new Registry(limits).adopt(given)).toThrow(reason);
  });
});
