/** The guarantees of every store: run over memory and over Valkey, there with two workers. */
import { expect, test } from 'vitest';
import { textOf } from '../../app/protocol/byte-range.ts';
import { refuse } from '../../app/protocol/errors.ts';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { join, resume } from '../../app/rooms/join.ts';
import { leave, lose } from '../../app/rooms/leave.ts';
import { applyMessage, type Said } from '../../app/rooms/messages.ts';
import { hear } from '../../app/rooms/presence.ts';
import type { RegistryLimits } from '../../app/rooms/registry.ts';
import type { Command, Room } from '../../app/rooms/room.ts';
import type { Committed, Store } from '../../app/store/store.ts';
import { entrance, rules } from '../rooms/rules.ts';

export const limits: RegistryLimits = {
  rooms: 200,
  rules: { ...rules, roomMemory: 5000 },
  log: { events: 20, bytes: 20_000, age: 60_000 },
  kept: { total: 1e9, share: 1e9 },
};

/** `stores`: of one worker, or of several that share their rooms; `pass` advances the time of all. */
export type Stores = { stores: Store[]; pass(ms: number): void };

let count = 0;
export const newRoom = () => `room-${process.pid}-${++count}`;

/** @throws if it was refused */
export const done = async <T>(outcome: ReturnType<Store['commit']>): Promise<Committed<T>> => {
  const committed = await outcome;
  if ('refused' in committed) throw new Error(committed.refused);
  return committed as Committed<T>;
};
export const enter =
  (id: string, store?: Store): Command<unknown> =>
  (room) =>
    join(room, entrance(id, store ? { worker: store.worker } : {}), 0, rules);
export const say =
  (from: string, message: Said): Command<unknown> =>
  (room, now) =>
    applyMessage(room, from, message, now, rules);
export const chat = (from: string, n: number, text = `${from} ${n}`) => say(from, { type: 'chat', n, text });
const noop: Command<void> = () => ({ events: [], result: undefined });
/** The room as a store has it. */
export const look = async (store: Store, room: string): Promise<Room> =>
  (await done<Room>(store.commit(room, (place) => ({ events: [], result: structuredClone(place) })))).result;
const texts = (entries: RoomLogEntry[] | object) =>
  Array.isArray(entries) ? entries.map(({ event }) => ('text' in event ? event.text : event.type)) : entries;

export const describeStore = (given: () => Stores): void => {
  const one = () => given().stores[0] as Store;
  const other = () => given().stores.at(-1) as Store;
  const pass = (ms: number) => given().pass(ms);

  test('numbers events from 1 without gaps, whichever worker commits', async () => {
    const room = newRoom();
    expect(await done(one().commit(room, enter('a')))).toMatchObject({ seq: 1 });
    expect(await done(other().commit(room, enter('b')))).toMatchObject({ seq: 2 });
    expect(await done(one().commit(room, chat('a', 1)))).toMatchObject({ seq: 3, result: { accepted: 1 } });
    expect(await done(other().commit(room, chat('b', 1)))).toMatchObject({ seq: 4 });
    expect(await done(other().commit(room, noop))).toMatchObject({ seq: 4 });
    const all = await one().since(room, 0);
    expect(Array.isArray(all) && all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(texts(await other().since(room, 1))).toEqual(['peer-joined', 'a 1', 'b 1']);
    expect(await other().since(room, 4)).toEqual([]);
  });

  test('returns the refusal of a command, and changes nothing', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    const before = await look(one(), room);
    expect(await other().commit(room, (place) => resume(place, entrance('nobody'), 0, rules))).toMatchObject({
      refused: 'unknown-session',
    });
    expect(await look(other(), room)).toEqual(before);
    expect(await one().commit(newRoom(), chat('a', 1))).toMatchObject({ refused: 'unknown-session' });
  });

  test('fails only the caller of a command that throws', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    const outcomes = await Promise.allSettled([
      one().commit(room, chat('a', 1)),
      one().commit(room, () => {
        throw new Error('a mistake');
      }),
      one().commit(room, chat('a', 2)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(texts(await one().since(room, 1))).toEqual(['a 1', 'a 2']);
  });

  test('runs the commands of one room in order', async () => {
    const room = newRoom();
    const outcomes = await Promise.all([
      one().commit(room, enter('a')),
      ...Array.from({ length: 150 }, (_, i) => one().commit(room, chat('a', i + 1))),
      one().commit(room, (place, now) => leave(place, 'a', 'left', now, rules)),
      one().commit(room, enter('b')),
    ]);
    expect(outcomes.slice(0, 152).map((outcome) => 'seq' in outcome && outcome.seq)).toEqual(
      Array.from({ length: 152 }, (_, i) => i + 1),
    );
    expect([...(await look(one(), room)).peers.keys()]).toEqual(['b']);
  });

  test('gives the last seat to one of two concurrent joins', async () => {
    for (let round = 0; round < 10; round += 1) {
      const room = newRoom();
      for (const id of ['a', 'b', 'c']) await done(one().commit(room, enter(id)));
      const raced = await Promise.all([one().commit(room, enter('d')), other().commit(room, enter('e'))]);
      expect(raced.map((outcome) => ('refused' in outcome ? outcome.refused : 'in')).sort()).toEqual([
        'in',
        'room-full',
      ]);
      expect((await look(one(), room)).peers.size).toBe(4);
      expect((await look(other(), room)).peers.size).toBe(4);
    }
  });

  test('keeps concurrent messages once each, in the order of each sender', async () => {
    const room = newRoom();
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) await done(one().commit(room, enter(id)));
    const received: RoomLogEntry[] = [];
    other().subscribe(room, (entry) => received.push(entry));
    await other().commit(room, noop);
    const signal = (from: string, n: number, to: string) =>
      say(from, { type: 'signal', n, to, epoch: Math.max(ids.indexOf(from), ids.indexOf(to)) + 1, data: `"${n}"` });
    await Promise.all(
      ids.map(async (from, at) => {
        const store = at % 2 === 0 ? one() : other();
        for (let n = 1; n <= 25; n += 1)
          await done(store.commit(room, n % 5 === 0 ? chat(from, n) : signal(from, n, ids[(at + 1) % 4] ?? '')));
      }),
    );
    await expect.poll(() => received.length).toBe(100);
    expect(received.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 5));
    for (const from of ids) {
      const own = received.filter(({ event }) => 'from' in event && event.from === from);
      const numbers = own.map(({ event }) =>
        'data' in event ? JSON.parse(textOf(event.data)) : 'text' in event && event.text,
      );
      expect(numbers.map((number) => Number(String(number).split(' ').at(-1)))).toEqual(
        Array.from({ length: 25 }, (_, i) => i + 1),
      );
    }
  });

  test('accepts a message number once, whichever worker receives it', async () => {
    const room = newRoom();
    for (const id of ['a', 'b']) await done(one().commit(room, enter(id)));
    const signal = (n: number) => say('a', { type: 'signal', n, to: 'b', epoch: 2, data: `${n}` });
    await done(one().commit(room, signal(1)));
    expect(await done(other().commit(room, signal(1)))).toMatchObject({ seq: 3, result: { accepted: 1 } });
    expect(await done(other().commit(room, signal(2)))).toMatchObject({ seq: 4 });
    expect(await one().commit(room, signal(4))).toMatchObject({ refused: 'out-of-order' });
    expect(await done(one().commit(room, signal(3)))).toMatchObject({ seq: 5 });
    expect((await look(other(), room)).peers.get('a')?.accepted).toBe(3);
  });

  test('sends each listener every event once and in order, until it unsubscribes', async () => {
    const room = newRoom();
    const received: Record<string, (string | object)[]> = { one: [], other: [], stopped: [] };
    const listen = (store: Store, name: string) =>
      store.subscribe(room, ({ seq, event }) => received[name]?.push(`${seq} ${event.type}`));
    const stops = [listen(one(), 'one'), listen(other(), 'other'), listen(one(), 'stopped')];
    // A worker receives what is committed after it subscribed.
    await other().commit(room, noop);
    await done(one().commit(room, enter('a')));
    await expect.poll(() => received.stopped).toEqual(['1 peer-joined']);
    stops.pop()?.();
    await done(other().commit(room, enter('b')));
    await done(one().commit(room, chat('a', 1)));
    const all = ['1 peer-joined', '2 peer-joined', '3 chat'];
    await expect.poll(() => received.one).toEqual(all);
    await expect.poll(() => received.other).toEqual(all);
    expect(received.stopped).toEqual(['1 peer-joined']);
    for (const stop of stops) stop();
    const late: number[] = [];
    listen(one(), 'one');
    one().subscribe(room, ({ seq }) => late.push(seq));
    await done(other().commit(room, chat('b', 1)));
    await expect.poll(() => late.at(-1)).toBe(4);
  });

  test('limits the log by events and by bytes', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    for (let n = 1; n <= 60; n += 1) await done(one().commit(room, chat('a', n)));
    expect(await other().since(room, 0)).toEqual(refuse('events-gone'));
    const some = await other().since(room, 51);
    expect(texts(some)).toEqual(Array.from({ length: 10 }, (_, i) => `a ${i + 51}`));
    for (let n = 61; n <= 70; n += 1) await done(other().commit(room, chat('a', n, 'x'.repeat(4000))));
    expect(await one().since(room, 61)).toEqual(refuse('events-gone'));
    expect(await one().since(room, 69)).toHaveLength(2);
    expect(await one().since(room, 99)).toEqual(refuse('events-gone'));
  });

  test('drops old events when new ones are added', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    for (let n = 1; n <= 6; n += 1) await done(one().commit(room, chat('a', n, 'x'.repeat(400))));
    pass(70_000);
    for (let n = 7; n <= 16; n += 1) await done(one().commit(room, chat('a', n, 'x'.repeat(400))));
    expect(await one().since(room, 0)).toEqual(refuse('events-gone'));
    expect(await one().since(room, 7)).toHaveLength(10);
  });

  test('makes a room like new when its last peer has left', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    await done(other().commit(room, chat('a', 1)));
    await done(other().commit(room, (place, now) => leave(place, 'a', 'left', now, rules)));
    expect(await one().since(room, 0)).toEqual(refuse('events-gone'));
    expect(await done(one().commit(room, enter('b')))).toMatchObject({ seq: 1 });
    expect(await look(other(), room)).toMatchObject({ joins: 1, said: [] });
  });

  test('keeps the settings of an empty room for a host that was lost, and then forgets them', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a', one())));
    await done(one().commit(room, say('a', { type: 'lock', n: 1, access: 'locked' })));
    const losing: Command<void> = (place, now) => lose(place, 'a', now, rules, one().worker);
    await done(one().commit(room, losing));
    pass(rules.grace);
    for (const store of given().stores) await store.sweep();
    expect((await look(other(), room)).peers.size).toBe(0);
    expect(await other().commit(room, enter('b'))).toEqual(refuse('room-locked'));
    const former = { secretHash: 'hash of a', at: 0 };
    const returning: Command<unknown> = (place, now) =>
      join(place, entrance('a', { secretHash: 'new', former }), now, rules);
    expect(await done(other().commit(room, returning))).toMatchObject({ result: { view: { self: { role: 'host' } } } });
    await done(other().commit(room, (place, now) => lose(place, 'a', now, rules)));
    pass(rules.grace);
    for (const store of given().stores) await store.sweep();
    pass(limits.rules.roomMemory);
    for (const store of given().stores) await store.sweep();
    expect(await done(one().commit(room, enter('b')))).toMatchObject({ seq: 1 });
  });

  test('lets an away peer return within grace, and removes it afterwards, once', async () => {
    const room = newRoom();
    const received: string[] = [];
    for (const id of ['a', 'b']) await done(one().commit(room, enter(id, one())));
    one().subscribe(
      room,
      ({ event }) => 'peer' in event && event.type !== 'moved' && received.push(`${event.type} ${event.peer}`),
    );
    await done(one().commit(room, (place, now) => lose(place, 'b', now, rules, one().worker)));
    pass(500);
    for (const store of given().stores) await store.sweep();
    const back = { ...entrance('b'), worker: other().worker };
    await done(other().commit(room, (place) => resume(place, back, 0, rules)));
    pass(900);
    for (const store of given().stores) await store.sweep();
    await done(other().commit(room, (place, now) => lose(place, 'b', now, rules, other().worker)));
    pass(1001);
    for (const store of given().stores) await store.sweep();
    await expect.poll(() => received).toEqual(['peer-away b', 'peer-back b', 'peer-away b', 'peer-left b']);
    expect([...(await look(other(), room)).peers.keys()]).toEqual(['a']);
  });

  test('marks a peer without a connection as lost when its requests stop', async () => {
    const room = newRoom();
    const now = (await done<number>(one().commit(room, (_, at) => ({ events: [], result: at })))).result;
    await done(one().commit(room, (place) => join(place, entrance('a', { until: now + 5000 }), 0, rules)));
    await done(other().commit(room, (place) => hear(place, { ...entrance('a'), until: now + 8000 }, 0)));
    pass(6000);
    for (const store of given().stores) await store.sweep();
    expect((await look(one(), room)).peers.get('a')?.presence.at).toBe('here');
    pass(3000);
    for (const store of given().stores) await store.sweep();
    expect((await look(one(), room)).peers.get('a')?.presence.at).toBe('away');
  });

  test('lets one caller hold a claim until it expires or is released', async () => {
    const key = newRoom();
    const now = (await done<number>(one().commit(key, (_, at) => ({ events: [], result: at })))).result;
    const raced = await Promise.all([one().claim(key, now + 60_000), other().claim(key, now + 60_000)]);
    expect(raced.sort()).toEqual([false, true]);
    await other().release(key);
    expect(await one().claim(key, now + 60_000)).toBe(true);
    expect(await other().claim(key, now + 60_000)).toBe(false);
  });
};
