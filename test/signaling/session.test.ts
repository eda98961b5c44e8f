/** What a session does when our own side fails: its peer is told to come back, and is no ghost meanwhile. */
import { expect, test } from 'vitest';
import { zeroCounts } from '../../app/ops/counts.ts';
import type { Signaling } from '../../app/signaling/conversation.ts';
import { Fanout } from '../../app/signaling/fanout.ts';
import { Session } from '../../app/signaling/session.ts';
import { Throttle } from '../../app/signaling/throttle.ts';
import { memoryStore, type Store } from '../../app/store/store.ts';
import { rules } from '../rooms/rules.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a command that fails ends the connection, and its peer is away', async () => {
  const limits = { rooms: 9, rules, log: { events: 99, bytes: 1e5, age: 1e5 } };
  const kept = memoryStore(limits, () => 0, zeroCounts());
  let failures = 0;
  const store: Store = {
    ...kept,
    commit: (room, command) =>
      failures-- > 0 ? Promise.reject(new Error('out of reach')) : kept.commit(room, command),
  };
  const warned: string[] = [];
  const signaling: Signaling = {
    store,
    fanout: new Fanout(kept),
    limits: {
      ...{ rules, rate: 100, burst: 100, messageBytes: 9999, unsentBytes: 9999, joinTimeout: 99 },
      ...{ pollGrace: 99, pollWait: 99, pingInterval: 99, ackDelay: 0, byteRate: 9999, byteBurst: 9999 },
    },
    ice: [],
    clock: () => 0,
    log: { info: () => {}, warn: (_fields, message) => warned.push(message) },
    counts: zeroCounts(),
    authorise: async () => ({}),
    joins: new Throttle({ rate: 1, burst: 9 }),
    attempts: new Throttle({ rate: 1, burst: 9 }),
  };
  const sent: string[] = [];
  const closed: number[] = [];
  const wire = { send: (text: string) => sent.push(text), close: (code: number) => closed.push(code), unsent: () => 0 };
  const session = new Session(signaling, 'room', wire, { address: '192.0.2.1' });
  session.receive('{"type":"join"}');
  await turn();
  const events: unknown[] = [];
  kept.subscribe('room', ({ event }) => events.push(event));

  failures = 1;
  session.receive('{"type":"chat","n":1,"text":"x"}');
  await turn();
  session.lost();
  await turn();
  expect(JSON.parse(sent.at(-1) ?? '{}')).toMatchObject({ type: 'bye', code: 'internal', retry: 2000 });
  expect(closed).toEqual([4005]);
  expect(warned).toHaveLength(1);
  expect(events).toMatchObject([{ type: 'peer-away' }]);
});
