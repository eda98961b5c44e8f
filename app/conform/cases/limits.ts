/** Limits of rooms, messages and sending rates. Their values are the server's choice; their existence is guaranteed. */
import { errors } from '../../protocol/errors.ts';
import type { Case } from '../case.ts';
import { type Context, isLimit, NotTested, sleep } from '../context.ts';
import { matches, same } from '../expect.ts';
import { type TestPeer, WebSocketPeer } from '../peers.ts';

/** Up to where a limit is searched for. */
const most = { peers: 40, bytes: 1_000_000, messages: 4000 };

export const limits: Case[] = [
  {
    name: 'a full room refuses joins until a seat is free again',
    async run(c) {
      const room = c.newRoom();
      const peers = await fill(c, room);
      same(await c.refusal(room), c.fate('room-full'), 'refusal');
      await peers[1]?.leave();
      await peers[0]?.inbox.take('peer-left');
      const again = await c.peerIn(room).join().catch(asBroken);
      same(again.peers.length, peers.length - 1, 'peers that the next one sees');
    },
  },
  {
    name: 'a message that is too long and has no number is refused as too-long, without effect on other peers',
    async run(c) {
      const { room, first, second } = await c.pair();
      const bytes = await tooLong(c, room);
      same(await c.refusal(room, [c.joinText(), unknownOf(bytes)]), c.fate('too-long'), 'refusal');
      await first.send({ type: 'chat', text: 'all well' });
      matches(await second.inbox.take('chat'), { text: 'all well' });
    },
  },
  {
    name: 'a message that is too long is settled by its number, and its session continues',
    async run(c) {
      const { room, first, second } = await c.pair();
      const bytes = await tooLong(c, room);
      await first.send({ type: 'chat', text: 'x', more: 'x'.repeat(bytes) });
      const { code, n, retry } = await first.inbox.take('error');
      same({ code, n, retry }, { code: 'too-long', n: 1, retry: undefined }, 'refusal');
      await first.send({ type: 'chat', text: 'all well' });
      same((await first.inbox.take('ack')).n, 2, 'acknowledged number');
      matches(await second.inbox.take('chat'), { text: 'all well' });
    },
  },
  {
    name: 'a message far over the limit closes the WebSocket',
    on: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const bytes = await tooLong(c, room);
      const peer = c.add(WebSocketPeer, room);
      await peer.join();
      peer.write('x'.repeat(3 * bytes));
      // A proxy that is still sending may notice the closed connection and cut it before forwarding the Close frame.
      const { code } = await peer.closing();
      same([1009, 1006].includes(code), true, `whether ${code} is 1009 or 1006`);
    },
  },
  {
    name: 'a flood is refused without effect on other peers, and the sender may continue later',
    async run(c) {
      const { first, second } = await c.pair();
      const pings = Array.from({ length: 90 }, () => ({ type: 'ping' }));
      for (let sent = 0; first.inbox.of('error').length === 0; sent += pings.length) {
        if (sent >= most.messages) throw new NotTested(`a session may send ${most.messages} messages at once`);
        await first.sendMany(pings);
        await first.inbox.pongs(sent + pings.length);
      }
      matches(await first.inbox.take('error'), { code: 'rate-limited', retry: errors['rate-limited'].retry });
      await second.send({ type: 'chat', text: 'quiet please' });
      matches(await first.inbox.take('chat'), { text: 'quiet please' });
      for (let tries = 0; tries < 20 && second.inbox.of('chat').length === 0; tries += 1) {
        await sleep(300);
        await first.send({ type: 'chat', n: 1, text: 'sorry' });
      }
      matches(await second.inbox.take('chat'), { text: 'sorry' });
    },
  },
];

/** Joins with peers until the room is full. */
const fill = async (c: Context, room: string): Promise<TestPeer[]> => {
  const peers: TestPeer[] = [];
  while (peers.length < most.peers) {
    try {
      peers.push(await c.join(room));
    } catch (error) {
      if (isLimit(error) && error.code === 'room-full') return peers;
      throw error;
    }
  }
  throw new NotTested(`a room accepts at least ${most.peers} peers`);
};

/** Turns a limit into a failure: here a room that is still full is not due to a setting. */
const asBroken = (error: unknown): never => {
  throw new Error(error instanceof Error ? error.message : String(error));
};

/** A message of an unknown type, which is refused at any length. */
const unknownOf = (bytes: number): string => JSON.stringify({ type: 'dance', more: 'x'.repeat(bytes) });

/** A length over the limit but less than twice it: beyond that the connection is closed without an error message. */
export const tooLong = async (c: Context, room: string): Promise<number> => {
  for (let bytes = 4096; bytes < most.bytes; bytes *= 1.5) {
    const { code } = await c.refusal(room, [c.joinText(), unknownOf(bytes)]);
    if (code === 'too-long') return bytes;
    same(code, 'unknown-type', `refusal of ${bytes} bytes of an unknown type`);
  }
  throw new NotTested(`messages of ${most.bytes} bytes are accepted`);
};
