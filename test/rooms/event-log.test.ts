import { describe, expect, test } from 'vitest';
import { ByteRange, Chunk } from '../../app/protocol/byte-range.ts';
import { EventLog, join, lasting, split } from '../../app/rooms/event-log.ts';
import type { RoomEvent } from '../../app/rooms/room.ts';

const chat = (text: string): RoomEvent => ({ type: 'chat', from: 'a', text, at: 0 });
const filled = (count: number, limits = { events: 10, bytes: 1e6, age: 1e6 }) => {
  const log = new EventLog(limits);
  for (let i = 1; i <= count; i += 1) log.append(chat(`${i}`), i);
  return log;
};
const seqs = (log: EventLog, after: number) => {
  const entries = log.since(after);
  return 'refused' in entries ? entries.refused : entries.map(({ seq }) => seq);
};

describe('the event log', () => {
  test('returns all events after a number while they are kept, otherwise reports that they are gone', () => {
    const log = filled(25);
    expect(seqs(log, 15)).toEqual([16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
    expect(seqs(log, 24)).toEqual([25]);
    expect(seqs(log, 25)).toEqual([]);
    expect(seqs(log, 14)).toBe('events-gone');
    expect(seqs(log, 26)).toBe('events-gone');
    expect(seqs(new EventLog({ events: 1, bytes: 1, age: 1 }), 0)).toEqual([]);
  });

  test('keeps the last ten events, whatever their number', () => {
    for (let count = 0; count < 300; count += 1) {
      const log = filled(count);
      const first = Math.max(0, count - 10);
      expect(seqs(log, first)).toEqual(Array.from({ length: count - first }, (_, i) => first + i + 1));
      if (first > 0) expect(seqs(log, first - 1)).toBe('events-gone');
    }
  });

  test('shrinks when memory is short, and continues from there', () => {
    const log = new EventLog({ events: 100, bytes: 10_000, age: 1e6 });
    for (let i = 0; i < 12; i += 1) log.append(chat('x'.repeat(400)), 0);
    expect(seqs(log, 0)).toHaveLength(12);
    log.shrinkTo(2500);
    expect(seqs(log, 0)).toBe('events-gone');
    expect([seqs(log, 11), seqs(log, 12)]).toEqual([[12], []]);
    log.append(chat('y'), 0);
    expect(seqs(log, 11)).toEqual([12, 13]);
    const quiet = new EventLog({ events: 100, bytes: 10_000, age: 1e6 });
    quiet.append(chat('z'), 0);
    quiet.shrinkTo(2500);
    expect(seqs(quiet, 0)).toEqual([1]);
  });

  test('keeps received bytes and their text alike', () => {
    const received = Buffer.from('..{"a":"玄"}..');
    const data = new ByteRange(new Chunk(received), 2, received.length - 2);
    const signal = (how: string | ByteRange): RoomEvent => ({
      type: 'signal',
      from: 'a',
      to: 'b',
      epoch: 7,
      data: how,
    });
    // As many as fill several segments.
    const count = 300;
    const [bytes, texts] = [data, data.text].map((how) => {
      const log = new EventLog({ events: count, bytes: 1e6, age: 1e6 });
      for (let i = 0; i < count; i += 1) log.append(signal(how), i);
      return log;
    });
    received.fill('x');
    expect(bytes?.since(0)).toEqual(texts?.since(0));
    expect(bytes?.bytes).toBe(texts?.bytes);
  });

  test('keeps binary data byte for byte, also as text for a shared store', () => {
    const data = ByteRange.binaryCopy(Buffer.from([0, 0xff, 0x20, 0x0a, 0x7d]));
    const event: RoomEvent = { type: 'signal', from: 'a', to: 'b', epoch: 7, data };
    const log = new EventLog({ events: 9, bytes: 1e6, age: 1e6 });
    log.append(event, 2);
    log.append(chat('binary'), 3);
    expect(log.since(0)).toEqual([
      { seq: 1, at: 2, event },
      { seq: 2, at: 3, event: chat('binary') },
    ]);
    const { head, data: text } = split(event);
    // An older release relays this text as JSON.
    expect(JSON.parse(text)).toBe('AP8gCn0=');
    expect(join(head, text)).toEqual(event);
  });

  test('gives an entry that does not keep received bytes', () => {
    const data = new ByteRange(new Chunk(Buffer.from('[1]')), 0, 3);
    const event: RoomEvent = { type: 'signal', from: 'a', to: 'b', epoch: 7, data };
    expect(lasting({ seq: 1, at: 2, event })).toEqual({ seq: 1, at: 2, event: { ...event, data: '[1]' } });
    const other = { seq: 1, at: 2, event: chat('x') };
    expect(lasting(other)).toBe(other);
  });

  test('is limited by bytes', () => {
    const log = new EventLog({ events: 100, bytes: 1000, age: 1e6 });
    for (let i = 0; i < 10; i += 1) log.append(chat('x'.repeat(400)), 0);
    expect(seqs(log, 8)).toEqual([9, 10]);
    expect(seqs(log, 7)).toBe('events-gone');
  });

  test('drops events that are too old, once as many bytes were added', () => {
    const log = new EventLog({ events: 1000, bytes: 1e6, age: 100 });
    for (let i = 0; i < 100; i += 1) log.append(chat('old'.repeat(20)), 0);
    for (let i = 0; i < 100; i += 1) log.append(chat('young'.repeat(20)), 200);
    expect(seqs(log, 0)).toBe('events-gone');
    expect(seqs(log, 100)).toHaveLength(100);
  });

  test('returns events unchanged, in every script, and signal data byte for byte', () => {
    const log = new EventLog({ events: 100, bytes: 1e6, age: 1e6 });
    const events: RoomEvent[] = [
      chat('玄関 😀 "\\\n'),
      { type: 'signal', from: 'a', to: 'b-_1', epoch: 7, data: '{"a" : 1.0, "b":"\\u0041玄"}' },
      { type: 'signal', from: 'a', to: 'b', epoch: 7, data: '0' },
      { type: 'peer-updated', peer: 'a', name: 'é', media: { audio: true, video: false } },
      { type: 'peer-left', peer: 'a', reason: 'timeout' },
      { type: 'signal', from: 'b', to: 'a', epoch: 8, data: `"${'玄'.repeat(40_000)}"` },
    ];
    for (const [i, event] of events.entries()) log.append(event, 1000.5 + i);
    expect(log.since(0)).toEqual(events.map((event, i) => ({ seq: i + 1, at: 1000.5 + i, event })));
  });

  test('does not keep an event larger than the limit, and reports it as gone', () => {
    const log = new EventLog({ events: 10, bytes: 100, age: 1e6 });
    log.append(chat('x'.repeat(500)), 0);
    expect(log.seq).toBe(1);
    expect(seqs(log, 0)).toBe('events-gone');
    expect(seqs(log, 1)).toEqual([]);
  });
});

describe('an event log that leaves out numbers', () => {
  const skipped = () => {
    const log = filled(3);
    log.skipTo(100);
    log.append(chat('101'), 4);
    return log;
  };

  test('has everything for a peer that knows an event, and nothing for one that knows a number in between', () => {
    const log = skipped();
    expect([seqs(log, 0), seqs(log, 2), seqs(log, 3), seqs(log, 100)]).toEqual([
      [1, 2, 3, 101],
      [3, 101],
      [101],
      [101],
    ]);
    expect([seqs(log, 4), seqs(log, 99), seqs(log, 102)]).toEqual(['events-gone', 'events-gone', 'events-gone']);
    log.skipTo(200);
    log.skipTo(300);
    expect([seqs(log, 101), seqs(log, 200), seqs(log, 300), seqs(log, 201)]).toEqual([[], [], [], 'events-gone']);
    expect(seqs(log, 2)).toEqual([3, 101]);
  });

  test('keeps as many events as any other, and lets a peer cross while it needs none that is gone', () => {
    const log = skipped();
    for (let seq = 102; seq <= 107; seq += 1) log.append(chat(`${seq}`), 4);
    expect(seqs(log, 0)).toEqual([1, 2, 3, 101, 102, 103, 104, 105, 106, 107]);
    log.append(chat('108'), 4);
    expect([seqs(log, 0), seqs(log, 1)]).toEqual(['events-gone', [2, 3, 101, 102, 103, 104, 105, 106, 107, 108]]);
    const idle = filled(3);
    idle.skipTo(100);
    idle.age(1e9);
    expect([seqs(idle, 2), seqs(idle, 3), seqs(idle, 100)]).toEqual(['events-gone', [], []]);
    idle.append(chat('101'), 1e9);
    idle.age(3e9);
    expect([seqs(idle, 3), seqs(idle, 101)]).toEqual(['events-gone', []]);
  });

  test('is the same when it is read again from its parts', () => {
    const log = skipped();
    log.skipTo(200);
    let copy = new EventLog({ events: 10, bytes: 1e6, age: 1e6 });
    for (const part of log.parts()) {
      if ('base' in part) copy = EventLog.from({ events: 10, bytes: 1e6, age: 1e6 }, part.base);
      else if ('skipTo' in part) copy.skipTo(part.skipTo);
      else copy.append(part.event, part.at);
    }
    for (const after of [0, 1, 2, 3, 4, 99, 100, 101, 102, 199, 200, 201])
      expect(copy.since(after)).toEqual(log.since(after));
    expect([...copy.parts()]).toEqual([...log.parts()]);
  });
});
