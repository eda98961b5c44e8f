/** Seats and lobby entries that give way, the rate of resumes, and the bytes that rooms keep. */
import { describe, expect, test } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import { join, resume } from '../../app/rooms/join.ts';
import { expectBy, lose, sweep } from '../../app/rooms/leave.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import { hear, listen, listenAndWait } from '../../app/rooms/presence.ts';
import { Registry } from '../../app/rooms/registry.ts';
import { carryOut, emptyRoom, isOver, type Room } from '../../app/rooms/room.ts';
import { enter, entrance, rules, took } from './rules.ts';

const otherNetwork = '203.0.113.66';
const idle = rules.idleSeat;
/** Takes a seat by a request, without a connection for events. */
const takeSeat = (room: Room, id: string, from: string, now = 0) =>
  join(room, entrance(id, { from, until: now + 1000 }), now, rules);
const who = (id: string, until: number) => ({ id, secretHash: `hash of ${id}`, until });
const idsOf = ({ peers }: Room) => [...peers.keys()];

describe('a full room', () => {
  test('gives the idle seat of an unconnected peer to a newcomer, after poll-grace', () => {
    const room = emptyRoom('r');
    enter(room, 'host', { from: '192.0.2.1' });
    for (const id of ['s1', 's2', 's3']) took(takeSeat(room, id, otherNetwork));
    const newcomer = entrance('guest', { from: '192.0.2.2' });
    expect(join(room, newcomer, idle - 1, rules)).toMatchObject({ refused: 'room-full' });
    // Requests other than for events do not count as a connection.
    for (const id of ['s1', 's2', 's3']) took(hear(room, who(id, 5000), idle - 1));
    expect(took(join(room, newcomer, idle, rules)).events).toMatchObject([
      { type: 'peer-left', peer: 's1', reason: 'timeout' },
      { type: 'peer-joined', peer: { id: 'guest' } },
    ]);
    expect(idsOf(room)).toEqual(['host', 's2', 's3', 'guest']);
  });

  test('gives a seat that was never connected to a newcomer after two seconds', () => {
    const usual = { ...rules, maxPeers: 2, idleSeat: 10_000 };
    const room = emptyRoom('r');
    enter(room, 'host', { from: '192.0.2.1' });
    took(join(room, entrance('s', { from: otherNetwork, until: 10_000 }), 0, usual));
    const newcomer = entrance('guest', { from: '192.0.2.2' });
    expect(join(room, newcomer, 1999, usual)).toMatchObject({ refused: 'room-full' });
    took(join(room, newcomer, 2000, usual));
  });

  test('keeps the seats of peers that are connected by any transport, or were a moment ago', () => {
    const room = emptyRoom('r');
    enter(room, 'host');
    for (const id of ['polls', 'lost', 'polled']) took(takeSeat(room, id, '192.0.2.1'));
    took(listenAndWait(room, who('polls', 9000), 10));
    took(resume(room, who('lost', Number.POSITIVE_INFINITY), 10, rules));
    took(lose(room, 'lost', 100, rules));
    took(listenAndWait(room, who('polled', 9000), 10));
    took(expectBy(room, 'polled', 9000, 150));
    took(hear(room, who('polls', 9000), 20));
    const comes = (now: number) => join(room, entrance('guest'), now, rules);
    // A single one of a network is kept: its page may be reloading.
    expect(comes(150 + idle - 1)).toMatchObject({ refused: 'room-full' });
    expect(took(comes(150 + idle)).events).toMatchObject([{ peer: 'lost', reason: 'timeout' }, {}]);
  });

  test('keeps the seat of a peer that polls repeatedly without waiting', () => {
    const room = emptyRoom('r');
    for (const id of ['a', 'b', 'c']) enter(room, id, { from: otherNetwork });
    took(takeSeat(room, 'polls', '192.0.2.1'));
    for (let now = 0; now < 5 * idle; now += idle / 2) {
      took(listen(room, who('polls', now + 1000), now));
      expect(join(room, entrance('more', { from: otherNetwork }), now + idle / 4, rules)).toHaveProperty('refused');
    }
  });

  test('keeps the seats of hosts, and gives none to a network that has as many as the one that would lose it', () => {
    const room = emptyRoom('r');
    enter(room, 'host', { from: '192.0.2.1' });
    for (const id of ['h1', 'h2']) enter(room, id, { from: '192.0.2.2' });
    enter(room, 's1', { from: otherNetwork });
    for (const id of ['host', 'h1', 'h2']) lose(room, id, 0, rules);
    const comes = (from: string) => join(room, entrance('more', { from }), idle, rules);
    room.peers.delete('h2');
    enter(room, 's2', { from: otherNetwork });
    expect(comes(otherNetwork)).toMatchObject({ refused: 'room-full' });
    expect(idsOf(room)).toEqual(['host', 'h1', 's1', 's2']);
  });

  test('gives the seats of the network with the most idle seats', () => {
    const room = emptyRoom('r');
    took(takeSeat(room, 'honest', '192.0.2.1'));
    lose(room, 'honest', 1, rules);
    for (const [at, id] of ['s1', 's2', 's3'].entries()) took(takeSeat(room, id, `2001:db8:66:${at}::1`, 2));
    took(join(room, entrance('guest', { from: '192.0.2.9' }), 10 + idle, rules));
    expect(idsOf(room)).toEqual(['honest', 's2', 's3', 'guest']);
  });

  test('is not refilled by requests alone once peers are connected', () => {
    const room = emptyRoom('r');
    for (const id of ['a', 'b', 'c', 'd']) enter(room, id);
    expect(takeSeat(room, 's1', otherNetwork, 1e6)).toMatchObject({ refused: 'room-full' });
  });
});

describe('a full lobby', () => {
  const knocks = (room: Room, id: string, from: string, now = 0, until = Number.POSITIVE_INFINITY) =>
    carryOut(room, (place) => join(place, entrance(id, { from, until }), now, rules), now);
  const opened = (): Room => {
    const room = emptyRoom('r');
    enter(room, 'host');
    room.access = 'knock';
    return room;
  };

  test('gives the newest entry of the network with the most entries to another network', () => {
    const room = opened();
    took(knocks(room, 's1', '2001:db8:66:1::1'));
    took(knocks(room, 's2', '2001:db8:66:2::1'));
    expect(knocks(room, 's3', '2001:db8:66:3::1')).toMatchObject({ refused: 'lobby-full' });
    expect(took(knocks(room, 'honest', '192.0.2.1')).events).toMatchObject([
      { type: 'denied', peer: 's2', crowded: true },
      { type: 'lobby', waiting: [{ id: 's1' }, { id: 'honest' }] },
    ]);
    expect(knocks(room, 'another', '192.0.2.2')).toMatchObject({ refused: 'lobby-full' });
  });

  test('gives an entry without a connection', () => {
    const room = opened();
    took(knocks(room, 's1', otherNetwork, 0, 9000));
    took(knocks(room, 'w', '192.0.2.1'));
    expect(knocks(room, 'honest', '192.0.2.2', idle - 1)).toMatchObject({ refused: 'lobby-full' });
    took(knocks(room, 'honest', '192.0.2.2', idle));
    expect([...room.waiting.keys()]).toEqual(['w', 'honest']);
  });
});

describe('resumes and rejoins', () => {
  const few = { ...rules, resumes: { rate: 1, burst: 3 } };
  const back = (room: Room, now: number, until = Number.POSITIVE_INFINITY) =>
    resume(room, { ...who('a', until), from: '192.0.2.7' }, now, few);

  test('share a budget that the seat keeps, and a refusal changes nothing', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    for (let at = 0; at < 3; at += 1) took(back(room, 0));
    lose(room, 'a', 0, few);
    expect(back(room, 0)).toEqual({ refused: 'rate-limited', detail: 'by this session', retry: 1000 });
    expect(room.peers.get('a')?.presence.at).toBe('away');
    took(join(room, entrance('a'), 0, few));
    expect(back(room, 500)).toMatchObject({ refused: 'rate-limited', retry: 500 });
    took(back(room, 1000));
    expect(room.peers.get('a')?.from).toBe('192.0.2.7');
  });
});

describe('a room that is not open', () => {
  test('is not opened by an address that has opened too many; an open one can be joined', () => {
    const room = emptyRoom('r');
    const newcomer = (id: string) => entrance(id, { from: otherNetwork, mayOpen: false });
    expect(join(room, newcomer('s'), 0, rules)).toMatchObject({ refused: 'too-many-rooms' });
    enter(room, 'a', { from: '192.0.2.1' });
    took(join(room, newcomer('s'), 0, rules));
    expect(room.from).toBe('192.0.2.1');
  });
});

describe('kept bytes', () => {
  const limits = {
    ...{ rooms: 1000, rules: { ...rules, chatHistory: 0 } },
    log: { events: 10_000, bytes: 1e6, age: 60_000 },
    kept: { total: 1_500_000, share: 1_000_000 },
  };
  const fill = (registry: Registry, name: string, from: string, texts: number, now = 0) => {
    registry.commit(name, (room) => join(room, entrance('a', { from }), now, limits.rules), now);
    for (let n = 1; n <= texts; n += 1)
      registry.commit(
        name,
        (room) => applyMessage(room, 'a', { type: 'chat', n, text: 'x'.repeat(4000) }, now, limits.rules),
        now,
      );
  };

  test('stay within the share of the network that opened the rooms, and other rooms keep their events', () => {
    const registry = new Registry(limits);
    fill(registry, 'honest', '192.0.2.1', 20);
    for (let at = 0; at < 200; at += 1) fill(registry, `s${at}`, `2001:db8:66:${at}::1`, 20);
    expect(registry.keptBytes()).toBeLessThan(1_000_000 + 200_000);
    expect(registry.since('honest', 1)).toHaveLength(20);
    expect(registry.since('s0', 1)).toEqual(refuse('events-gone'));
  });

  test('stay within the budget of the process', () => {
    const registry = new Registry(limits);
    for (let at = 0; at < 60; at += 1) fill(registry, `r${at}`, `192.0.2.${at}`, 10);
    expect(registry.keptBytes()).toBeLessThanOrEqual(1_500_000);
  });

  test('are freed by age alone, and with the room', () => {
    const registry = new Registry(limits);
    fill(registry, 'r', '192.0.2.1', 100);
    const before = registry.keptBytes();
    registry.sweep(limits.log.age + 1);
    expect(registry.keptBytes()).toBeLessThan(before / 50);
    expect(registry.holdings()).toEqual(new Map([['192.0.2.1', { rooms: 1, seats: 1 }]]));
    registry.commit('r', (room, now) => applyMessage(room, 'a', { type: 'end', n: 101 }, now, limits.rules), 100_000);
    registry.sweep(1e6);
    expect([registry.count(), registry.keptBytes()]).toEqual([{ rooms: 0, peers: 0 }, 0]);
  });

  test('of the chat history are limited in characters', () => {
    const room = emptyRoom('r');
    enter(room, 'a');
    const many = { ...rules, chatHistory: 50 };
    for (let n = 1; n <= 50; n += 1) applyMessage(room, 'a', { type: 'chat', n, text: 'x'.repeat(4000) }, 0, many);
    expect(room.said).toHaveLength(16);
  });
});

describe('a ban', () => {
  const opened = (): Room => {
    const room = emptyRoom('r');
    enter(room, 'host');
    enter(room, 'bad', { from: '2001:db8:0:101::/64', granted: { subject: 'user-7' } });
    return room;
  };
  const kick = (room: Room, more: object) =>
    took(applyMessage(room, 'host', { type: 'kick', n: 1, peer: 'bad', ...more }, 0, rules));
  const again = (room: Room, more: object, now = 1) => join(room, entrance('again', more), now, rules);

  test('applies to another session with a token of the same subject', () => {
    const room = opened();
    kick(room, { ban: true });
    expect(again(room, { granted: { subject: 'user-7' } })).toEqual({ refused: 'kicked' });
    took(again(room, { granted: { subject: 'user-8' }, from: '2001:db8:0:101::/64' }));
  });

  test('of a network applies to all its addresses for an hour, and does not keep the room alive', () => {
    const room = opened();
    kick(room, { ban: true, network: true });
    expect(again(room, { from: '2001:db8:0:1ff::/64' })).toEqual({ refused: 'kicked' });
    expect(again(room, { from: '2001:db8:0:200::/64' })).not.toHaveProperty('refused');
    expect(join(room, entrance('late', { from: '2001:db8:0:101::/64' }), 3_600_000, rules)).not.toHaveProperty(
      'refused',
    );
    took(applyMessage(room, 'host', { type: 'end', n: 2 }, 0, rules));
    sweep(room, rules.grace, rules);
    expect(isOver(room)).toBe(true);
  });

  test('without a token or a network applies to the session alone', () => {
    const room = opened();
    kick(room, { ban: false, network: true });
    took(again(room, { granted: { subject: 'user-7' }, from: '2001:db8:0:101::/64' }));
  });
});
