/** Lost connections: peers are away, resume within grace without loss, and leave after it. */

import type { Case } from '../case.ts';
import { awayWithin, NotTested, sleep } from '../context.ts';
import { matches, same } from '../expect.ts';
import type { TestPeer } from '../peers.ts';
import { WebSocketPeer } from '../peers.ts';
import { plainHttp, webSocket } from '../transports.ts';

export const away: Case[] = [
  {
    name: 'a peer with a lost connection is away, and resumes within grace without loss',
    async run(c) {
      const { first, second, epoch } = await c.pair();
      const { id, session } = second;
      await second.cut();
      matches(await first.inbox.take('peer-away', awayWithin), { peer: id });
      await first.send({ type: 'chat', text: 'while you were out' });
      await first.send({ type: 'signal', to: id, epoch, data: 'still yours' });
      await first.inbox.take('ack');
      matches(await second.resume(), { recovered: true, self: { id }, session });
      matches(await second.inbox.take('chat'), { text: 'while you were out' });
      matches(await second.inbox.take('signal'), { data: 'still yours', epoch });
      matches(await first.inbox.take('peer-back'), { peer: id });
      await second.send({ type: 'signal', to: first.id, epoch, data: 'the epoch holds' });
      matches(await first.inbox.take('signal'), { data: 'the epoch holds' });
      same(first.inbox.of('peer-left'), [], 'peers that left');
    },
  },
  {
    name: 'after grace the peer leaves once, and its session no longer resumes',
    lasts: ({ grace }) => grace,
    async run(c) {
      const { first, second } = await c.pair();
      const { id, session } = second;
      await second.cut();
      await first.inbox.take('peer-away', awayWithin);
      matches(await first.inbox.take('peer-left', c.target.grace + 15_000), { peer: id, reason: 'timeout' });
      const joined = await second.resume();
      same(joined.recovered, false, 'recovered');
      same(joined.session === session, false, 'whether it is the old session');
      await first.inbox.take('peer-joined');
      same(first.inbox.of('peer-left').length, 1, 'how often it left');
    },
  },
  {
    name: 'a peer that missed more events than are kept rejoins in the same seat, with a new epoch',
    lasts: ({ grace }) => grace,
    async run(c) {
      const { first, second, epoch } = await c.pair();
      const { id } = second;
      const joined = await missTooMuch(first, second);
      matches(joined, { recovered: false, self: { id } });
      same(joined.peers.length, 1, 'peers in the room');
      const replaced = await first.inbox.take('peer-joined');
      same(replaced.peer.id, id, 'the id of the peer that rejoined');
      same(replaced.peer.epoch > epoch, true, 'whether the epoch is newer');
      same(joined.peers[0]?.epoch, replaced.peer.epoch, 'the epoch on both sides');
      await second.send({ type: 'chat', text: 'numbered from 1 again' });
      matches(await first.inbox.take('chat'), { text: 'numbered from 1 again' });
    },
  },
  {
    name: 'a session resumes over another transport',
    also: ['WebSocket', 'HTTP'],
    async run(c) {
      const { room, first, second } = await c.pair();
      const { id, session } = second;
      const after = Math.max(0, ...second.inbox.all.map((message) => ('seq' in message ? message.seq : 0)));
      await second.cut();
      const elsewhere = c.peerIn(room, c.transport === webSocket ? plainHttp : webSocket);
      matches(await elsewhere.join({ session, after }), { recovered: true, self: { id } });
      await first.send({ type: 'chat', text: 'do you hear me there' });
      matches(await elsewhere.inbox.take('chat'), { text: 'do you hear me there' });
      same(first.inbox.of('peer-left'), [], 'peers that left');
    },
  },
  {
    name: 'a newer connection of a session replaces the older one, and the others do not notice',
    on: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const watcher = await c.join(room);
      const [older, newer] = [c.add(WebSocketPeer, room), c.add(WebSocketPeer, room)];
      const { seq } = await older.join();
      const joined = await newer.join({ session: older.session, after: seq });
      matches(joined, { recovered: true, self: { id: older.id } });
      await older.closing();
      await watcher.send({ type: 'chat', text: 'hello' });
      await newer.inbox.take('chat');
      same(watcher.inbox.of('peer-away'), [], 'peers that are away');
    },
  },
  {
    name: 'a session is not valid in another room',
    async run(c) {
      const { first } = await c.pair();
      const joined = await c.peerIn(c.newRoom()).join({ session: first.session, after: 0 });
      same(joined.recovered, false, 'recovered');
      same(joined.self.id === first.id, false, 'whether it has the id of the other room');
    },
  },
];

/** Keeps a peer away for more and more events, until the server no longer has all of them. @returns the response to its resume */
const missTooMuch = async (first: TestPeer, second: TestPeer) => {
  for (const many of [20, 150, 1100]) {
    await second.cut();
    await first.inbox.take('peer-away', awayWithin);
    // The first peer has to be polling again, or it would miss too many of the following events too.
    await sleep(800);
    const texts = Array.from({ length: many }, (_, i) => `missed ${many} ${i}`);
    await sendChats(first, texts);
    const joined = await second.resume();
    if (!joined.recovered) return joined;
    for (const text of texts) same((await second.inbox.take('chat')).text, text, 'the missed text');
  }
  throw new NotTested('the server keeps more than 1 100 events');
};

/** Sends chat messages, twenty at once, within the default rate limit of a session. */
const sendChats = async (peer: TestPeer, texts: string[]): Promise<void> => {
  for (let at = 0; at < texts.length; at += 20) {
    await peer.sendMany(texts.slice(at, at + 20).map((text) => ({ type: 'chat', text })));
    if (texts.length > 20) await sleep(250);
  }
  // Acknowledgements are cumulative.
  while ((await peer.inbox.take('ack')).n < peer.n);
};
