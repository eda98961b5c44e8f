import { describe, expect, test } from 'vitest';
import { ByteRange } from '../../app/protocol/byte-range.ts';
import { applyMessage, type Said } from '../../app/rooms/messages.ts';
import { Registry } from '../../app/rooms/registry.ts';
import type { Decision, Room } from '../../app/rooms/room.ts';
import { limits, lived } from './lived.ts';
import { rules } from './rules.ts';

describe('a snapshot of a room', () => {
  test('restores peers, lobby, lost hosts, chat history, bans, numbers and events', () => {
    const before = lived();
    const losing = (room: Room): Decision<void> => {
      room.lostHosts = [{ secretHash: 'hash of a host', until: 60_000, creator: true }];
      return { events: [], result: undefined };
    };
    before.commit('r', losing, 0);
    const parts = [...before.pack()];
    const after = new Registry(limits);
    for (const part of parts) after.adopt(JSON.parse(JSON.stringify(part)));
    expect([...after.pack()]).toEqual(parts);
    expect(after.count()).toEqual(before.count());
    const seen = (registry: Registry) =>
      registry.commit('r', (room) => ({ events: [], result: structuredClone(room) }), 0);
    expect(seen(after)).toEqual(seen(before));
    const seq = (seen(after) as { seq: number }).seq;
    for (let from = 0; from <= seq + 1; from += 1) expect(after.since('r', from)).toEqual(before.since('r', from));
    expect(after.since('r', seq - 3)).toHaveLength(3);
    expect(after.sweep(10_000)).toEqual(before.sweep(10_000));
  });

  test('restores the binary data of signals; a release without them finds JSON text there', () => {
    const before = lived();
    const data = ByteRange.binaryCopy(Buffer.from([0, 0xff]));
    const signal: Said = { type: 'signal', n: 3, to: 'a', epoch: 2, data };
    before.commit('r', (room, now) => applyMessage(room, 'b', signal, now, rules), 10);
    const [part] = JSON.parse(JSON.stringify([...before.pack()]));
    const event = part.events.at(-1).event;
    expect(event).toMatchObject({ type: 'signal', data: '"AP8="' });
    const after = new Registry(limits);
    after.adopt(part);
    const last = after.since('r', part.seq - 1);
    expect(last).toEqual(before.since('r', part.seq - 1));
    expect(last).toMatchObject([{ event: { type: 'signal', data: { isBinary: true } } }]);
  });

  test.each([
    ['of another format', { format: 2 }, /^room "r" is in format 2; this version supports only format 1/],
    ['of an older one', { format: 0 }, /^room "r" is in format 0; this version supports only format 1/],
    ['of none', { peers: [] }, /^room "r" is in format undefined/],
    ['that is not an object', 'r', /format undefined/],
    ['with an invalid field', { peers: [{ id: 'a' }] }, /peers/],
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
