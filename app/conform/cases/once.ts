/** Numbering: messages are settled once; events arrive once and in order. */

import type { Case } from '../case.ts';
import { matches, same } from '../expect.ts';

export const once: Case[] = [
  {
    name: 'a number is settled once: a repeat is acknowledged but not delivered again, a gap is refused',
    async run(c) {
      const { first, second } = await c.pair();
      await first.send({ type: 'chat', n: 1, text: 'one' });
      await first.send({ type: 'chat', n: 1, text: 'one' });
      await first.send({ type: 'chat', n: 3, text: 'three' });
      matches(await first.inbox.take('error'), { code: 'out-of-order', n: 3, retry: 0 });
      await first.send({ type: 'chat', n: 2, text: 'two' });
      await second.inbox.take('chat');
      same((await second.inbox.take('chat')).text, 'two', 'the second text');
      let acked = 0;
      while (acked < 2) acked = (await first.inbox.take('ack')).n;
      same(
        second.inbox.of('chat').map(({ text }) => text),
        ['one', 'two'],
        'texts that arrived',
      );
    },
  },
  {
    name: 'each peer receives each event once, in the order of the numbers',
    async run(c) {
      const { room, first, second } = await c.pair();
      const third = await c.join(room);
      for (let i = 0; i < 10; i += 1) {
        await first.send({ type: 'chat', text: `first ${i}` });
        await second.send({ type: 'chat', text: `second ${i}` });
      }
      for (let i = 0; i < 20; i += 1) await third.inbox.take('chat');
      const chats = third.inbox.of('chat');
      const seqs = chats.map(({ seq }) => seq);
      same(
        seqs,
        [...new Set(seqs)].sort((a, b) => a - b),
        'the numbers of the events',
      );
      const texts = chats.map(({ text }) => text).filter((text) => text.startsWith('first'));
      const sent = Array.from({ length: 10 }, (_, i) => `first ${i}`);
      same(texts, sent, 'the texts of one sender');
    },
  },
];
