/** What a session does when our own side fails: its peer is told to come back, and is no ghost meanwhile. */
import { expect, test } from 'vitest';
import { zeroCounts } from '../../app/ops/counts.ts';
import type { Signaling } from '../../app/signaling/conversation.ts';
import { Fanout } from '../../app/signaling/fanout.ts';
import { Session } from '../../app/signaling/session.ts';
import { memoryStore, type Store } from '../../app/store/store.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a command that fails ends the connection, and its peer is away', async () => {
  const limits = { rooms: 9, grace: 1000, log: { events: 99, bytes: 1e5, age: 1e5 } };
  const kept = memoryStore(limits, () => 0);
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
      ...{ rate: 100, burst: 100, maxPeers: 4, messageBytes: 9999, unsentBytes: 9999, joinTimeout: 99, grace: 1000 },
      ...{ pollGrace: 99, pollWait: 99, heartbeat: 15_000, pingInterval: 99, ackDelay: 0 },
    },
    ice: [],
    clock: () => 0,
    log: { info: () => {}, warn: (_fields, message) => warned.push(message) },
    counts: zeroCounts(),
  };
  const sent: string[] = [];
  const closed: number[] = [];
  const wire = { send: (text: string) => sent.push(text), close: (code: number) => closed.push(code), unsent: () => 0 };
  const session = new Session(signaling, 'room', wire);
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
