/** Relaying: unread, within the room, to the addressed peer. */

import type { Case } from '../case.ts';
import { NotTested } from '../context.ts';
import { matches, same } from '../expect.ts';

export const relay: Case[] = [
  {
    name: 'a signal reaches its receiver unchanged, and nobody else',
    async run(c) {
      const { room, first, second, epoch } = await c.pair();
      const third = await c.join(room);
      const data = { description: { sdp: 'v=0\r\n"\\\u2028 玄関 😀', type: 'offer' }, deep: [[], {}, null, 1e21, ''] };
      await second.send({ type: 'signal', to: first.id, epoch, data });
      matches(await first.inbox.take('signal'), { from: second.id, epoch, data });
      await second.inbox.take('ack');
      await second.send({ type: 'chat', text: 'after it' });
      await third.inbox.take('chat');
      same(third.inbox.of('signal'), [], 'signals that the third received');
    },
  },
  {
    name: 'a signal with fields in another order is relayed as well, and data cannot forge the sender',
    async run(c) {
      const { first, second, epoch } = await c.pair();
      await second.send({ type: 'signal', epoch, data: { from: 'nobody', seq: 0 }, to: first.id });
      matches(await first.inbox.take('signal'), { from: second.id, data: { from: 'nobody', seq: 0 } });
    },
  },
  {
    name: 'chat goes to everyone else, or to one peer; updates are sent to everyone',
    async run(c) {
      const { room, first, second } = await c.pair();
      const third = await c.join(room);
      await first.send({ type: 'chat', text: 'to all <b>' });
      await first.send({ type: 'chat', text: 'to the second', to: second.id });
      await first.send({ type: 'update', name: 'Chika', media: { audio: true, video: true } });
      matches(await second.inbox.take('chat'), { from: first.id, text: 'to all <b>' });
      matches(await second.inbox.take('chat'), { to: second.id, text: 'to the second' });
      matches(await third.inbox.take('peer-updated'), { peer: first.id, name: 'Chika' });
      same(third.inbox.of('chat').length, 1, 'texts that the third received');
      same(first.inbox.of('chat'), [], 'texts that the sender received');
      const late = await c.peerIn(room).join();
      matches(late.peers[0], { name: 'Chika', media: { audio: true, video: true } });
    },
  },
  {
    name: 'a peer that joins later receives the earlier chat texts to everyone',
    async run(c) {
      const { room, first, second } = await c.pair();
      await first.send({ type: 'chat', text: 'to one', to: second.id });
      await first.send({ type: 'chat', text: 'to all' });
      for (const text of ['to one', 'to all']) same((await second.inbox.take('chat')).text, text, 'text');
      const { chat } = await c.peerIn(room).join();
      if (!chat) throw new NotTested('the server keeps no chat history');
      matches(chat, [{ from: first.id, text: 'to all' }]);
    },
  },
  {
    name: 'rooms are isolated from each other',
    async run(c) {
      const one = await c.pair();
      const two = await c.pair();
      await one.first.send({ type: 'signal', to: two.first.id, epoch: 1, data: 'over the wall' });
      matches(await one.first.inbox.take('error'), { code: 'unknown-peer' });
      await one.first.send({ type: 'chat', text: 'inside' });
      await one.second.inbox.take('chat');
      const chats = [...two.first.inbox.all, ...two.second.inbox.all].filter(({ type }) => type === 'chat');
      same(chats, [], 'texts that the other room received');
    },
  },
];
