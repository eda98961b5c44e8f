/**
 * What an earlier release wrote is read correctly, or refused by name: the examples in this folder, each written by the release that had
 * its format (write.ts). These tests fail when the written format changes: raise its version.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { Registry } from '../../app/rooms/registry.ts';
import type { Room } from '../../app/rooms/room.ts';
import { format as handOverFormat } from '../../app/rooms/snapshot.ts';
import { serve } from '../../app/serve.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { recover } from '../../app/store/embedded/recovery.ts';
import { memoryStore } from '../../app/store/memory.ts';
import { format as storeFormat } from '../../app/store/room-codec.ts';
import type { Store } from '../../app/store/store.ts';
import { openValkey } from '../../app/store/valkey.ts';
import { limits } from '../rooms/lived.ts';
import { without } from '../setup/without.ts';
import { done, enter, look } from '../store/contract.ts';
import { type Server, startServer } from '../store/server.ts';
import {
  files,
  folder,
  handedOver,
  handOverFile,
  journaled,
  journalFile,
  type Stored,
  stored,
  storeFile,
} from './life.ts';

const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const never = Number.POSITIVE_INFINITY;

/** The room of all examples, as its readers see it. */
const expectLife = (room: Room, events: { seq: number; event: object }[]): void => {
  const off = { audio: false, video: false };
  expect(room).toMatchObject({ name: 'r', joins: 4, access: 'knock', passcode: { salt: 's', hash: 'h' } });
  expect([...room.peers.values()]).toEqual([
    expect.objectContaining({
      id: 'a',
      name: 'Aiko',
      role: 'host',
      entered: 1,
      accepted: 6,
      granted: { role: 'host', name: 'Aiko' },
      secretHash: 'hash of a',
      presence: { at: 'here', until: never },
    }),
    expect.objectContaining({
      id: 'b',
      role: 'guest',
      hand: true,
      accepted: 2,
      media: { audio: true, video: false, screen: true },
      presence: { at: 'here', until: 5000 },
    }),
    expect.objectContaining({
      id: 'c',
      role: 'guest',
      hand: false,
      accepted: 0,
      media: off,
      presence: { at: 'away', until: 109, reason: 'left' },
    }),
  ]);
  expect([...room.waiting.values()]).toMatchObject([
    { id: 'w', name: 'Wanda', presence: { at: 'here', until: never } },
  ]);
  expect([...room.gone]).toEqual([['hash of d', { code: 'kicked', until: never }]]);
  expect(room.said).toMatchObject([{ from: 'a', name: 'Aiko', text: 'hello', at: 7 }]);
  expect(events.map(({ seq }) => seq)).toEqual([8, 9, 10, 11, 12, 13, 14]);
  expect(events.map(({ event }) => event)).toMatchObject([
    { type: 'room-updated', passcode: false },
    { type: 'lobby', among: ['a'], waiting: [{ id: 'w', name: 'Wanda', away: false }] },
    { type: 'peer-updated', peer: 'b', hand: true },
    { type: 'signal', from: 'b', to: 'a', epoch: 2, data: '{"sdp": "v=0\\r\\n 玄関"}' },
    { type: 'chat', from: 'a', text: 'hello', at: 7 },
    { type: 'peer-away', peer: 'c' },
    { type: 'room-updated', passcode: true },
  ]);
};

describe('the handover format', () => {
  test('has a recorded example of the current version, equal to what is written', () => {
    expect(files('handover').map(({ file }) => file)).toContain(handOverFile);
    expect(handedOver()).toEqual(read(handOverFile));
  });

  test.each(files('handover'))('$file is read correctly, or refused with its version', ({ file, format }) => {
    const registry = new Registry(limits);
    if (format !== String(handOverFormat)) {
      const sentence = `room "r" is in format ${format}; this version supports only format ${handOverFormat}`;
      expect(() => registry.adopt(read(file))).toThrow(sentence);
      return;
    }
    registry.adopt(read(file));
    const known = registry.commit('r', (room) => ({ events: [], result: structuredClone(room) }), 0);
    const events = registry.since('r', 7);
    if ('refused' in known || 'refused' in events) throw new Error('it was not read');
    expectLife(known.result, events);
  });

  test('a used token of another format is refused', async () => {
    const store = memoryStore(limits, () => 0, zeroCounts());
    await store.claim('key', 1000);
    const [part] = store.handOver?.() ?? [];
    expect(part).toEqual({ format: handOverFormat, claim: 'key', until: 1000 });
    const successor = memoryStore(limits, () => 0, zeroCounts());
    expect(() => successor.adopt?.({ ...(part as object), format: 99 })).toThrow('is in format 99');
    successor.adopt?.(part);
    expect(await successor.claim('key', 1000)).toBe(false);
  });

  test('a room of a later format is dropped and logged, and all others continue', async () => {
    const loaded = load(['--http', '127.0.0.1:0', '--grace', '30'], {});
    if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
    const lines: string[] = [];
    const first = await serve(loaded.settings, pino({ level: 'silent' }));
    const address = (running: typeof first) => `http://${running.listening[0]?.address}`;
    const peers = ['kept', 'later'].map((room) => new WebSocketPeer(address(first), room));
    for (const peer of peers) await peer.join();
    const parts = [...first.handOver()].map((part) => JSON.parse(JSON.stringify(part)));
    await first.stop();
    for (const part of parts) if (part.name === 'later') part.format = 99;
    const second = await serve(loaded.settings, pino({ base: null }, { write: (line: string) => lines.push(line) }), {
      inheritance: async () => parts,
    });
    const again = async ({ room, session }: WebSocketPeer) => {
      const peer = new WebSocketPeer(address(second), room);
      const joined = await peer.join({ session, after: 1 });
      peer.dispose();
      return joined.recovered;
    };
    expect(await Promise.all(peers.map(again))).toEqual([true, false]);
    expect(lines.join('')).toContain('room \\"later\\" is in format 99; this version supports only format 1');
    await second.stop({ within: 0 });
  });
});

describe('the format of the embedded store', () => {
  const examples = readdirSync(folder).filter((file) => file.startsWith('journal-'));

  test('has a recorded example of the current version, equal to what is written', () => {
    expect(examples).toContain(journalFile);
    expect(journaled()).toEqual(readFileSync(join(folder, journalFile)));
  });

  test.each(examples)('%s is read correctly, or refused with its version', (file) => {
    const directory = mkdtempSync(join(tmpdir(), 'journal-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    cpSync(join(folder, file), join(directory, 'journal.1'));
    const read = () => recover(directory, { events: 99, bytes: 1e6, age: 1e9 });
    if (file !== journalFile) return expect(read).toThrow('this version of Genkan reads only format');
    const { rooms, claims, clean, torn } = read();
    expect([claims, clean, torn, rooms.length]).toEqual([new Map([['key', 1000]]), true, 0, 1]);
    const [{ room, log } = { room: {} as Room, log: undefined }] = rooms;
    expect(room.peers.get('a')?.accepted).toBe(7);
    for (const peer of room.peers.values()) if (peer.id === 'a') peer.accepted = 6;
    room.joins = 4;
    const events = log?.kept() ?? [];
    expect(events.pop()).toEqual({
      ...{ seq: 101, at: 10, event: { type: 'signal', from: 'a', to: 'b', epoch: 2, data: '"玄関"' } },
    });
    expectLife(room, events.slice(-7));
  });
});

describe.skipIf(without('redis-server'))('the store format', () => {
  let server: Server;
  const stores: Store[] = [];
  const opened = async () => {
    const log = { info: () => {}, warn: () => {} };
    const store = await openValkey(
      { url: server.url, cluster: false, timeout: 2000, lease: 15_000, limits },
      log,
      zeroCounts(),
    );
    stores.push(store);
    return store;
  };
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    await server.stop();
  });
  const put = async (room: string, { fields, log, said }: Stored) => {
    await server.ask(['HSET', `genkan:{${room}}`, ...Object.entries(fields).flat()]);
    await server.ask(['RPUSH', `genkan:{${room}}:log`, ...log]);
    await server.ask(['RPUSH', `genkan:{${room}}:said`, ...said]);
  };

  test('has a recorded example of the current version, equal to what is written', () => {
    expect(files('store').map(({ file }) => file)).toContain(storeFile);
    expect(stored()).toEqual(read(storeFile));
  });

  test.each(files('store'))('$file is read correctly, or refused with its version', async ({ file, format }) => {
    await put('r', read(file));
    const store = await opened();
    if (format === storeFormat) {
      const events = await store.since('r', 7);
      expectLife(await look(store, 'r'), Array.isArray(events) ? events : []);
      expect(
        await done(
          store.commit('r', (room) => ({
            events: [{ type: 'peer-back', peer: [...room.peers.keys()][0] ?? '' }],
            result: undefined,
          })),
        ),
      ).toMatchObject({ seq: 15 });
    } else {
      const sentence = `the store has room "r" in format ${format}; this version supports only format ${storeFormat}`;
      await expect(look(store, 'r')).rejects.toThrow(sentence);
    }
    await server.ask(['FLUSHALL']);
  });

  test('a room of a later format is refused and not changed, and all others continue', async () => {
    const example = read(storeFile);
    await put('later', { ...example, fields: { ...example.fields, format: '99' } });
    const store = await opened();
    await expect(store.commit('later', enter('x'))).rejects.toThrow(
      'room "later" in format 99; this version supports only format 1',
    );
    expect(await server.ask(['HGET', 'genkan:{later}', 'version'])).toBe('life.1');
    expect(await done(store.commit('other', enter('x')))).toMatchObject({ seq: 1 });
  });
});
