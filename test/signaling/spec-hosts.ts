/** The part of the spec about hosts: who comes in, who decides it, and what becomes of those it was decided about. */
import { expect, test } from 'vitest';
import { errors } from '../../app/protocol/errors.ts';
import type { ServerMessage } from '../../app/protocol/messages.ts';
import type { Fields, Refused, TestPeer } from './peers.ts';

export type HostsSpec = {
  newRoom: () => string;
  peerIn: (room: string) => TestPeer;
  /** How joining with these fields is refused. */
  refusalOf: (room: string, fields: Fields) => Promise<Refused>;
};

export const describeHosts = ({ newRoom, peerIn, refusalOf }: HostsSpec): void => {
  const enter = async (room: string, fields?: Fields) => {
    const peer = peerIn(room);
    await peer.join(fields);
    return peer;
  };
  /** Which code ends the conversation of a peer. */
  const endOf = async (peer: TestPeer) => {
    const isEnd = (message: ServerMessage) => message.type === 'bye' || message.type === 'error';
    // A bye, or what a request for events is refused with that came between two.
    await expect.poll(() => peer.inbox.all.some(isEnd), { timeout: 15_000 }).toBe(true);
    const end = peer.inbox.all.find(isEnd);
    return end && 'code' in end && end.code;
  };
  /** Says it and waits until the room has it. */
  const settle = async (peer: TestPeer, message: Fields) => {
    await peer.send(message);
    await peer.inbox.take('ack');
  };
  /** A room that one knocks at, with its host and one who waits. */
  const knocked = async () => {
    const room = newRoom();
    const host = await enter(room, { name: 'Aiko' });
    await settle(host, { type: 'lock', access: 'knock' });
    const guest = peerIn(room);
    const waiting = await guest.knock({ name: 'Ben' });
    await host.inbox.take('lobby');
    return { room, host, guest, waiting };
  };

  test('who knocks hears nothing of the room until a host lets it in', async () => {
    const { room, host, guest, waiting } = await knocked();
    expect(waiting).toMatchObject({ host: true, self: { name: 'Ben' }, grace: 3000 });
    expect(host.inbox.of('lobby').at(-1)?.waiting).toEqual([{ id: guest.id, name: 'Ben', away: false }]);
    await settle(host, { type: 'chat', text: 'among us' });
    await guest.send({ type: 'signal', n: 1, to: host.id, epoch: 1, data: 'let me in' });
    expect(await guest.inbox.take('error')).toMatchObject({ code: 'waiting', n: 1, retry: errors.waiting.retry });
    expect(guest.inbox.all.map(({ type }) => type)).toEqual(['waiting', 'error']);
    await host.send({ type: 'admit', peer: guest.id });
    const joined = await guest.admitted();
    expect(joined).toMatchObject({
      recovered: false,
      self: { id: guest.id, role: 'guest' },
      peers: [{ id: host.id, initiator: true, role: 'host' }],
      room: { access: 'knock', passcode: false },
      chat: [{ from: host.id, name: 'Aiko', text: 'among us' }],
    });
    expect(joined.waiting).toBeUndefined();
    expect((await host.inbox.take('peer-joined')).peer).toMatchObject({ id: guest.id, name: 'Ben' });
    expect((await host.inbox.take('lobby')).waiting).toEqual([]);
    await guest.send({ type: 'chat', text: 'thank you' });
    expect(await host.inbox.take('chat')).toMatchObject({ from: guest.id, text: 'thank you' });
    await (await enterByKnock(room, host)).leave();
    expect(await guest.inbox.take('peer-left')).toMatchObject({ reason: 'left' });
  });

  const enterByKnock = async (room: string, host: TestPeer) => {
    const peer = peerIn(room);
    await peer.knock();
    await host.send({ type: 'admit', peer: peer.id });
    await peer.admitted();
    return peer;
  };

  test('who is denied is told so, and may not come back with that session', async () => {
    const { room, host, guest } = await knocked();
    await host.send({ type: 'deny', peer: guest.id });
    expect(await endOf(guest)).toBe('denied');
    expect(await refusalOf(room, { session: guest.session })).toMatchObject({ code: 'denied' });
    expect((await host.inbox.take('lobby')).waiting).toEqual([]);
  });

  test('one who waits comes back to the door, and finds it open if it was let in meanwhile', async () => {
    const { room, host, guest } = await knocked();
    await guest.cut();
    expect((await host.inbox.take('lobby', 20_000)).waiting).toMatchObject([{ id: guest.id, away: true }]);
    const again = peerIn(room);
    const { session, id } = guest;
    expect(await again.knock({ session, after: 2 })).toMatchObject({ session, self: { id } });
    expect((await host.inbox.take('lobby')).waiting).toMatchObject([{ id, away: false }]);
    await again.cut();
    expect((await host.inbox.take('lobby', 20_000)).waiting).toMatchObject([{ id, away: true }]);
    // At once: its grace is short.
    await host.sendMany([
      { type: 'chat', text: 'before' },
      { type: 'admit', peer: id },
      { type: 'signal', to: id, epoch: 2, data: 'for whoever comes' },
      { type: 'chat', text: 'since' },
    ]);
    await host.inbox.take('peer-joined');
    const inside = peerIn(room);
    expect(await inside.join({ session, after: 2 })).toMatchObject({
      recovered: false,
      self: { id },
      peers: [{ id: host.id }],
      chat: [{ text: 'before' }],
    });
    expect(await inside.inbox.take('signal')).toMatchObject({ data: 'for whoever comes' });
    expect(await inside.inbox.take('chat')).toMatchObject({ text: 'since' });
    await inside.send({ type: 'chat', text: 'here I am' });
    expect(await host.inbox.take('chat')).toMatchObject({ from: id, text: 'here I am' });
    expect(host.inbox.of('peer-joined')).toHaveLength(1);
  });

  test('one who waits hears that no host is here, and of the one who comes back', async () => {
    const { host, guest } = await knocked();
    await host.cut();
    expect(await guest.inbox.take('waiting-updated', 20_000)).toMatchObject({ host: false });
    await host.resume();
    expect(await guest.inbox.take('waiting-updated')).toMatchObject({ host: true });
  });

  test('a host that comes back is host again and passes its own door', async () => {
    const { room, host, guest } = await knocked();
    const { id, session } = host;
    await settle(host, { type: 'passcode', passcode: 'sesame' });
    await settle(host, { type: 'lock', access: 'locked' });
    await host.cut();
    const reloaded = peerIn(room);
    expect(await reloaded.join({ session })).toMatchObject({
      self: { id, role: 'host' },
      room: { access: 'locked', passcode: true },
      waiting: [{ id: guest.id }],
    });
    await reloaded.send({ type: 'admit', peer: guest.id });
    await guest.admitted();
  });

  test('a locked room takes nobody, a passcode those who know it', async () => {
    const room = newRoom();
    const host = await enter(room);
    await settle(host, { type: 'passcode', passcode: 'open sesame' });
    expect((await refusalOf(room, {})).code).toBe('passcode-needed');
    expect((await refusalOf(room, { passcode: 'Open sesame' })).code).toBe('wrong-passcode');
    const guest = await enter(room, { passcode: 'open sesame' });
    await settle(host, { type: 'lock', access: 'locked' });
    expect(await guest.inbox.take('room-updated')).toMatchObject({ access: 'locked' });
    expect((await refusalOf(room, { passcode: 'open sesame' })).code).toBe('room-locked');
    await settle(host, { type: 'lock', access: 'open' });
    await settle(host, { type: 'passcode', passcode: null });
    await enter(room);
    expect(guest.inbox.of('room-updated').at(-1)).toMatchObject({ passcode: false });
  });

  test('what a host says after a passcode is not overtaken by it', async () => {
    const room = newRoom();
    const host = await enter(room);
    const guest = await enter(room);
    await host.sendMany([
      { type: 'passcode', passcode: 'sesame' },
      { type: 'chat', text: 'it has one now' },
      { type: 'passcode', passcode: null },
      { type: 'chat', text: 'and none again' },
    ]);
    expect((await guest.inbox.take('chat')).text).toBe('it has one now');
    expect((await guest.inbox.take('chat')).text).toBe('and none again');
    expect(host.inbox.of('error')).toEqual([]);
    expect(guest.inbox.of('room-updated').map(({ passcode }) => passcode)).toEqual([true, false]);
  });

  test('guests decide nothing; a host may make one of them host', async () => {
    const room = newRoom();
    const host = await enter(room);
    const guest = await enter(room);
    await guest.send({ type: 'kick', peer: host.id });
    expect(await guest.inbox.take('error')).toMatchObject({ code: 'not-allowed', n: 1 });
    await host.send({ type: 'role', peer: guest.id, role: 'host' });
    expect(await guest.inbox.take('peer-updated')).toMatchObject({ peer: guest.id, role: 'host' });
    await guest.send({ type: 'mute-request', peer: host.id, kind: 'audio' });
    expect(await host.inbox.take('mute-request')).toMatchObject({ from: guest.id, kind: 'audio' });
  });

  test('who is removed is told so and is nobody’s peer; with a ban its session does not come back', async () => {
    const room = newRoom();
    const host = await enter(room);
    const [one, other] = [await enter(room), await enter(room)];
    await host.send({ type: 'kick', peer: one.id });
    expect(await endOf(one)).toBe('kicked');
    expect(await other.inbox.take('peer-left')).toMatchObject({ peer: one.id, reason: 'kicked' });
    await enter(room);
    await settle(host, { type: 'kick', peer: other.id, ban: true });
    expect(await endOf(other)).toBe('kicked');
    expect(await refusalOf(room, { session: other.session, after: 0 })).toMatchObject({ code: 'kicked' });
  });

  test('when the last host leaves, the one who has been here longest hosts', async () => {
    const room = newRoom();
    const host = await enter(room);
    const [second, third] = [await enter(room), await enter(room)];
    await host.leave();
    for (const peer of [second, third])
      expect(await peer.inbox.take('peer-updated')).toMatchObject({ peer: second.id, role: 'host' });
  });

  test('the end of a room is everyone’s, also of those who are away or wait', async () => {
    const { room, host, guest } = await knocked();
    const inside = await enterByKnock(room, host);
    await inside.cut();
    await host.inbox.take('peer-away', 20_000);
    await host.send({ type: 'end' });
    expect(await endOf(host)).toBe('room-ended');
    expect(await endOf(guest)).toBe('room-ended');
    expect(await refusalOf(room, { session: inside.session, after: 0 })).toMatchObject({ code: 'room-ended' });
    expect(await peerIn(room).join()).toMatchObject({ self: { role: 'host' }, peers: [], room: { access: 'open' } });
  });

  test('a page that may be loaded again keeps its seat for a moment', async () => {
    const room = newRoom();
    const host = await enter(room);
    const other = await enter(room);
    const { id, session } = host;
    await host.leave(true);
    expect(await other.inbox.take('peer-away')).toMatchObject({ peer: id });
    const reloaded = peerIn(room);
    expect(await reloaded.join({ session })).toMatchObject({ recovered: false, self: { id, role: 'host' } });
    await reloaded.leave(true);
    expect(await other.inbox.take('peer-left')).toMatchObject({ peer: id, reason: 'left' });
    expect(await other.inbox.take('peer-updated')).toMatchObject({ peer: other.id, role: 'host' });
  });
};
