/** Closing a connection: the bye and the close code agree on whether to reconnect. */
import { errors } from '../../protocol/errors.ts';
import type { Case } from '../case.ts';
import { NotTested } from '../context.ts';
import { matches, same } from '../expect.ts';
import { WebSocketPeer } from '../peers.ts';

/** Maximum wait in ms for the join timeout of the server. */
const patience = 60_000;

export const closing: Case[] = [
  {
    name: 'leave is answered with bye and a final close code',
    on: ['WebSocket'],
    async run(c) {
      const peer = c.add(WebSocketPeer, c.newRoom());
      await peer.join();
      await peer.leave();
      matches(peer.inbox.of('bye'), [{ code: 'left', retry: null }]);
      same(peer.closed?.code, errors.left.close, 'close code');
    },
  },
  {
    name: 'a replaced connection is told not to reconnect',
    on: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const [older, newer] = [c.add(WebSocketPeer, room), c.add(WebSocketPeer, room)];
      const { seq } = await older.join();
      await newer.join({ session: older.session, after: seq });
      same((await older.closing()).code, errors.replaced.close, 'close code');
      matches(older.inbox.of('bye'), [{ code: 'replaced', retry: null }]);
    },
  },
  {
    name: 'a client that does not join in time gets a close code to reconnect',
    on: ['WebSocket'],
    lasts: () => 10_000,
    async run(c) {
      const idle = c.add(WebSocketPeer, c.newRoom());
      await idle.open();
      const { code } = await idle.closing(patience).catch(() => {
        throw new NotTested(`the server waits longer than ${patience / 1000} s for a join`);
      });
      same(code, errors['join-timeout'].close, 'close code');
      matches(idle.inbox.of('bye'), [{ code: 'join-timeout', retry: errors['join-timeout'].retry }]);
    },
  },
];
