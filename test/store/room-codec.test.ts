/** What is written is read back unchanged, whatever happened to a room. */
import { describe, expect, test } from 'vitest';
import {
  emptyRoom,
  type LobbyPeer,
  type Peer,
  type Presence,
  type Room,
  type RoomEvent,
} from '../../app/rooms/room.ts';
import {
  absent,
  changesOf,
  copyOf,
  readEntry,
  readRecord,
  type StoredRoom,
  writeEntry,
} from '../../app/store/room-codec.ts';
import { randomFrom } from '../listener/uwsgi/random.ts';

const random = randomFrom(20_261_120);
const pick = <T>(...choices: T[]): T => choices[random(choices.length)] as T;
const number = () => random(1e6);
const name = () => pick('a', 'Aiko', '"quoted"', '玄関 😀', 'line\nbreak', '\u2028', '');
const id = () => `${pick('a', 'b', 'c', 'd', 'e', '-_9')}${number() % 4}`;
const until = () => pick(Number.POSITIVE_INFINITY, number(), 1_795_197_936_221);

const presence = (): Presence =>
  pick<Presence>(
    { at: 'here', until: until() },
    { at: 'here', until: until(), worker: 'w' },
    { at: 'away', until: until(), reason: 'left' },
    { at: 'away', until: until(), reason: 'timeout', worker: 'w' },
  );
const waiting = (): LobbyPeer => ({
  id: id(),
  media: { audio: pick(true, false), video: pick(true, false) },
  secretHash: name(),
  presence: presence(),
  ...pick<Partial<LobbyPeer>>({}, { name: name() }),
  ...pick<Partial<LobbyPeer>>({}, { granted: {} }, { granted: { role: 'guest', name: name() } }),
});
let entered = 0;
const peer = (): Peer => {
  entered += 1;
  return { ...waiting(), role: pick('host', 'guest'), hand: pick(true, false), entered, accepted: number() };
};
const gone = () => ({ code: pick('denied', 'kicked', 'room-ended'), until: until() }) as const;
const chatLine = () => ({ from: id(), ...pick({}, { name: name() }), text: name(), at: number() });

/** Changes a room like commands do. */
const change = (room: Room): void => {
  const someone = pick(...room.peers.values(), undefined);
  const one = peer();
  const other = waiting();
  pick(
    () => {
      room.peers.delete(one.id);
      room.peers.set(one.id, one);
      room.joins += 1;
    },
    () => someone && room.peers.delete(someone.id),
    () => someone && Object.assign(someone, { presence: presence() }),
    () => someone && Object.assign(someone, { accepted: someone.accepted + 1 }),
    () => someone && Object.assign(someone, { name: name(), hand: !someone.hand, media: { audio: true, video: true } }),
    () => room.waiting.set(other.id, other),
    () => room.waiting.delete(pick(...room.waiting.keys(), 'nobody')),
    () => room.gone.set(name(), gone()),
    () => room.gone.delete(name()),
    () => room.said.push(chatLine()),
    () => room.said.shift(),
    () => Object.assign(room, { said: [] }),
    () => Object.assign(room, { access: pick('open', 'knock', 'locked') }),
    () => delete room.access,
    () => Object.assign(room, { passcode: { salt: name(), hash: name() } }),
    () => delete room.passcode,
  )();
};

/** What the script does with changes. */
const write = (kept: { fields: Map<string, string>; said: string[] }, changes: ReturnType<typeof changesOf>): void => {
  if (changes.version === '') {
    kept.fields.clear();
    kept.said = [];
    return;
  }
  for (const [field, value] of Object.entries(changes.set)) kept.fields.set(field, value);
  for (const field of changes.remove) kept.fields.delete(field);
  kept.fields.set('version', changes.version);
  const { added = [], kept: length = kept.said.length } = changes.said ?? {};
  kept.said = length === 0 ? [] : [...kept.said, ...added].slice(-length);
};

describe('a room in a shared store', () => {
  test('is read as it was written, after any changes', () => {
    for (let round = 0; round < 300; round += 1) {
      let known: StoredRoom = absent('garden');
      const kept = { fields: new Map<string, string>(), said: [] as string[] };
      for (let step = 0; step < 30; step += 1) {
        const room = copyOf(known.room);
        const before = structuredClone(known.room);
        for (let n = number() % 4; n >= 0; n -= 1) change(room);
        const changes = changesOf(known, room);
        expect(known.room).toEqual(before);
        write(kept, changes);
        if (changes.version === '') known = absent('garden');
        else {
          const read = readRecord('garden', kept.fields, kept.said);
          expect(read).toEqual({ version: changes.version, room });
          expect([...read.room.peers.keys()]).toEqual([...room.peers.keys()]);
          expect([...read.room.waiting.keys()]).toEqual([...room.waiting.keys()]);
          known = { version: changes.version, room };
        }
      }
    }
  });

  test('gets a new version after every change but a settled number', () => {
    const one = { ...peer(), id: 'a', accepted: 1 };
    const known: StoredRoom = { version: 'life.3', room: { ...emptyRoom('garden'), peers: new Map([['a', one]]) } };
    const room = copyOf(known.room);
    Object.assign(room.peers.get('a') ?? {}, { accepted: 2 });
    expect(changesOf(known, room)).toEqual({ version: 'life.3', set: { 'a:a': '2' }, remove: [] });
    room.joins += 1;
    expect(changesOf(known, room).version).toBe('life.4');
  });

  test('keeps events unchanged', () => {
    const events: RoomEvent[] = [
      { type: 'signal', from: 'a', to: 'b', epoch: 3, data: '{"a":\n\n[1,\r2], "玄": " \\n"}' },
      { type: 'signal', from: 'a', to: 'b', epoch: 3, data: '""' },
      { type: 'chat', from: 'a', text: 'one\ntwo\n\nthree', at: 5 },
      { type: 'lobby', among: ['a'], waiting: [{ id: 'b', name: name(), away: false }] },
      { type: 'room-ended', for: 'all', peers: 2 },
    ];
    for (const event of events)
      expect(readEntry(7, writeEntry({ at: 1_795_197_936_221, event }))).toEqual({
        seq: 7,
        at: 1_795_197_936_221,
        event,
      });
  });
});
