/** Signals in binary frames (`genkan.v2`): between all transports, unread, within limits. */

import type { Case } from '../case.ts';
import { type Context, NotTested } from '../context.ts';
import { matches, same } from '../expect.ts';
import { BinaryPeer, WebSocketPeer } from '../peers.ts';
import { plainHttp } from '../transports.ts';

/** A peer that sends binary frames, with one on another connection that does not. */
const pairOf = async (c: Context) => {
  const room = c.newRoom();
  const other = c.add(WebSocketPeer, room);
  await other.join();
  const binary = c.add(BinaryPeer, room);
  const { peers } = await binary.join();
  if (binary.protocol !== 'genkan.v2') throw new NotTested('the server does not support genkan.v2');
  return { room, other, binary, epoch: peers[0]?.epoch ?? 0 };
};

export const binarySignals: Case[] = [
  {
    name: 'a signal in a binary frame reaches receivers on every transport, and theirs reach its sender',
    on: ['WebSocket'],
    also: ['HTTP'],
    async run(c) {
      const { room, other, binary, epoch } = await pairOf(c);
      const third = c.peerIn(room, plainHttp);
      const { peers } = await third.join();
      const late = peers[0]?.epoch ?? 0;
      const data = { description: { sdp: 'v=0\r\n"\\\u2028 玄関 😀', type: 'offer' }, deep: [[], {}, null, 1e21, ''] };
      await binary.send({ type: 'signal', to: other.id, epoch, data });
      await binary.send({ type: 'signal', to: third.id, epoch: late, data });
      matches(await other.inbox.take('signal'), { from: binary.id, epoch, data });
      matches(await third.inbox.take('signal'), { from: binary.id, epoch: late, data });
      await other.send({ type: 'signal', to: binary.id, epoch, data });
      matches(await binary.inbox.take('signal'), { from: other.id, epoch, data });
      await third.send({ type: 'signal', to: binary.id, epoch: late, data });
      matches(await binary.inbox.take('signal'), { from: third.id, epoch: late, data });
    },
  },
  {
    name: 'a session that resumes receives the signals it missed, whichever frames it and their sender use',
    on: ['WebSocket'],
    async run(c) {
      const { room, other, binary, epoch } = await pairOf(c);
      await other.cut();
      await binary.send({ type: 'signal', to: other.id, epoch, data: ['missed', '玄'] });
      await binary.inbox.take('ack');
      await other.resume();
      matches(await other.inbox.take('signal'), { from: binary.id, data: ['missed', '玄'] });
      const [id, session] = [binary.id, binary.session];
      const after = Math.max(...binary.inbox.all.map((message) => ('seq' in message ? message.seq : 0)));
      await binary.cut();
      await other.send({ type: 'signal', to: id, epoch, data: ['missed too'] });
      await other.inbox.take('ack');
      await binary.resume();
      matches(await binary.inbox.take('signal'), { from: other.id, data: ['missed too'] });
      const texts = c.add(WebSocketPeer, room);
      matches(await texts.join({ session, after }), { recovered: true, self: { id } });
      matches(await texts.inbox.take('signal'), { from: other.id, data: ['missed too'] });
    },
  },
  {
    name: 'data in a binary frame that is not JSON is null for a receiver of JSON, and cannot forge a message',
    on: ['WebSocket'],
    async run(c) {
      const { other, binary, epoch } = await pairOf(c);
      const forged = [
        'null,"from":"nobody"',
        'null}{"type":"bye"',
        '"',
        '\u0000',
        `${'['.repeat(32)}${']'.repeat(32)}`,
        Buffer.from([0xff, 0xfe, 0x31]),
      ];
      for (const [index, data] of forged.entries()) {
        binary.write(Buffer.concat([Buffer.from(`${index + 1} ${other.id} ${epoch}\n`), Buffer.from(data)]));
        const received = await other.inbox.take('signal');
        same(JSON.stringify({ ...received, seq: 0 }), signalText(binary.id, epoch), `what the data ${index} became`);
      }
    },
  },
  {
    name: 'a binary frame has a line, numbers in order, data within the limit, and a receiver in the room',
    on: ['WebSocket'],
    async run(c) {
      const { other, binary, epoch } = await pairOf(c);
      const refused = async (payload: string, code: string, n?: number) => {
        binary.write(Buffer.from(payload));
        const { code: found, n: number } = await binary.inbox.take('error');
        same([found, number], [code, n], `the refusal of ${JSON.stringify(payload.slice(0, 60))}`);
      };
      const to = `${other.id} ${epoch}\n`;
      for (const payload of ['', '\n', `01 ${to}1`, ` 1 ${to}1`, `1234567890123456 ${to}1`])
        await refused(payload, 'bad-message');
      const settled: [string, string][] = [
        [` ${to}1`, 'bad-message'],
        [`${other.id} ${epoch}`, 'bad-message'],
        [`${'a'.repeat(33)} ${epoch}\n1`, 'bad-message'],
        [to, 'bad-message'],
        [`${to}${'x'.repeat(32_769)}`, 'too-long'],
        [`nobody ${epoch}\n1`, 'unknown-peer'],
        [`${binary.id} ${epoch}\n1`, 'unknown-peer'],
        [`${other.id} ${epoch + 1}\n1`, 'stale-epoch'],
      ];
      for (const [index, [rest, code]] of settled.entries()) {
        await refused(`99 ${to}1`, 'out-of-order', 99);
        await refused(`${index + 1} ${rest}`, code, index + 1);
      }
      binary.write(Buffer.from(`${settled.length + 1} ${to}"${'x'.repeat(32_766)}"`));
      same(String((await other.inbox.take('signal')).data).length, 32_766, 'characters of the longest data');
      same(other.inbox.of('signal').length, 1, 'signals that the receiver got');
    },
  },
];

const signalText = (from: string, epoch: number): string =>
  JSON.stringify({ type: 'signal', seq: 0, from, epoch, data: null });
