/** Random histories of the embedded store: whenever its process is killed, its files have what was acknowledged. */
import { expect, test } from 'vitest';
import { join, resume } from '../../app/rooms/join.ts';
import { leave, leaveForNow, lose } from '../../app/rooms/leave.ts';
import { hear } from '../../app/rooms/presence.ts';
import type { Command } from '../../app/rooms/room.ts';
import { type Random, randomFrom } from '../listener/uwsgi/random.ts';
import { entrance, rules } from '../rooms/rules.ts';
import { isThorough } from '../setup/without.ts';
import { look, say } from './contract.ts';
import { cleanUp, copyOf, newStore, type Opened, recordedIn, type State, stateOf } from './embedded-rooms.ts';

const names = ['one', 'two', 'three'];
const ids = ['a', 'b', 'c', 'd', 'e'];
const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)] as T;

/** A command that may be refused. */
const commandOf = async ({ store }: Opened, room: string, random: Random): Promise<Command<unknown>> => {
  const [id, other] = [pick(random, ids), pick(random, ids)];
  const known = await look(store, room);
  const peer = known.peers.get(id);
  const n = (peer?.accepted ?? 0) + 1;
  const epoch = Math.max(peer?.entered ?? 0, known.peers.get(other)?.entered ?? 0);
  const text = '玄関 '.repeat(random(20));
  const messages = [
    ...Array.from({ length: 6 }, () =>
      say(id, { type: 'signal' as const, n, to: other, epoch, data: JSON.stringify(text) }),
    ),
    say(id, { type: 'chat', n, text }),
    say(id, { type: 'chat', n, to: other, text }),
    say(id, { type: 'update', n, name: text, hand: random(2) === 0 }),
    say(id, { type: 'lock', n, access: pick(random, ['open', 'knock', 'locked'] as const) }),
    say(id, { type: 'passcode', n, passcode: random(2) === 0 ? null : { salt: 's', hash: `${n}` } }),
    say(id, { type: 'kick', n, peer: other, ban: random(2) === 0 }),
    say(id, { type: 'role', n, peer: other, role: pick(random, ['host', 'guest'] as const) }),
    say(id, { type: 'admit', n, peer: other }),
    say(id, { type: 'deny', n, peer: other }),
    say(id, { type: 'end', n }),
    say(id, { type: 'mute-request', n: n + random(2), peer: other, kind: 'audio' }),
  ];
  return pick<Command<unknown>>(random, [
    ...messages,
    (place, now) => join(place, entrance(id, { former: undefined, granted: { role: 'host' } }), now, rules),
    (place, now) => join(place, entrance(id, { until: now + 500, passcodeHash: 'x' }), now, rules),
    (place, now) => resume(place, entrance(id), now, rules),
    (place, now) => hear(place, { ...entrance(id), until: now + 300 }, now),
    (place, now) => lose(place, id, now, rules),
    (place, now) => leaveForNow(place, id, now, rules),
    (place, now) => leave(place, id, 'left', now, rules),
  ]);
};

/** The state is what the last acknowledgement was for, or what was committed since. */
const expectKept = (directory: string, acknowledged: State, now: State): void => {
  const recorded = recordedIn(directory);
  try {
    expect(recorded).toEqual(acknowledged);
  } catch {
    expect(recorded).toEqual(now);
  }
};

const live = async (seed: number, steps: number): Promise<void> => {
  const random = randomFrom(seed);
  const options = { minRewritten: 0, syncInterval: random(2) };
  let opened = newStore(undefined, options);
  await opened.store.open();
  let acknowledged: State = await stateOf(opened.store, names);
  for (let step = 0; step < steps; step += 1) {
    const { store } = opened;
    const room = pick(random, names);
    const command = await commandOf(opened, room, random);
    // Everything up to here was awaited, and is written.
    acknowledged = await stateOf(store, names);
    const committed = random(3) === 0 ? store.commitNow(room, command) : store.commit(room, command);
    if (random(20) === 0) {
      // Killed before the end of the turn.
      expectKept(copyOf(opened.directory), acknowledged, acknowledged);
    }
    await committed;
    expect(store.flush()).toBe(true);
    if (random(10) === 0) {
      opened.pass(random(1500));
      await store.sweep();
    }
    if (random(12) === 0) {
      const state = await stateOf(store, names);
      const copy = copyOf(opened.directory);
      expectKept(copy, state, state);
      opened = newStore(copy, options);
      await opened.store.open();
    } else if (random(25) === 0) {
      await store.close();
      opened = newStore(opened.directory, options);
      await opened.store.open();
    }
  }
};

/** 10^5 histories take minutes. */
const histories = isThorough ? 100_000 : 20;
const parts = isThorough ? 50 : 4;

test.each(Array.from({ length: parts }, (_, part) => part))(
  `part ${'%i'} of ${parts}: ${histories} random histories`,
  { timeout: 600_000 },
  async (part) => {
    for (let nth = 0; nth < histories / parts; nth += 1) {
      const seed = Number(process.env.SEED ?? part * 1_000_000 + nth);
      await live(seed, isThorough ? 12 : 40).catch((error: unknown) => {
        throw new Error(`SEED=${seed}`, { cause: error });
      });
      await cleanUp();
    }
  },
);
