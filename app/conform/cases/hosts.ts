/** Hosts: messages that only they may send, and who becomes host when they leave. */

import { created } from '../../protocol/http-answers.ts';
import type { Case } from '../case.ts';
import { type Context, NotTested } from '../context.ts';
import { matches, same } from '../expect.ts';
import { AskingPeer, type Fields, type TestPeer } from '../peers.ts';

/** The refusal of a join with these fields. */
export const refusalOf = (c: Context, room: string, fields: Fields) => c.refusal(room, [c.joinText(fields)]);

/** Sends a message and waits for its acknowledgement. */
export const settle = async (peer: TestPeer, message: Fields): Promise<void> => {
  await peer.send(message);
  await peer.inbox.take('ack');
};

/** The code that ends a peer's session: that of a bye, or of the next refused request for events. */
export const endOf = async (peer: TestPeer) => (await peer.inbox.refusal()).code;

export const hosts: Case[] = [
  {
    name: 'guests may not moderate; a host may make a guest host',
    async run(c) {
      const room = c.newRoom();
      const host = await c.join(room);
      const guest = await c.join(room);
      await guest.send({ type: 'kick', peer: host.id });
      matches(await guest.inbox.take('error'), { code: 'not-allowed', n: 1 });
      await host.send({ type: 'role', peer: guest.id, role: 'host' });
      matches(await guest.inbox.take('peer-updated'), { peer: guest.id, role: 'host' });
      await guest.send({ type: 'mute-request', peer: host.id, kind: 'audio' });
      matches(await host.inbox.take('mute-request'), { from: guest.id, kind: 'audio' });
    },
  },
  {
    name: 'a removed peer is notified and has left the room; with a ban, its session may not join again',
    async run(c) {
      const room = c.newRoom();
      const host = await c.join(room);
      const [one, other] = [await c.join(room), await c.join(room)];
      await host.send({ type: 'kick', peer: one.id });
      same(await endOf(one), 'kicked', 'final code');
      matches(await other.inbox.take('peer-left'), { peer: one.id, reason: 'kicked' });
      await c.join(room);
      await settle(host, { type: 'kick', peer: other.id, ban: true });
      same(await endOf(other), 'kicked', 'final code');
      matches(await refusalOf(c, room, { session: other.session, after: 0 }), { code: 'kicked' });
    },
  },
  {
    name: 'a room can be created with a passcode before anyone joins, and its creator is host',
    async run(c) {
      c.needsRolesOfTheRoom();
      if (c.target.token !== undefined) throw new NotTested('creating a room needs a token');
      const room = c.newRoom();
      const { status, json } = await c.add(AskingPeer, room).post('create', { passcode: 'plum' });
      same(status, 201, 'status');
      const { session } = created.parse(json);
      same((await refusalOf(c, room, {})).code, 'passcode-needed', 'refusal without the passcode');
      matches(await c.peerIn(room).join({ passcode: 'plum' }), { self: { role: 'guest' } });
      matches(await c.peerIn(room).join({ session }), { self: { role: 'host' }, room: { passcode: true } });
    },
  },
  {
    name: 'when the last host leaves, the peer that joined first becomes host',
    async run(c) {
      c.needsRolesOfTheRoom();
      const room = c.newRoom();
      const host = await c.join(room);
      const [second, third] = [await c.join(room), await c.join(room)];
      await host.leave();
      for (const peer of [second, third])
        matches(await peer.inbox.take('peer-updated'), { peer: second.id, role: 'host' });
    },
  },
  {
    name: 'a page that may be reloading keeps its seat for a short time',
    async run(c) {
      c.needsRolesOfTheRoom();
      const room = c.newRoom();
      const host = await c.join(room);
      const other = await c.join(room);
      const { id, session } = host;
      await host.leave(true);
      matches(await other.inbox.take('peer-away'), { peer: id });
      const reloaded = c.peerIn(room);
      matches(await reloaded.join({ session }), { recovered: false, self: { id, role: 'host' } });
      await reloaded.leave(true);
      matches(await other.inbox.take('peer-left'), { peer: id, reason: 'left' });
      matches(await other.inbox.take('peer-updated'), { peer: other.id, role: 'host' });
    },
  },
  {
    name: 'a locked room refuses all joins; a room with a passcode requires it',
    async run(c) {
      const room = c.newRoom();
      const host = await c.join(room);
      await settle(host, { type: 'passcode', passcode: 'open sesame' });
      same((await refusalOf(c, room, {})).code, 'passcode-needed', 'refusal');
      same((await refusalOf(c, room, { passcode: 'Open sesame' })).code, 'wrong-passcode', 'refusal');
      const guest = await c.join(room, { passcode: 'open sesame' });
      await settle(host, { type: 'lock', access: 'locked' });
      matches(await guest.inbox.take('room-updated'), { access: 'locked' });
      same((await refusalOf(c, room, { passcode: 'open sesame' })).code, 'room-locked', 'refusal');
      await settle(host, { type: 'lock', access: 'open' });
      await settle(host, { type: 'passcode', passcode: null });
      await c.join(room);
      await guest.inbox.take('peer-joined');
      matches(guest.inbox.of('room-updated').at(-1), { passcode: false });
    },
  },
  {
    name: 'a passcode change and the messages after it keep their order',
    async run(c) {
      const room = c.newRoom();
      const host = await c.join(room);
      const guest = await c.join(room);
      await host.sendMany([
        { type: 'passcode', passcode: 'sesame' },
        { type: 'chat', text: 'it has one now' },
        { type: 'passcode', passcode: null },
        { type: 'chat', text: 'and none again' },
      ]);
      same((await guest.inbox.take('chat')).text, 'it has one now', 'the first text');
      same((await guest.inbox.take('chat')).text, 'and none again', 'the second text');
      same(host.inbox.of('error'), [], 'errors sent to the host');
      const updates = guest.inbox.of('room-updated').map(({ passcode }) => passcode);
      same(updates, [true, false], 'whether there is a passcode');
    },
  },
];
