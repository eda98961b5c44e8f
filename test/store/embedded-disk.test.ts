/** The embedded store on a disk that is full, or fails: what is refused is not there, what is acknowledged is. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ByteRange } from '../../app/protocol/byte-range.ts';
import { leave, lose } from '../../app/rooms/leave.ts';
import { type Disk, Journal } from '../../app/store/embedded/journal.ts';
import { journalFiles } from '../../app/store/embedded/journal-file.ts';
import { Maintenance } from '../../app/store/embedded/maintenance.ts';
import { recover } from '../../app/store/embedded/recovery.ts';
import { rules } from '../rooms/rules.ts';
import { chat, done, enter, look, newRoom, say } from './contract.ts';
import { copyOf, newDirectory, openStore, recordedIn, stateOf, wide } from './embedded-rooms.ts';

/** A disk with `left` bytes, whose writes may be shortened, and whose syncs may fail. */
const smallDisk = () => {
  const disk = {
    left: 1e9,
    atOnce: 1e9,
    error: 'ENOSPC',
    syncs: true,
    ...fs,
    writeSync: ((fd: number, bytes: Buffer, offset: number, length: number, at: number) => {
      if (disk.left === 0) throw Object.assign(new Error(`${disk.error}: write`), { code: disk.error });
      const written = fs.writeSync(fd, bytes, offset, Math.min(length, disk.left, disk.atOnce), at);
      disk.left -= written;
      return written;
    }) as Disk['writeSync'],
    fdatasync: ((fd: number, callback: (error: Error | null) => void) => {
      if (disk.syncs) fs.fdatasync(fd, callback);
      else callback(new Error('EIO: fdatasync'));
    }) as Disk['fdatasync'],
  };
  return disk;
};

const refused = expect.objectContaining({ refused: 'store-unavailable' });

describe('on a full disk', () => {
  test.each(['ENOSPC', 'EIO'])(
    'what cannot be written (%s) is refused, not delivered, and done once it can be',
    async (error) => {
      const disk = Object.assign(smallDisk(), { error });
      const { store, directory, logged } = await openStore(undefined, { disk });
      await done(store.commit('room', enter('a')));
      await done(store.commit('room', enter('b')));
      const received: number[] = [];
      store.subscribe('room', ({ seq }) => received.push(seq));
      const before = recordedIn(copyOf(directory));
      // A part of the frame still fits.
      disk.left = 20;
      const relayed = store.commitNow('room', say('a', { type: 'signal', n: 1, to: 'b', epoch: 2, data: '1' }));
      expect(relayed).toMatchObject({ seq: 3 });
      const joining = store.commit('other', enter('c'));
      expect(await joining).toEqual(refused);
      expect([store.flush(), store.ready(), received]).toEqual([false, false, []]);
      expect(store.commitNow('room', chat('a', 2))).toEqual(refused);
      expect(
        await Promise.all([store.commit('room', chat('a', 2)), store.since('room', 0), store.claim('k', 2e6)]),
      ).toEqual([refused, refused, refused]);
      const leaving = store.commit('room', (room, now) => lose(room, 'b', now, rules), 'insist');
      await store.sweep();
      expect(recordedIn(copyOf(directory))).toEqual(before);
      disk.left = 1e9;
      await store.sweep();
      await done(leaving);
      expect([store.flush(), store.ready(), received]).toEqual([true, true, [3, 4]]);
      expect(logged).toEqual([
        'the journal cannot be written: joins and messages are refused until it can',
        'the journal can be written again',
      ]);
      expect(recordedIn(copyOf(directory))).toEqual(await stateOf(store, ['room', 'other']));
      expect(await done(store.commit('room', chat('a', 2)))).toMatchObject({ seq: 5 });
    },
  );

  test('a write that is cut short is continued', async () => {
    const disk = smallDisk();
    const { store, directory } = await openStore(undefined, { disk });
    disk.atOnce = 7;
    await done(store.commit('room', enter('a')));
    expect(recordedIn(copyOf(directory))).toEqual(await stateOf(store, ['room']));
  });

  test('a server starts, refuses joins, and accepts them when there is space', async () => {
    const first = await openStore();
    await done(first.store.commit('room', enter('a')));
    const disk = smallDisk();
    disk.left = 0;
    const { store } = await openStore(copyOf(first.directory), { disk });
    expect([store.ready(), await store.commit('room', enter('b'))]).toEqual([false, refused]);
    disk.left = 1e9;
    await store.sweep();
    await done(store.commit('room', enter('b')));
    expect([...(await look(store, 'room')).peers.keys()]).toEqual(['a', 'b']);
  });

  test('new rooms are refused before it is full, and the others go on', async () => {
    const space = { free: 1, reserve: 0 };
    const { store, logged } = await openStore(undefined, { space: async () => space });
    await store.sweep();
    expect([store.shortage(), store.ready()]).toEqual([undefined, true]);
    const small = await openStore(undefined, { space: async () => ({ free: 0, reserve: 1 }) });
    await small.store.sweep();
    await expect.poll(() => small.store.shortage()).toEqual({ refused: 'store-unavailable', detail: 'short of space' });
    expect(small.store.ready()).toBe(false);
    await done(small.store.commit('room', enter('a')));
    expect(small.logged).toEqual(['no new rooms: the store is short of space']);
    expect(logged).toEqual([]);
    const limited = await openStore(undefined, { maxBytes: 10, space: async () => space });
    await limited.store.sweep();
    await expect.poll(() => limited.store.shortage()).toMatchObject({ refused: 'store-unavailable' });
  });
});

test('a room that gives way to another is removed from the journal', async () => {
  const { store, directory } = await openStore(undefined, {
    limits: { ...wide, rooms: 1, rules: { ...rules, roomMemory: 1e6 } },
  });
  await done(store.commit('empty', enter('a')));
  await done(store.commit('empty', say('a', { type: 'lock', n: 1, access: 'locked' })));
  const kept = { ...rules, roomMemory: 1e6 };
  await done(store.commit('empty', (room, now) => leave(room, 'a', 'timeout', now, kept)));
  expect(Object.keys(recordedIn(copyOf(directory)))).toEqual(['empty']);
  await done(store.commit('new', enter('b')));
  expect(Object.keys(recordedIn(copyOf(directory)))).toEqual(['new']);
});

test('a signal takes little more than the bytes that were sent, whatever they are', async () => {
  const { store, directory } = await openStore();
  await done(store.commit('room', enter('a')));
  await done(store.commit('room', enter('b')));
  const size = () => fs.statSync(join(directory, 'journal.1')).size;
  const before = size();
  const bytes = 3000;
  for (const [index, byte] of [0, 0x22, 0x5c, 0xff].entries()) {
    const data = ByteRange.binary(Buffer.alloc(bytes, byte));
    await done(store.commit('room', say('a', { type: 'signal', n: index + 1, to: 'b', epoch: 2, data })));
  }
  expect(size() - before).toBeLessThan(4 * bytes * 1.5);
});

describe('the journal is rewritten', () => {
  const grown = async (options: Parameters<typeof openStore>[1]) => {
    const opened = await openStore(undefined, { minRewritten: 0, ...options });
    const room = newRoom();
    await done(opened.store.commit(room, enter('a')));
    await opened.store.claim('token', 2e6);
    // Takes space in the file, and is not kept.
    for (let n = 1; n <= 60; n += 1) await opened.store.release('x'.repeat(500));
    await done(opened.store.commit('other', enter('b')));
    return { ...opened, names: [room, 'other'] };
  };

  test('when it is three times what is kept: one file has everything, then the old one goes', async () => {
    const { store, directory, names } = await grown({});
    expect(journalFiles(directory)).toEqual([1]);
    const state = await stateOf(store, names);
    await store.sweep();
    await expect.poll(() => journalFiles(directory)).toEqual([2]);
    expect(recordedIn(copyOf(directory))).toEqual(state);
    const next = await openStore(copyOf(directory));
    expect(await next.store.claim('token', 2e6)).toBe(false);
  });

  test('without stopping the event loop to remove a long file', async () => {
    const disk = smallDisk();
    const { store, directory } = await grown({ disk });
    disk.unlinkSync = () => {
      throw new Error('synchronous');
    };
    await store.sweep();
    await expect.poll(() => journalFiles(directory)).toEqual([2]);
  });

  test('not at once again, even if it takes more than is counted as kept', async () => {
    const directory = newDirectory();
    const journal = new Journal(directory, recover(directory, wide.log));
    const slices = function* () {
      yield journal.batch.claim('x'.repeat(1000), 2e6);
    };
    const rewriting = { keptBytes: () => 10, flush: () => journal.write(), slices };
    const options = { directory, syncInterval: 0, maxBytes: 1e9, minRewritten: 100 };
    const maintenance = new Maintenance(journal, rewriting, options, { info: () => {}, error: () => {} });
    journal.batch.claim('y'.repeat(1000), 2e6);
    journal.write();
    for (const time of [0, 1, 2]) {
      await maintenance.tick(time);
      await maintenance.settled();
    }
    expect(journalFiles(directory)).toEqual([2]);
    journal.close();
  });

  test('killed at any moment of it, everything is there', async () => {
    const copies: string[] = [];
    const disk = smallDisk();
    const { store, directory, names } = await grown({ disk });
    const state = await stateOf(store, names);
    const copying =
      <T extends unknown[], R>(act: (...given: T) => R) =>
      (...given: T): R => {
        copies.push(copyOf(directory));
        const result = act(...given);
        copies.push(copyOf(directory));
        return result;
      };
    disk.unlink = ((path: string, callback: (error: null) => void) => {
      disk.unlinkSync(path);
      callback(null);
    }) as Disk['unlink'];
    for (const name of ['writeSync', 'renameSync', 'unlinkSync', 'fdatasync', 'fdatasyncSync', 'fsyncSync'] as const)
      Object.assign(disk, { [name]: copying(disk[name] as never) });
    await store.sweep();
    await expect.poll(() => journalFiles(directory)).toEqual([2]);
    expect(copies.length).toBeGreaterThan(12);
    for (const copy of copies) expect(recordedIn(copy)).toEqual(state);
  });

  test('after a sync that failed, since that file cannot be trusted any more', async () => {
    const disk = smallDisk();
    const { store, directory, logged } = await openStore(undefined, { disk, syncInterval: 1 });
    await done(store.commit('room', enter('a')));
    disk.syncs = false;
    await store.sweep();
    await expect.poll(() => logged[0]).toBe('the disk refused the journal: everything is written to a new file');
    expect(store.ready()).toBe(false);
    await done(store.commit('room', chat('a', 1)));
    disk.syncs = true;
    await expect
      .poll(async () => {
        await store.sweep();
        return store.ready();
      })
      .toBe(true);
    expect(journalFiles(directory)).toHaveLength(1);
    expect(recordedIn(copyOf(directory))).toEqual(await stateOf(store, ['room']));
  });
});
