/** What every store promises, once: run over memory and over Valkey, there with two workers. */
import { expect, test } from 'vitest';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { hear, join, resume } from '../../app/rooms/join.ts';
import { leave, lose } from '../../app/rooms/leave.ts';
import { applyMessage, type Said } from '../../app/rooms/messages.ts';
import type { RegistryLimits } from '../../app/rooms/registry.ts';
import type { Command, Room } from '../../app/rooms/room.ts';
import type { Committed, Store } from '../../app/store/store.ts';
import { entrance, rules } from '../rooms/rules.ts';

export const limits: RegistryLimits = {
  rooms: 200,
  rules,
  log: { events: 20, bytes: 20_000, age: 60_000 },
  kept: { total: 1e9, share: 1e9 },
};

/** `stores`: of one worker, or of several that share their rooms; `pass` lets time go on for all. */
export type Stores = { stores: Store[]; pass(ms: number): void };

let count = 0;
export const newRoom = () => `room-${process.pid}-${++count}`;

/** @throws when it was refused */
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
  (from: string, said: Said): Command<unknown> =>
  (room, now) =>
    applyMessage(room, from, said, now, rules);
export const chat = (from: string, n: number, text = `${from} ${n}`) => say(from, { type: 'chat', n, text });
const noop: Command<void> = () => ({ events: [], result: undefined });
/** The room as a store has it. */
export const look = async (store: Store, room: string): Promise<Room> =>
  (await done<Room>(store.commit(room, (place) => ({ events: [], result: structuredClone(place) })))).result;
const texts = (entries: RoomLogEntry[] | 'gone' | object) =>
  Array.isArray(entries) ? entries.map(({ event }) => ('text' in event ? event.text : event.type)) : entries;

export const describeStore = (given: () => Stores): void => {
  const one = () => given().stores[0] as Store;
  const other = () => given().stores.at(-1) as Store;
  const pass = (ms: number) => given().pass(ms);

  test('numbers events from 1, without gaps, whoever commits', async () => {
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

  test('a refusal changes nothing, and is that of the command', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    const before = await look(one(), room);
    expect(await other().commit(room, (place) => resume(place, entrance('nobody'), 0, rules))).toMatchObject({
      refused: 'unknown-session',
    });
    expect(await look(other(), room)).toEqual(before);
    expect(await one().commit(newRoom(), chat('a', 1))).toMatchObject({ refused: 'unknown-session' });
  });

  test('a command that throws is its giver’s alone', async () => {
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

  test('commands for one room are carried out in the order they were given', async () => {
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

  test('of two who race for the last seat one gets it', async () => {
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

  test('what many say at the same time is kept once each, in the order of each', async () => {
    const room = newRoom();
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) await done(one().commit(room, enter(id)));
    const heard: RoomLogEntry[] = [];
    other().subscribe(room, (entry) => heard.push(entry));
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
    await expect.poll(() => heard.length).toBe(100);
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 5));
    for (const from of ids) {
      const own = heard.filter(({ event }) => 'from' in event && event.from === from);
      const numbers = own.map(({ event }) =>
        'data' in event ? JSON.parse(event.data) : 'text' in event && event.text,
      );
      expect(numbers.map((number) => Number(String(number).split(' ').at(-1)))).toEqual(
        Array.from({ length: 25 }, (_, i) => i + 1),
      );
    }
  });

  test('a number is accepted once, whichever worker it comes to', async () => {
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

  test('every listener hears each event once and in order, until it stops', async () => {
    const room = newRoom();
    const heard: Record<string, (string | object)[]> = { one: [], other: [], stopped: [] };
    const listen = (store: Store, name: string) =>
      store.subscribe(room, ({ seq, event }) => heard[name]?.push(`${seq} ${event.type}`));
    const stops = [listen(one(), 'one'), listen(other(), 'other'), listen(one(), 'stopped')];
    // A worker hears what comes after it asked.
    await other().commit(room, noop);
    await done(one().commit(room, enter('a')));
    await expect.poll(() => heard.stopped).toEqual(['1 peer-joined']);
    stops.pop()?.();
    await done(other().commit(room, enter('b')));
    await done(one().commit(room, chat('a', 1)));
    const all = ['1 peer-joined', '2 peer-joined', '3 chat'];
    await expect.poll(() => heard.one).toEqual(all);
    await expect.poll(() => heard.other).toEqual(all);
    expect(heard.stopped).toEqual(['1 peer-joined']);
    for (const stop of stops) stop();
    const late: number[] = [];
    listen(one(), 'one');
    one().subscribe(room, ({ seq }) => late.push(seq));
    await done(other().commit(room, chat('b', 1)));
    await expect.poll(() => late.at(-1)).toBe(4);
  });

  test('the log is bounded by events and by bytes', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    for (let n = 1; n <= 60; n += 1) await done(one().commit(room, chat('a', n)));
    expect(await other().since(room, 0)).toBe('gone');
    const some = await other().since(room, 51);
    expect(texts(some)).toEqual(Array.from({ length: 10 }, (_, i) => `a ${i + 51}`));
    for (let n = 61; n <= 70; n += 1) await done(other().commit(room, chat('a', n, 'x'.repeat(4000))));
    expect(await one().since(room, 61)).toBe('gone');
    expect(await one().since(room, 69)).toHaveLength(2);
    expect(await one().since(room, 99)).toBe('gone');
  });

  test('what is older than its age goes with what comes', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    for (let n = 1; n <= 6; n += 1) await done(one().commit(room, chat('a', n, 'x'.repeat(400))));
    pass(70_000);
    for (let n = 7; n <= 16; n += 1) await done(one().commit(room, chat('a', n, 'x'.repeat(400))));
    expect(await one().since(room, 0)).toBe('gone');
    expect(await one().since(room, 7)).toHaveLength(10);
  });

  test('a room whose last peer has left is as new', async () => {
    const room = newRoom();
    await done(one().commit(room, enter('a')));
    await done(other().commit(room, chat('a', 1)));
    await done(other().commit(room, (place, now) => leave(place, 'a', 'left', now, rules)));
    expect(await one().since(room, 0)).toBe('gone');
    expect(await done(one().commit(room, enter('b')))).toMatchObject({ seq: 1 });
    expect(await look(other(), room)).toMatchObject({ joins: 1, said: [] });
  });

  test('who is away comes back within grace, and has left after it, once', async () => {
    const room = newRoom();
    const heard: string[] = [];
    for (const id of ['a', 'b']) await done(one().commit(room, enter(id, one())));
    one().subscribe(
      room,
      ({ event }) => 'peer' in event && event.type !== 'moved' && heard.push(`${event.type} ${event.peer}`),
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
    await expect.poll(() => heard).toEqual(['peer-away b', 'peer-back b', 'peer-away b', 'peer-left b']);
    expect([...(await look(other(), room)).peers.keys()]).toEqual(['a']);
  });

  test('who has no connection counts as lost when it is not heard of', async () => {
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

  test('a key is one’s own until it is over or given back', async () => {
    const key = newRoom();
    const now = (await done<number>(one().commit(key, (_, at) => ({ events: [], result: at })))).result;
    const raced = await Promise.all([one().claim(key, now + 60_000), other().claim(key, now + 60_000)]);
    expect(raced.sort()).toEqual([false, true]);
    await other().release(key);
    expect(await one().claim(key, now + 60_000)).toBe(true);
    expect(await other().claim(key, now + 60_000)).toBe(false);
  });
};
