/** Plain HTTP: separate requests, one of which may be a long poll. */

import type { Case } from '../case.ts';
import { type Context, sleep } from '../context.ts';
import { matches, same } from '../expect.ts';
import { AskingPeer, HttpPeer, WebSocketPeer } from '../peers.ts';

const joinedPeer = async (c: Context): Promise<AskingPeer> => {
  const peer = c.add(AskingPeer, c.newRoom());
  await peer.join();
  return peer;
};

/** A peer with a pending long poll. */
const pollingPeer = async (c: Context) => {
  const peer = c.add(AskingPeer, c.newRoom());
  const { seq } = await peer.join();
  const poll = peer.poll(8);
  await sleep(400);
  return { peer, seq, poll };
};

export const requests: Case[] = [
  {
    name: 'only one request for events waits at a time: a newer one ends the older one',
    on: ['HTTP'],
    async run(c) {
      const peer = await joinedPeer(c);
      const older = peer.poll(8);
      await sleep(400);
      const newer = peer.poll(1);
      matches(await older, { status: 409, json: { code: 'replaced' } });
      matches(await newer, { status: 200, json: { messages: [] } });
    },
  },
  {
    name: 'a request for events waits no longer than requested, and not at all if there are events',
    on: ['HTTP'],
    async run(c) {
      const peer = await joinedPeer(c);
      matches(await peer.poll(1), { status: 200, json: { messages: [] } });
      const other = c.add(HttpPeer, peer.room);
      await other.join();
      matches((await peer.poll(8)).json.messages, [{ type: 'peer-joined', peer: { id: other.id } }]);
    },
  },
  {
    name: 'a delayed request does not end a newer connection',
    on: ['HTTP'],
    also: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const older = c.add(HttpPeer, room);
      const { seq } = await older.join();
      await older.cut();
      const newer = c.add(WebSocketPeer, room);
      await newer.join({ session: older.session, after: seq });
      matches(await older.poll(), { status: 409, json: { code: 'replaced' } });
      await older.send({ type: 'chat', text: 'alone' });
      matches(await older.inbox.take('ack'), { n: 1 });
      newer.write('{"type":"ping"}');
      await newer.inbox.take('pong');
      same(newer.inbox.of('bye').length, 0, 'number of byes on the newer connection');
    },
  },
  {
    name: 'requests without a session, or with an invalid one, are refused',
    on: ['HTTP'],
    async run(c) {
      const peer = await joinedPeer(c);
      const ask = async (authorization: string, query: string) => {
        const response = await peer.events(query, { authorization });
        return { status: response.status, json: await response.json() };
      };
      matches(await ask('', 'after=0'), { status: 401, json: { code: 'not-joined' } });
      const wrong = `Bearer ${peer.id}.${'x'.repeat(32)}`;
      matches(await ask(wrong, 'after=0'), { status: 401, json: { code: 'unknown-session' } });
      const own = `Bearer ${peer.session}`;
      matches(await ask(own, 'after=-1'), { status: 400, json: { code: 'bad-message' } });
      matches(await ask(own, 'after=99999'), { status: 410, json: { code: 'events-gone' } });
    },
  },
  {
    name: 'after leave a session is no longer valid',
    on: ['HTTP', 'SSE'],
    async run(c) {
      const peer = await joinedPeer(c);
      same((await peer.post('leave', {})).status, 204, 'status of the response to leave');
      matches(await peer.poll(), { status: 401, json: { code: 'unknown-session' } });
    },
  },
  {
    name: 'leave, as a request or among posted messages, ends a waiting request for events with bye',
    on: ['HTTP'],
    async run(c) {
      const bye = { type: 'bye', code: 'left', retry: null };
      for (const mayReturn of [false, true]) {
        const one = await pollingPeer(c);
        same((await one.peer.post('leave', { mayReturn })).status, 204, 'status of the response to leave');
        matches(await one.poll, { status: 200, json: { messages: [bye], seq: one.seq } });
        const other = await pollingPeer(c);
        const messages = [{ type: 'ping' }, { type: 'leave', mayReturn }, { type: 'ping' }];
        matches(await other.peer.post('messages', messages), {
          status: 200,
          json: { messages: [{ type: 'pong' }, bye] },
        });
        matches(await other.poll, { status: 200, json: { messages: [bye], seq: other.seq } });
      }
    },
  },
];
