/** Attacks on connections: many, slow, incomplete, and never closed. */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from '../hands.ts';

const handshake = (path: string, from: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: genkan.v1\r\nX-Forwarded-For: ${from}\r\n\r\n`;
const badPaths = ['/rooms/%FF/ws', '/js/%FF', `/rooms/${'r'.repeat(2000)}/ws`, '/%2e%2e/ws', '/rooms/a%00b/ws', '//ws'];
/** The number of connections that this process holds at a time. */
const most = 2000;

const hold = (held: Socket[], socket: Socket): void => {
  held.push(socket);
  if (held.length > most) held.shift()?.destroy();
};

export const connectionAttacks: Record<string, Attack> = {
  'hold connections': {
    does: 'opens 2 000 connections: bare, with slow heads and bodies, and WebSockets that never join',
    async run(hands) {
      const held: Socket[] = [];
      const slow = setInterval(() => {
        for (const socket of held.slice(0, 200)) socket.write('X');
      }, 1000);
      await hands.repeat(4, async (hand) => {
        await sleep(5);
        if (hand === 0) hold(held, hands.raw(''));
        else if (hand === 1) hold(held, hands.raw('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '));
        else if (hand === 2) hold(held, hands.raw(handshake('/rooms/never-joined/ws', hands.anywhere)));
        else {
          const head = `POST /rooms/slow/join HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${hands.anywhere}\r\n`;
          hold(held, hands.raw(`${head}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`));
        }
        hands.count('opened');
      });
      clearInterval(slow);
      const open = held.filter(({ readyState, readableEnded }) => readyState === 'open' && !readableEnded);
      hands.count('open at the end', open.length);
    },
  },
  'upgrade to bad paths': {
    does: 'requests WebSockets at malformed paths, and leaves the connections open',
    async run(hands) {
      const held: Socket[] = [];
      await hands.repeat(2, async (hand, nth) => {
        await sleep(5);
        hold(held, hands.raw(handshake(badPaths[(hand + nth) % badPaths.length] ?? '/', hands.anywhere)));
        hands.count('opened');
      });
      const open = held.filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed);
      hands.count('open at the end', open.length);
    },
  },
  'reconnect without pause': {
    does: 'opens WebSockets and breaks them: within the handshake, before, and right after joining',
    run: (hands) =>
      hands.repeat(4, async (hand, nth) => {
        const path = `/rooms/broken-${nth % 20}/ws`;
        if (hand === 0) {
          const socket = hands.raw(handshake(path, hands.anywhere).slice(0, 40 + (nth % 200)));
          await sleep(5);
          socket.destroy();
        } else if (hand === 1) (await hands.open(`broken-${nth % 20}`, hands.anywhere))?.terminate();
        else (await hands.enter(`broken-${nth % 20}`, hands.anywhere))?.socket.terminate();
        hands.count('broken');
      }),
  },
};
