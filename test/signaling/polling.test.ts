/** How long a peer on plain HTTP counts as present: as long as its last request may wait, plus the grace of polling. */
import { expect, test } from 'vitest';
import type { RoomEvent } from '../../app/rooms/room.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import { testContext } from './test-context.ts';

const caller = { address: undefined };

/** A peer in a room, on a server where a request may wait 25 s and 10 s may pass between two. */
const enter = async () => {
  let now = 0;
  const context = testContext({ clock: () => now });
  context.limits.pollWait = 25_000;
  context.limits.pollGrace = 10_000;
  const events: RoomEvent['type'][] = [];
  context.store.subscribe('room', ({ event }) => events.push(event.type));
  const conversations = new HttpConversations(context, { streamed: () => {} });
  const { session } = JSON.parse((await conversations.join('room', '{}', caller)).body);
  return {
    poll: () => void conversations.events('room', session, { after: 1, wait: 25 }, caller, () => {}),
    say: (message: object) => conversations.messages('room', session, JSON.stringify(message), caller),
    async pass(ms: number) {
      now += ms;
      await context.store.sweep();
    },
    events,
  };
};

test('other requests do not shorten the time that a request for events may wait', async () => {
  const { poll, say, pass, events } = await enter();
  poll();
  await say({ type: 'ping' });
  await pass(34_000);
  expect(events).toEqual(['peer-joined']);
  await pass(1000);
  expect(events).toEqual(['peer-joined', 'peer-away']);
});

test('the end of a replaced request for events does not shorten it either', async () => {
  const { poll, say, pass, events } = await enter();
  poll();
  poll();
  await say({ type: 'ping' });
  await pass(34_000);
  expect(events).toEqual(['peer-joined']);
});
