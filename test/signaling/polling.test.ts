/** How long a peer that asks by plain HTTP counts as here: as long as its last request may wait, and the grace of the polling. */
import { expect, test } from 'vitest';
import type { RoomEvent } from '../../app/rooms/room.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import { openHouse } from './house.ts';

const caller = { address: undefined };

/** A peer in a room, in a house where a request may wait 25 s and 10 s may pass between two. */
const enter = async () => {
  let now = 0;
  const house = openHouse({ clock: () => now });
  house.limits.pollWait = 25_000;
  house.limits.pollGrace = 10_000;
  const events: RoomEvent['type'][] = [];
  house.store.subscribe('room', ({ event }) => events.push(event.type));
  const conversations = new HttpConversations(house, { streamed: () => {} });
  const { session } = JSON.parse((await conversations.join('room', {}, caller)).body);
  return {
    poll: () => void conversations.events('room', session, { after: 1, wait: 25 }, caller, () => {}),
    say: (message: object) => conversations.messages('room', session, message, caller),
    async pass(ms: number) {
      now += ms;
      await house.store.sweep();
    },
    events,
  };
};

test('what it says meanwhile does not shorten the time that its request for events may wait', async () => {
  const { poll, say, pass, events } = await enter();
  poll();
  await say({ type: 'ping' });
  await pass(34_000);
  expect(events).toEqual(['peer-joined']);
  await pass(1000);
  expect(events).toEqual(['peer-joined', 'peer-away']);
});

test('nor does the end of a request for events that another has replaced', async () => {
  const { poll, say, pass, events } = await enter();
  poll();
  poll();
  await say({ type: 'ping' });
  await pass(34_000);
  expect(events).toEqual(['peer-joined']);
});
