/** How long a peer on plain HTTP counts as present: as long as its last request may wait, plus the grace of polling. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { RoomEvent } from '../../app/rooms/room.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import { testContext } from './test-context.ts';

const caller = { address: undefined };

const turn = () => new Promise((resolve) => setImmediate(resolve));
const settle = async () => {
  for (let turns = 0; turns < 5; turns += 1) await turn();
};

/**
 * A peer in a room, on a server where a poll may wait 25 s, 10 s may pass between two requests, and a stream stays open for 50 s
 * without another one.
 */
const enter = async () => {
  let now = 0;
  const { store } = testContext({ clock: () => now });
  // As with a store on the network, reading takes longer than the end of a poll.
  const since: typeof store.since = (...range) => settle().then(() => store.since(...range));
  const context = testContext({ clock: () => now, store: { ...store, since } });
  context.limits.pollWait = 25_000;
  context.limits.pollGrace = 10_000;
  context.limits.pingInterval = 25_000;
  const events: RoomEvent['type'][] = [];
  context.store.subscribe('room', ({ event }) => events.push(event.type));
  const conversations = new HttpConversations(context, { streamed: () => {} });
  const { session } = JSON.parse((await conversations.join('room', '{}', caller)).body);
  const requestStream = (after: number, response = new ServerResponse(new IncomingMessage(new Socket()))) => {
    const request = { reqId: 'r', ip: '192.0.2.1', begin: () => response };
    return conversations.stream('room', session, after, caller, request);
  };
  return {
    /** Starts to poll. @returns how to disconnect */
    poll() {
      let disconnect = () => {};
      const onDisconnect = (callback: () => void) => {
        disconnect = callback;
      };
      void conversations.events('room', session, { after: 1, wait: 25 }, caller, onDisconnect);
      return () => disconnect();
    },
    requestStream,
    /** Opens a stream. @returns how to lose its connection */
    async stream() {
      const response = new ServerResponse(new IncomingMessage(new Socket()));
      expect(await requestStream(1, response)).toBeUndefined();
      await settle();
      return () => response.emit('close');
    },
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

test('a stream that replaces a waiting poll keeps its peer present for as long as the stream stays open', async () => {
  const { poll, stream, pass, events } = await enter();
  poll();
  await stream();
  await pass(59_000);
  expect(events).toEqual(['peer-joined']);
  await pass(1000);
  expect(events).toEqual(['peer-joined', 'peer-away']);
});

test('a poll that replaces a stream keeps its peer present for as long as the poll may wait', async () => {
  const { poll, stream, pass, events } = await enter();
  const lose = await stream();
  poll();
  await settle();
  lose();
  await pass(34_000);
  expect(events).toEqual(['peer-joined']);
  await pass(1000);
  expect(events).toEqual(['peer-joined', 'peer-away']);
});

test('a stream that is refused or replaced before it opens leaves its peer the time until its next request', async () => {
  const { requestStream, poll, pass, events } = await enter();
  expect(await requestStream(99)).toMatchObject({ status: 410 });
  await pass(9000);
  const replaced = requestStream(1);
  const disconnect = poll();
  expect(await replaced).toMatchObject({ status: 409 });
  disconnect();
  await settle();
  await pass(9000);
  expect(events).toEqual(['peer-joined']);
  await pass(1000);
  expect(events).toEqual(['peer-joined', 'peer-away']);
});
