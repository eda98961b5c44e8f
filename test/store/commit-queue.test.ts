/** Work on rooms of a shared store that no caller waits for, and that fails. */
import { afterEach, expect, test } from 'vitest';
import { join } from '../../app/rooms/join.ts';
import { CommitQueue } from '../../app/store/commit-queue.ts';
import { otherFormat } from '../../app/store/commit-script.ts';
import { type Script, trimScript } from '../../app/store/scripts.ts';
import { entrance, rules } from '../rooms/rules.ts';
import { limits as roomLimits } from './contract.ts';

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
process.on('unhandledRejection', note);
afterEach(() => {
  unhandled.length = 0;
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A queue on a store whose logs have 500 bytes. `fails`: the script that it refuses, as it does for a room in another format. */
const queueOn = (share: number) => {
  const store: { fails?: (script: Script, room: string) => boolean } = {};
  const failed: unknown[] = [];
  const ran: string[] = [];
  let now = 0;
  const queue = new CommitQueue({
    link: {
      ready: true,
      async run(script, [room = '']) {
        ran.push(`${script === trimScript ? 'trim' : 'commit'} ${room}`);
        if (store.fails?.(script, room)) throw otherFormat(room, 2);
        return script === trimScript ? 250 : ['kept', 1, 500];
      },
    },
    clock: () => now,
    limits: { ...roomLimits, kept: { total: 1e9, share } },
    keep: () => {},
    drop: () => {},
    wrote: () => {},
    failed: (error) => failed.push(error),
  });
  const enter = (room: string) =>
    queue.commit(room, (current, at) => join(current, entrance('a', { from: '192.0.2.1' }), at, rules));
  return {
    ...{ store, failed, ran, queue, enter },
    pass: (ms: number) => {
      now += ms;
    },
  };
};

test('a log that cannot be trimmed for the byte budget is reported, and is no unhandled rejection', async () => {
  const { store, failed, queue, enter } = queueOn(600);
  store.fails = (script) => script === trimScript;
  await enter('one');
  expect(await enter('two')).toMatchObject({ seq: 1 });
  await settle();
  expect(failed.map(String)).toEqual(['one', 'two'].map((room) => expect.stringContaining(`{${room}}" in format 2`)));
  expect(unhandled).toEqual([]);
  expect(queue.rooms().map(({ name }) => name)).toEqual(['one', 'two']);
});

test('a room that fails in a sweep is reported, and the sweep continues', async () => {
  const { store, failed, ran, queue, enter, pass } = queueOn(1e9);
  for (const room of ['one', 'two']) await enter(room);
  await settle();
  pass(200_000);
  store.fails = (_script, room) => room.includes('one');
  ran.length = 0;
  await queue.sweep(() => true);
  expect(failed.map(String)).toEqual([expect.stringContaining('in format 2')]);
  expect(ran).toContain('trim genkan:{two}');
});
