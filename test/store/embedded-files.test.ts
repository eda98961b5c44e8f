/** The files of the embedded store, cut and damaged at every byte: what was written is there, or the start is refused. */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resume } from '../../app/rooms/join.ts';
import { leave } from '../../app/rooms/leave.ts';
import { Journal } from '../../app/store/embedded/journal.ts';
import { firstLine } from '../../app/store/embedded/journal-file.ts';
import { recover } from '../../app/store/embedded/recovery.ts';
import { entrance, rules } from '../rooms/rules.ts';
import { chat, done, enter, look, say } from './contract.ts';
import { copyOf, newDirectory, newStore, openStore, recordedIn, type State, stateOf, wide } from './embedded-rooms.ts';

const signal = (from: string, n: number, to: string) =>
  say(from, { type: 'signal', n, to, epoch: 2, data: `{"sdp":"玄関 ${n}"}` });

/** Runs commands, each in a batch of its own. @returns the length of the file and the rooms after each */
const lived = async (): Promise<{ directory: string; after: { length: number; state: State }[] }> => {
  const { store, directory } = await openStore();
  const path = join(directory, 'journal.1');
  const after = [{ length: statSync(path).size, state: {} as State }];
  const commands = [enter('a'), enter('b'), signal('a', 1, 'b'), chat('b', 1)];
  commands.push((room, now) => leave(room, 'b', 'left', now, rules), chat('a', 2));
  for (const command of commands) {
    await done(store.commit('room', command));
    after.push({ length: statSync(path).size, state: await stateOf(store, ['room']) });
  }
  await store.claim('token', 2_000_000);
  return { directory, after };
};

/** Flips a bit of each byte in turn, as long as the caller looks at it. */
function* damageEach(path: string): Generator<number> {
  const whole = readFileSync(path);
  const fd = openSync(path, 'r+');
  for (const [at, byte] of whole.entries()) {
    writeSync(fd, Buffer.from([byte ^ (1 << (at % 8))]), 0, 1, at);
    yield at;
    writeSync(fd, Buffer.from([byte]), 0, 1, at);
  }
  closeSync(fd);
}

/** What is there at a length, at most the last of these. */
const stateAt = (after: { length: number; state: State }[], length: number): State =>
  after.findLast((one) => one.length <= length)?.state ?? {};

describe('the newest file', () => {
  test('cut at any byte, keeps everything that was written before', async () => {
    const { directory, after } = await lived();
    const copy = copyOf(directory);
    const path = join(copy, 'journal.1');
    const first = after[0]?.length ?? 0;
    for (let length = statSync(path).size; length >= 0; length -= 1) {
      truncateSync(path, length);
      if (length < first) expect(() => recordedIn(copy)).toThrow(/journal\.1 is damaged at offset/);
      else expect(recordedIn(copy), `${length} bytes`).toEqual(stateAt(after, length));
    }
  });

  test('damaged at any byte, is refused, or is without its last write if that is damaged', async () => {
    const { directory } = await lived();
    const copy = copyOf(directory);
    const path = join(copy, 'journal.1');
    const whole = readFileSync(path);
    const all = recordedIn(copy);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, damaged);
      let found: ReturnType<typeof recover> | undefined;
      try {
        found = recover(copy, wide.log);
      } catch (error) {
        expect(String(error)).toMatch(/journal\.1 (is damaged at offset \d+|has format \d+)/);
        continue;
      }
      // The last write was the claim.
      expect([found.torn > 0, found.claims.size, recordedIn(copy)]).toEqual([true, 0, all]);
    }
  });

  test('that ends in zeros, or in the rest of another file, is cut there', async () => {
    const { directory, after } = await lived();
    const other = await lived();
    for (const more of [
      Buffer.alloc(5000),
      readFileSync(join(other.directory, 'journal.1')).subarray(firstLine().length),
    ]) {
      const copy = copyOf(directory);
      const path = join(copy, 'journal.1');
      const whole = readFileSync(path);
      writeFileSync(path, Buffer.concat([whole, more]));
      expect(recordedIn(copy)).toEqual(after.at(-1)?.state);
      const { store, logged } = await openStore(copy);
      expect(logged).toEqual(['the rooms were read from the journal']);
      await done(store.commit('room', chat('a', 3)));
      expect(recordedIn(copy).room?.events.at(-1)).toMatchObject({ event: { text: 'a 3' } });
    }
  });
});

describe('a file that is followed by another', () => {
  /** Two files: a new one was begun, and does not have everything yet. */
  const rewritten = async () => {
    const { store, directory } = await openStore();
    await done(store.commit('room', enter('a')));
    const copy = copyOf(directory);
    const journal = new Journal(copy, recover(copy, wide.log));
    await journal.next(true);
    journal.close();
    return { copy, state: await stateOf(store, ['room']) };
  };

  test('must be there, whole and unchanged', async () => {
    const { copy, state } = await rewritten();
    expect(recordedIn(copy)).toEqual(state);
    const path = join(copy, 'journal.1');
    for (const at of damageEach(path)) expect(() => recover(copy, wide.log), `byte ${at}`).toThrow(/journal\.1/);
    for (let length = statSync(path).size - 1; length >= 0; length -= 1) {
      truncateSync(path, length);
      expect(() => recover(copy, wide.log), `${length} bytes`).toThrow(/journal\.1/);
    }
    rmSync(path);
    const { store } = newStore(copy);
    await expect(store.open()).rejects.toThrow('continues journal.1, which is missing');
  });
});

test('a process that was killed comes back with the same rooms; a number that it may have handed out does not', async () => {
  const { store, directory } = await openStore();
  await done(store.commit('room', enter('a')));
  await done(store.commit('room', enter('b')));
  await done(store.commit('room', signal('a', 1, 'b')));
  await done(store.commit('room', say('a', { type: 'lock', n: 2, access: 'locked' })));
  const next = await openStore(copyOf(directory));
  expect(await look(next.store, 'room')).toMatchObject({ access: 'locked' });
  const back = await done(next.store.commit('room', (room) => resume(room, entrance('b'), 0, rules)));
  expect(back.seq).toBeGreaterThan(1e12);
  // What b has missed, and only that.
  const missed = await next.store.since('room', 2);
  expect(missed).toMatchObject([
    { seq: 3, event: { type: 'signal' } },
    { seq: 4 },
    { seq: back.seq, event: { type: 'peer-back' } },
  ]);
  // A number of an event that was lost with the process.
  expect(await next.store.since('room', 5)).toMatchObject({ refused: 'events-gone' });
  // The newcomer's number in the room is new as well.
  await done(next.store.commit('room', say('a', { type: 'lock', n: 3, access: 'open' })));
  await done(next.store.commit('room', enter('c')));
  expect((await look(next.store, 'room')).peers.get('c')?.entered).toBeGreaterThan(1e12);
  await next.store.close();
  const clean = await openStore(next.directory);
  const { seq } = await done(clean.store.commit('room', (room) => resume(room, entrance('c'), 0, rules)));
  expect(seq).toBe(back.seq + 3);
});

test('peers are away after a start, and leave when they do not return', async () => {
  const { store, directory } = await openStore();
  await done(store.commit('room', enter('a')));
  await done(store.commit('room', enter('b')));
  await store.close();
  const next = await openStore(directory);
  expect((await look(next.store, 'room')).peers.get('a')?.presence).toMatchObject({ at: 'away', reason: 'timeout' });
  await done(next.store.commit('room', (room) => resume(room, entrance('b'), 0, rules)));
  next.pass(1001);
  await next.store.sweep();
  expect([...(await look(next.store, 'room')).peers.keys()]).toEqual(['b']);
});

test('a directory is private, and of one process', async () => {
  const { store, directory } = await openStore();
  const modes = ['.', 'journal.1', 'lock'].map((name) => statSync(join(directory, name)).mode & 0o777);
  expect(modes).toEqual([0o700, 0o600, 0o600]);
  await expect(newStore(directory).store.open()).rejects.toThrow(`${directory} is used by another process`);
  await store.close();
  await openStore(directory);
});

test('what a previous process has not completed, or not removed, is removed', async () => {
  const directory = newDirectory();
  for (const name of ['journal.1.old', 'journal.2.new']) writeFileSync(join(directory, name), '');
  await openStore(directory);
  expect(readdirSync(directory).sort()).toEqual(['journal.1', 'lock']);
});

test('a directory that cannot be written is refused', async () => {
  const file = join(newDirectory(), 'file');
  writeFileSync(file, '');
  await expect(newStore(join(file, 'state')).store.open()).rejects.toThrow('the state directory cannot be used');
});

test('a file of another format is refused, with both formats', async () => {
  const directory = newDirectory();
  writeFileSync(join(directory, 'journal.1'), firstLine(2));
  await expect(newStore(directory).store.open()).rejects.toThrow(
    `${join(directory, 'journal.1')} has format 2; this version of Genkan reads only format 1`,
  );
});
