/** Attacks by messages: too many, too large, malformed, to peers that receive and by peers that do not read. */

import type WebSocket from 'ws';
import { known } from '../addresses.ts';
import type { Attack, Hands } from '../hands.ts';

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const malformed = [
  '{"type":"nothing","n":1}',
  '{"type":"chat"}',
  '{"type":"chat","n":1,"text":""}',
  '{"type":"signal","n":-1,"to":"?","epoch":0}',
  `{"type":"signal","n":1,"to":"x","epoch":1,"data":${nested(20_000)}}`,
  `{"type":"chat","n":1,"text":"${'x'.repeat(60_000)}"}`,
  '{"type":"update","n":9007199254740993,"name":"\u2028"}',
  '{"__proto__":{"type":"join"},"type":"join"}',
  nested(30_000),
  '"join"',
  '{',
  `{"type":"chat","n":1,"text":"${'x'.repeat(100_000)}"}`,
  'x'.repeat(200_000),
];
const batches = [
  `[${Array(200_000).fill('{}').join(',')}]`,
  nested(500_000),
  `{"a":${nested(400_000)}}`,
  `[${Array(8000).fill('{"type":"chat","n":1,"text":"x"}').join(',')}]`,
  `[${Array(40_000).fill('{"type":"ping"}').join(',')}]`,
];

/** Sends as long as the kernel accepts it; what is buffered in this process is limited. */
const pour = async (hands: Hands, socket: WebSocket, next: () => string, atOnce: number): Promise<void> => {
  while (hands.isRunning && socket.readyState === socket.OPEN) {
    await hands.turn();
    for (let sent = 0; sent < atOnce && socket.bufferedAmount < 500_000; sent += 1) socket.send(next());
    hands.count('sent', atOnce);
    await hands.pause(20);
  }
};

export const messageAttacks: Record<string, Attack> = {
  'flood a room': {
    does: 'takes eight seats of an honest room, and sends signals, texts and updates to every peer as fast as allowed',
    run: (hands) =>
      hands.repeat(8, async () => {
        const state = { n: 0, acked: 0 };
        const entered = await hands.enter(known.open, hands.anywhere, { name: 'flooder' }, (text) => {
          state.acked = Math.max(state.acked, Number(/"ack","n":(\d+)/.exec(text)?.[1] ?? 0));
          // What was refused for now is sent again, otherwise everything after it would be out of order.
          if (text.includes('"retry"')) state.n = state.acked;
        });
        if (!entered) return hands.pause(500);
        const [peer] = entered.peers;
        await pour(
          hands,
          entered.socket,
          () => {
            state.n += 1;
            const { n } = state;
            if (n % 3 === 0) return JSON.stringify({ type: 'update', n, name: `flooder ${n}` });
            if (n % 3 === 1) return JSON.stringify({ type: 'chat', n, text: 'x'.repeat(n % 100 ? 100 : 4000) });
            return JSON.stringify({ type: 'signal', n, to: peer?.id ?? 'x', epoch: peer?.epoch ?? 1, data: { n } });
          },
          10,
        );
        hands.count('acknowledged', state.acked);
      }),
  },
  'malformed messages': {
    does: 'sends messages of no or a wrong type, too long, deeply nested, or binary, over WebSocket',
    run: (hands) =>
      hands.repeat(4, async (hand, nth) => {
        const room = `malformed-${hand}`;
        const socket =
          hand % 2 ? await hands.open(room, hands.anywhere) : (await hands.enter(room, hands.anywhere))?.socket;
        if (!socket) return hands.pause(100);
        for (let times = 0; times < 50 && socket.readyState === socket.OPEN; times += 1) {
          const text = malformed[(nth + times) % malformed.length] ?? '';
          if (times % 20 === 19) socket.send(Buffer.from(text));
          else socket.send(text);
          await hands.turn();
        }
        socket.terminate();
      }),
  },
  'malformed posts': {
    does: 'posts arrays of 200 000 messages, a megabyte of brackets, and bodies that are too large',
    run: (hands) =>
      hands.repeat(3, async (hand, nth) => {
        const seat = await hands.join(`posted-${hand}`, hands.anywhere);
        if (!seat) return hands.pause(100);
        for (let times = 0; times < 20 && hands.isRunning; times += 1) {
          await hands.turn();
          await hands.post(seat, batches[(nth + times) % batches.length]);
          await hands.ask('POST', `/rooms/posted-${hand}/join`, hands.v6, batches[times % batches.length]);
        }
      }),
  },
  'never read': {
    does: 'sends pings and refused messages over 40 WebSockets, opens 20 streams, and reads no response',
    async run(hands) {
      const silent = hands.repeat(40, async (hand) => {
        const entered = await hands.enter(`silent-${hand % 4}`, hands.anywhere);
        if (!entered) return hands.pause(500);
        const { socket } = entered;
        socket.pause();
        await pour(hands, socket, () => (hand % 2 ? '{"type":"ping"}' : '{"type":"chat","n":7,"text":""}'), 50);
      });
      const streams = hands.repeat(20, async (hand) => {
        const seat = await hands.join(`silent-${hand % 4}`, hands.anywhere);
        if (!seat) return hands.pause(500);
        const head = `GET /rooms/${seat.room}/events?after=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n`;
        hands.raw(`${head}X-Forwarded-For: ${seat.from}\r\nAuthorization: Bearer ${seat.session}\r\n\r\n`, false);
        for (let n = 0; n < 100 && hands.isRunning; n += 10) {
          const texts = Array.from({ length: 10 }, (_, more) => ({
            type: 'chat',
            n: n + more + 1,
            text: 'y'.repeat(4000),
          }));
          await hands.post(seat, texts);
          await hands.pause(100);
        }
      });
      await Promise.all([silent, streams]);
    },
  },
  'poll without pause': {
    does: 'fills a room of its own, and requests all of its events at once, without waiting',
    run: (hands) =>
      hands.repeat(4, async (hand) => {
        const room = `polled-${hand}`;
        const seat = await hands.join(room, hands.anywhere);
        const writer = await hands.join(room, hands.anywhere);
        if (!seat || !writer) return hands.pause(100);
        const texts = Array.from({ length: 50 }, (_, n) => ({ type: 'chat', n: n + 1, text: 'z'.repeat(4000) }));
        await hands.post(writer, texts);
        for (let times = 0; times < 200 && hands.isRunning; times += 1) {
          await hands.turn();
          const path = `/rooms/${seat.room}/events?after=${seat.seq}&wait=0`;
          const { status, text } = await hands.ask('GET', path, seat.from, undefined, seat.session);
          hands.count('kB of answers', Math.round(text.length / 1000));
          if (status !== 200) return;
        }
      }),
  },
};
