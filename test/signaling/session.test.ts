/** What a session does when our own side fails: its peer is told to come back, and is no ghost meanwhile. */
import { expect, test } from 'vitest';
import { Session } from '../../app/signaling/session.ts';
import type { Store } from '../../app/store/store.ts';
import { openHouse } from './house.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a command that fails ends the connection, and its peer is away', async () => {
  const kept = openHouse().store;
  let failures = 0;
  const store: Store = {
    ...kept,
    commit: (room, command) =>
      failures-- > 0 ? Promise.reject(new Error('out of reach')) : kept.commit(room, command),
  };
  const warned: string[] = [];
  const signaling = openHouse({ store, log: { info: () => {}, warn: (_fields, message) => warned.push(message) } });
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
