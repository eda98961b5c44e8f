/** Knocking: peers in the lobby, and what happens to them. */
import { errors } from '../../protocol/errors.ts';
import type { Case } from '../case.ts';
import { awayWithin, type Context } from '../context.ts';
import { matches, same } from '../expect.ts';
import type { TestPeer } from '../peers.ts';
import { endOf, refusalOf, settle } from './hosts.ts';

/** A room with access `knock`, its host, and a waiting peer. */
const knocked = async (c: Context) => {
  const room = c.newRoom();
  const host = await c.join(room, { name: 'Aiko' });
  await settle(host, { type: 'lock', access: 'knock' });
  const guest = c.peerIn(room);
  const waiting = await guest.knock({ name: 'Ben' });
  await host.inbox.take('lobby');
  return { room, host, guest, waiting };
};

const joinByKnock = async (c: Context, room: string, host: TestPeer) => {
  const peer = c.peerIn(room);
  await peer.knock();
  await host.send({ type: 'admit', peer: peer.id });
  await peer.admitted();
  return peer;
};

export const knocking: Case[] = [
  {
    name: 'a peer in the lobby receives nothing from the room until a host admits it',
    async run(c) {
      const { room, host, guest, waiting } = await knocked(c);
      matches(waiting, { host: true, self: { name: 'Ben' }, grace: c.target.grace });
      same(host.inbox.of('lobby').at(-1)?.waiting, [{ id: guest.id, name: 'Ben', away: false }], 'lobby');
      await settle(host, { type: 'chat', text: 'among us' });
      await guest.send({ type: 'signal', n: 1, to: host.id, epoch: 1, data: 'let me in' });
      matches(await guest.inbox.take('error'), { code: 'waiting', n: 1, retry: errors.waiting.retry });
      // Ignored: a host whose requests are late becomes away and comes back.
      const received = guest.inbox.all.map(({ type }) => type).filter((type) => type !== 'waiting-updated');
      same(received, ['waiting', 'error'], 'messages received in the lobby');
      await host.send({ type: 'admit', peer: guest.id });
      const joined = await guest.admitted();
      matches(joined, {
        recovered: false,
        self: { id: guest.id, role: 'guest' },
        peers: [{ id: host.id, initiator: true, role: 'host' }],
        room: { access: 'knock', passcode: false },
      });
      if (joined.chat) matches(joined.chat, [{ from: host.id, name: 'Aiko', text: 'among us' }]);
      same(joined.waiting, undefined, 'the lobby as a guest sees it');
      matches((await host.inbox.take('peer-joined')).peer, { id: guest.id, name: 'Ben' });
      same((await host.inbox.take('lobby')).waiting, [], 'lobby');
      await guest.send({ type: 'chat', text: 'thank you' });
      matches(await host.inbox.take('chat'), { from: guest.id, text: 'thank you' });
      await (await joinByKnock(c, room, host)).leave();
      matches(await guest.inbox.take('peer-left'), { reason: 'left' });
    },
  },
  {
    name: 'a denied peer is notified, and may not join again with that session',
    async run(c) {
      const { room, host, guest } = await knocked(c);
      await host.send({ type: 'deny', peer: guest.id });
      same(await endOf(guest), 'denied', 'final code');
      matches(await refusalOf(c, room, { session: guest.session }), { code: 'denied' });
      same((await host.inbox.take('lobby')).waiting, [], 'lobby');
    },
  },
  {
    name: 'a peer in the lobby resumes, and joins if it was admitted meanwhile',
    async run(c) {
      const { room, host, guest, waiting } = await knocked(c);
      const { session, id } = guest;
      const after = waiting.seq;
      await guest.cut();
      matches((await host.inbox.take('lobby', awayWithin)).waiting, [{ id, away: true }]);
      const again = c.peerIn(room);
      matches(await again.knock({ session, after }), { session, self: { id } });
      matches((await host.inbox.take('lobby')).waiting, [{ id, away: false }]);
      await again.cut();
      matches((await host.inbox.take('lobby', awayWithin)).waiting, [{ id, away: true }]);
      // In one request, because its grace may be short.
      await host.sendMany([
        { type: 'chat', text: 'before' },
        { type: 'admit', peer: id },
      ]);
      const { peer } = await host.inbox.take('peer-joined');
      await settle(host, { type: 'signal', to: id, epoch: peer.epoch, data: 'for whoever comes' });
      await settle(host, { type: 'chat', text: 'since' });
      const inside = c.peerIn(room);
      const joined = await inside.join({ session, after });
      matches(joined, { recovered: false, self: { id }, peers: [{ id: host.id }] });
      if (joined.chat) matches(joined.chat, [{ text: 'before' }]);
      matches(await inside.inbox.take('signal'), { data: 'for whoever comes' });
      matches(await inside.inbox.take('chat'), { text: 'since' });
      await inside.send({ type: 'chat', text: 'here I am' });
      matches(await host.inbox.take('chat'), { from: id, text: 'here I am' });
      same(host.inbox.of('peer-joined').length, 1, 'how often it joined');
    },
  },
  {
    name: 'a peer in the lobby is notified when the host disconnects and resumes',
    async run(c) {
      const { host, guest } = await knocked(c);
      await host.cut();
      matches(await guest.inbox.take('waiting-updated', awayWithin), { host: false });
      await host.resume();
      matches(await guest.inbox.take('waiting-updated'), { host: true });
    },
  },
  {
    name: 'a host that resumes is host again and bypasses lock and passcode',
    async run(c) {
      const { room, host, guest } = await knocked(c);
      const { id, session } = host;
      await settle(host, { type: 'passcode', passcode: 'sesame' });
      await settle(host, { type: 'lock', access: 'locked' });
      await host.cut();
      const reloaded = c.peerIn(room);
      matches(await reloaded.join({ session }), {
        self: { id, role: 'host' },
        room: { access: 'locked', passcode: true },
        waiting: [{ id: guest.id }],
      });
      await reloaded.send({ type: 'admit', peer: guest.id });
      await guest.admitted();
    },
  },
  {
    name: 'a room ends for everyone, including peers that are away or in the lobby',
    async run(c) {
      const { room, host, guest } = await knocked(c);
      const inside = await joinByKnock(c, room, host);
      await inside.cut();
      await host.inbox.take('peer-away', awayWithin);
      await host.send({ type: 'end' });
      same(await endOf(host), 'room-ended', 'final code');
      same(await endOf(guest), 'room-ended', 'final code');
      matches(await refusalOf(c, room, { session: inside.session, after: 0 }), { code: 'room-ended' });
      c.needsRolesOfTheRoom();
      const rejoined = await c.peerIn(room).join();
      matches(rejoined, { self: { role: 'host' }, peers: [], room: { access: 'open' } });
    },
  },
];
