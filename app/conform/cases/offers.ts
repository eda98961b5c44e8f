/** Which peer offers, which one yields, and which connection a signal belongs to. */

import type { Case } from '../case.ts';
import { matches, same } from '../expect.ts';

export const offers: Case[] = [
  {
    name: 'the peer that joined later offers first and is polite, and both have the same epoch',
    async run(c) {
      const room = c.newRoom();
      const first = c.peerIn(room);
      const alone = await first.join({ name: ' Aiko ', media: { audio: true, video: false } });
      const { grace } = c.target;
      matches(alone, { peers: [], recovered: false, self: { name: 'Aiko', role: 'host' }, grace });
      const second = c.peerIn(room);
      const { peers, self } = await second.join({ name: 'Ben' });
      same(self.role, 'guest', 'role of the second');
      matches(peers, [
        {
          id: first.id,
          name: 'Aiko',
          role: 'host',
          media: { audio: true, video: false },
          hand: false,
          away: false,
          initiator: true,
          polite: true,
        },
      ]);
      const event = await first.inbox.take('peer-joined');
      matches(event.peer, { id: second.id, name: 'Ben', initiator: false, polite: false, epoch: peers[0]?.epoch });
      const third = await c.peerIn(room).join();
      same(
        third.peers.map(({ initiator }) => initiator),
        [true, true],
        'whether the third offers',
      );
    },
  },
  {
    name: 'a signal of an older epoch is refused after a peer has joined again',
    async run(c) {
      const { room, first, second, epoch } = await c.pair();
      await second.leave();
      matches(await first.inbox.take('peer-left'), { peer: second.id, reason: 'left' });
      const again = await c.join(room);
      const { peer } = await first.inbox.take('peer-joined');
      await first.send({ type: 'signal', to: again.id, epoch, data: 'old' });
      matches(await first.inbox.take('error'), { code: 'stale-epoch', n: 1 });
      await first.send({ type: 'signal', to: second.id, epoch, data: 'to one who left' });
      matches(await first.inbox.take('error'), { code: 'unknown-peer', n: 2 });
      await first.send({ type: 'signal', to: again.id, epoch: peer.epoch, data: 'new' });
      matches(await again.inbox.take('signal'), { data: 'new', epoch: peer.epoch });
      same(again.inbox.of('signal').length, 1, 'signals that arrived');
    },
  },
];
