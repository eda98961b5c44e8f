/** What signaling promises, as one behavioural spec: run over every transport, listener and front. */
import { afterAll, describe, expect, test } from 'vitest';
import { type ErrorCode, errors } from '../../app/protocol/errors.ts';
import { eventStream, type Fields, plainHttp, type TestPeer, type Transport, webSocket } from './peers.ts';
import { describeHosts } from './spec-hosts.ts';
import { describeRequests, describeSockets, describeStreams, messageBytes } from './spec-transports.ts';

/** The settings the spec counts on: short times, small rooms, a small log; and that all of it comes from one address. */
export const specSettings = [
  ['--max-peers', '4'],
  ['--grace', '3'],
  ['--return-grace', '1'],
  ['--poll-grace', '2'],
  ['--heartbeat', '1'],
  ['--log-events', '16'],
  ['--message-rate', '50'],
  ['--message-burst', '100'],
  ['--join-burst', '100000'],
  ['--max-message-bytes', String(messageBytes)],
  ['--join-timeout', '4'],
  // All peers of the spec come from one address.
  ['--join-burst', '1000000'],
  ['--attempt-burst', '1000000'],
  ['--drain-timeout', '2'],
].flat();

let count = 0;
const newRoom = () => `room-${process.pid}-${++count}`;

/** @param site the base URL of the server under test, or of what stands in front of it */
export const describeSignaling = (name: string, site: () => string, transport: Transport): void => {
  describe.concurrent(`${transport.name} ${name}`, () => {
    const open: TestPeer[] = [];
    afterAll(() => {
      for (const peer of open) peer.dispose();
    });
    const peerIn = (room: string, by: Transport = transport): TestPeer => {
      const peer = by.peer(site(), room);
      open.push(peer);
      return peer;
    };
    const enter = async (room: string, fields?: Fields): Promise<TestPeer> => {
      const peer = peerIn(room);
      await peer.join(fields);
      return peer;
    };
    /** Two peers of one room, the second the newcomer, and their epoch. */
    const pair = async () => {
      const room = newRoom();
      const first = await enter(room);
      const second = peerIn(room);
      const joined = await second.join();
      const epoch = joined.peers[0]?.epoch ?? 0;
      await first.inbox.take('peer-joined');
      return { room, first, second, epoch };
    };

    test('the newcomer offers first, one of each pair is polite, and both know the same epoch', async () => {
      const room = newRoom();
      const first = peerIn(room);
      const alone = await first.join({ name: ' Aiko ', media: { audio: true, video: false } });
      expect(alone).toMatchObject({ peers: [], recovered: false, self: { name: 'Aiko', role: 'host' }, grace: 3000 });
      const second = peerIn(room);
      const { peers, self } = await second.join({ name: 'Ben' });
      expect(self.role).toBe('guest');
      expect(peers).toEqual([
        {
          id: first.id,
          name: 'Aiko',
          role: 'host',
          media: { audio: true, video: false },
          hand: false,
          away: false,
          initiator: true,
          polite: true,
          epoch: peers[0]?.epoch,
        },
      ]);
      const told = await first.inbox.take('peer-joined');
      expect(told.peer).toMatchObject({ id: second.id, name: 'Ben', initiator: false, polite: false });
      expect(told.peer.epoch).toBe(peers[0]?.epoch);
      const third = await peerIn(room).join();
      expect(third.peers.map(({ initiator }) => initiator)).toEqual([true, true]);
    });

    test('a signal reaches its receiver unread, and nobody else', async () => {
      const { room, first, second, epoch } = await pair();
      const third = await enter(room);
      const data = { description: { sdp: 'v=0\r\n"\\\u2028 玄関 😀', type: 'offer' }, deep: [[], {}, null, 1e21, ''] };
      await second.send({ type: 'signal', to: first.id, epoch, data });
      const got = await first.inbox.take('signal');
      expect(got).toMatchObject({ from: second.id, epoch, data });
      await second.inbox.take('ack');
      await second.send({ type: 'chat', text: 'after it' });
      await third.inbox.take('chat');
      expect(third.inbox.of('signal')).toEqual([]);
    });

    test('fields in another order are relayed just the same, and data cannot pose as a sender', async () => {
      const { first, second, epoch } = await pair();
      await second.send({ type: 'signal', epoch, data: { from: 'nobody', seq: 0 }, to: first.id });
      expect(await first.inbox.take('signal')).toMatchObject({ from: second.id, data: { from: 'nobody', seq: 0 } });
    });

    test('a signal of an older epoch is refused after a real rejoin', async () => {
      const { room, first, second, epoch } = await pair();
      await second.leave();
      expect(await first.inbox.take('peer-left')).toMatchObject({ peer: second.id, reason: 'left' });
      const again = await enter(room);
      await first.inbox.take('peer-joined');
      await first.send({ type: 'signal', to: again.id, epoch, data: 'old' });
      expect(await first.inbox.take('error')).toMatchObject({ code: 'stale-epoch', n: 1 });
      await first.send({ type: 'signal', to: second.id, epoch, data: 'to one who left' });
      expect(await first.inbox.take('error')).toMatchObject({ code: 'unknown-peer', n: 2 });
      await first.send({ type: 'signal', to: again.id, epoch: epoch + 1, data: 'new' });
      expect(await again.inbox.take('signal')).toMatchObject({ data: 'new', epoch: epoch + 1 });
    });

    test('chat goes to everyone else, or to one; updates are told', async () => {
      const { room, first, second } = await pair();
      const third = await enter(room);
      await first.send({ type: 'chat', text: 'to all <b>' });
      await first.send({ type: 'chat', text: 'to the second', to: second.id });
      await first.send({ type: 'update', name: 'Chika', media: { audio: true, video: true } });
      expect(await second.inbox.take('chat')).toMatchObject({ from: first.id, text: 'to all <b>' });
      expect(await second.inbox.take('chat')).toMatchObject({ to: second.id, text: 'to the second' });
      expect(await third.inbox.take('peer-updated')).toMatchObject({ peer: first.id, name: 'Chika' });
      expect(third.inbox.of('chat')).toHaveLength(1);
      expect(first.inbox.of('chat')).toEqual([]);
      const late = await peerIn(room).join();
      expect(late.peers[0]).toMatchObject({ name: 'Chika', media: { audio: true, video: true } });
    });

    test('a number is settled once: a repeat is acknowledged and not delivered, a gap is refused', async () => {
      const { first, second } = await pair();
      await first.send({ type: 'chat', n: 1, text: 'one' });
      await first.send({ type: 'chat', n: 1, text: 'one' });
      await first.send({ type: 'chat', n: 3, text: 'three' });
      expect(await first.inbox.take('error')).toMatchObject({ code: 'out-of-order', n: 3, retry: 0 });
      await first.send({ type: 'chat', n: 2, text: 'two' });
      await second.inbox.take('chat');
      expect((await second.inbox.take('chat')).text).toBe('two');
      let acked = 0;
      while (acked < 2) acked = (await first.inbox.take('ack')).n;
      expect(second.inbox.of('chat').map(({ text }) => text)).toEqual(['one', 'two']);
    });

    test('everyone gets every event once, in the order of its number', async () => {
      const { room, first, second } = await pair();
      const third = await enter(room);
      for (let i = 0; i < 10; i += 1) {
        await first.send({ type: 'chat', text: `first ${i}` });
        await second.send({ type: 'chat', text: `second ${i}` });
      }
      for (let i = 0; i < 20; i += 1) await third.inbox.take('chat');
      const seqs = third.inbox.of('chat').map(({ seq }) => seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      const texts = third.inbox.of('chat').map(({ text }) => text);
      expect(texts.filter((text) => text.startsWith('first'))).toEqual(
        Array.from({ length: 10 }, (_, i) => `first ${i}`),
      );
    });

    test('a lost connection is away, comes back within grace and misses nothing', async () => {
      const { first, second, epoch } = await pair();
      const { id, session } = second;
      await second.cut();
      expect(await first.inbox.take('peer-away')).toMatchObject({ peer: id });
      await first.send({ type: 'chat', text: 'while you were out' });
      await first.send({ type: 'signal', to: id, epoch, data: 'still yours' });
      await first.inbox.take('ack');
      const joined = await second.resume();
      expect(joined).toMatchObject({ recovered: true, self: { id }, session });
      expect(await second.inbox.take('chat')).toMatchObject({ text: 'while you were out' });
      expect(await second.inbox.take('signal')).toMatchObject({ data: 'still yours', epoch });
      expect(await first.inbox.take('peer-back')).toMatchObject({ peer: id });
      await second.send({ type: 'signal', to: first.id, epoch, data: 'the epoch holds' });
      expect(await first.inbox.take('signal')).toMatchObject({ data: 'the epoch holds' });
      expect(first.inbox.of('peer-left')).toEqual([]);
    });

    test('after grace the peer has left, once, and its session is a new beginning', async () => {
      const { first, second } = await pair();
      const { id } = second;
      await second.cut();
      expect(await first.inbox.take('peer-left')).toMatchObject({ peer: id, reason: 'timeout' });
      const joined = await second.resume();
      expect(joined.recovered).toBe(false);
      expect(joined.self.id).not.toBe(id);
      await first.inbox.take('peer-joined');
      expect(first.inbox.of('peer-left')).toHaveLength(1);
    });

    test('who missed more than is kept joins anew in the same seat, with a new epoch', async () => {
      const { first, second, epoch } = await pair();
      const { id } = second;
      await second.cut();
      await first.inbox.take('peer-away');
      // A peer that asks for events has to be waiting again, or what follows would be too much for it as well.
      await new Promise((resolve) => setTimeout(resolve, 800));
      await first.sendMany(Array.from({ length: 20 }, (_, i) => ({ type: 'chat', text: `missed ${i}` })));
      while ((await first.inbox.take('ack')).n < 20);
      const joined = await second.resume();
      expect(joined).toMatchObject({ recovered: false, self: { id } });
      expect(joined.peers).toHaveLength(1);
      const replaced = await first.inbox.take('peer-joined');
      expect(replaced.peer.id).toBe(id);
      expect(replaced.peer.epoch).toBeGreaterThan(epoch);
      expect(joined.peers[0]?.epoch).toBe(replaced.peer.epoch);
      await second.send({ type: 'chat', text: 'numbered from 1 again' });
      expect(await first.inbox.take('chat')).toMatchObject({ text: 'numbered from 1 again' });
    });

    test('a session goes on over the other transport', async () => {
      const { room, first, second } = await pair();
      const { id, session } = second;
      const after = Math.max(0, ...second.inbox.all.map((message) => ('seq' in message ? message.seq : 0)));
      await second.cut();
      const elsewhere = peerIn(room, transport === webSocket ? plainHttp : webSocket);
      const joined = await elsewhere.join({ session, after });
      expect(joined).toMatchObject({ recovered: true, self: { id } });
      await first.send({ type: 'chat', text: 'do you hear me there' });
      expect(await elsewhere.inbox.take('chat')).toMatchObject({ text: 'do you hear me there' });
      expect(first.inbox.of('peer-left')).toEqual([]);
    });

    test('a full room takes nobody more, and a seat that is free again is free', async () => {
      const room = newRoom();
      const peers = [await enter(room), await enter(room), await enter(room), await enter(room)];
      expect(await transport.refusal(site(), room, ['{"type":"join"}'])).toEqual(fate('room-full', transport));
      await peers[1]?.leave();
      await peers[0]?.inbox.take('peer-left');
      expect((await peerIn(room).join()).peers).toHaveLength(3);
    });

    test('rooms do not hear each other', async () => {
      const one = await pair();
      const two = await pair();
      await one.first.send({ type: 'signal', to: two.first.id, epoch: 1, data: 'over the wall' });
      expect(await one.first.inbox.take('error')).toMatchObject({ code: 'unknown-peer' });
      await one.first.send({ type: 'chat', text: 'inside' });
      await one.second.inbox.take('chat');
      expect([...two.first.inbox.all, ...two.second.inbox.all].map(({ type }) => type)).not.toContain('chat');
    });

    test('a session of one room is nothing in another', async () => {
      const { first } = await pair();
      const joined = await peerIn(newRoom()).join({ session: first.session, after: 0 });
      expect(joined.recovered).toBe(false);
      expect(joined.self.id).not.toBe(first.id);
    });

    test.each(['玄関', 'зал_2', 'नमस्ते', 'a', 'x'.repeat(64)])('a room may be called %s', async (room) => {
      const peer = await enter(`${room.slice(0, 58)}`);
      await peer.leave();
    });

    const join = '{"type":"join"}';
    test.each<[string, ErrorCode, string[]]>([
      ['not JSON', 'bad-json', [join, '{"type":"chat",']],
      ['too long', 'too-long', [join, JSON.stringify({ type: 'chat', n: 1, text: 'x'.repeat(messageBytes) })]],
      ['an unknown type', 'unknown-type', [join, '{"type":"dance"}']],
      ['no type', 'unknown-type', [join, '{"n":1}']],
      ['a field of the wrong type', 'bad-message', [join, '{"type":"chat","n":"one","text":"x"}']],
      ['a missing field', 'bad-message', [join, '{"type":"signal","n":1,"to":"x","epoch":1}']],
      ['a name of control characters', 'bad-message', [join, '{"type":"update","n":1,"name":"a\\u0007b"}']],
      [
        'a text that is too long',
        'bad-message',
        [join, JSON.stringify({ type: 'chat', n: 1, text: 'x'.repeat(4001) })],
      ],
      ['a signal before join', 'not-joined', ['{"type":"signal","n":1,"to":"x","epoch":1,"data":1}']],
      ['a second join', 'already-joined', [join, '{"type":"join","name":"again"}']],
      ['a signal to nobody', 'unknown-peer', [join, '{"type":"signal","n":1,"to":"nobody","epoch":1,"data":1}']],
      ['a name that is too long', 'bad-message', [JSON.stringify({ type: 'join', name: 'x'.repeat(65) })]],
    ])('%s is refused as %s, and nobody else notices', async (_what, code, texts) => {
      const { room, first, second } = await pair();
      expect(await transport.refusal(site(), room, texts)).toEqual(fate(code, transport));
      await first.send({ type: 'chat', text: 'all well' });
      expect(await second.inbox.take('chat')).toMatchObject({ text: 'all well' });
    });

    test.each(['a b', 'x'.repeat(65), '..%2f', 'semi;colon', 'cafe\u0301'])(
      '%s is not the name of a room',
      async (room) => {
        expect(await transport.refusal(site(), room, ['{"type":"join"}'])).toEqual(fate('bad-room-name', transport));
      },
    );

    test('a flood is refused, the room does not notice, and the sender may go on later', async () => {
      const { first, second } = await pair();
      await first.sendMany(Array.from({ length: 180 }, () => ({ type: 'ping' })));
      const refused = await first.inbox.take('error');
      expect(refused).toMatchObject({ code: 'rate-limited', retry: errors['rate-limited'].retry });
      await second.send({ type: 'chat', text: 'quiet please' });
      expect(await first.inbox.take('chat')).toMatchObject({ text: 'quiet please' });
      for (let tries = 0; tries < 20 && second.inbox.of('chat').length === 0; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await first.send({ type: 'chat', n: 1, text: 'sorry' });
      }
      expect(await second.inbox.take('chat')).toMatchObject({ text: 'sorry' });
    });

    describeHosts({
      newRoom,
      peerIn,
      refusalOf: (room, fields) => transport.refusal(site(), room, [JSON.stringify({ type: 'join', ...fields })]),
    });
    if (transport === webSocket) describeSockets(site, newRoom, (peer) => open.push(peer));
    else if (transport === eventStream) describeStreams(site, newRoom, (peer) => open.push(peer));
    else describeRequests(site, newRoom);
  });
};

const fate = (code: ErrorCode, transport: Transport) => {
  const row: { status: number; close?: number } = errors[code];
  return { code, fate: transport === webSocket ? (row.close ?? 0) : row.status };
};
