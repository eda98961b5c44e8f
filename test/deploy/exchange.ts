/** Two peers that send each other many messages by WebSocket through a front end. */
import { expect } from 'vitest';
import WebSocket from 'ws';
import type { Target } from '../nginx/ask.ts';

/** Both send `count` at once; each must receive all of the other's, in order. */
export const exchange = async (target: Target, room: string, count: number): Promise<void> => {
  const [first, second] = [await enter(target, room), await enter(target, room)];
  const numbers = Array.from({ length: count }, (_, index) => String(index));
  for (const [index, text] of numbers.entries())
    for (const { socket } of [first, second]) socket.send(JSON.stringify({ type: 'chat', n: index + 1, text }));
  for (const { chats } of [first, second]) await expect.poll(() => chats.length, { timeout: 20_000 }).toBe(count);
  expect([first.chats, second.chats]).toEqual([numbers, numbers]);
  for (const { socket } of [first, second]) socket.terminate();
};

/** One peer, and the chat messages that it receives. */
const enter = async ({ port, tls, headers }: Target, room: string) => {
  const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}/rooms/${room}/ws`;
  const socket = new WebSocket(url, 'genkan.v1', { ...tls, headers: headers ?? {} });
  const chats: string[] = [];
  const joined = new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'chat') chats.push(message.text);
      if (message.type === 'joined') resolve(undefined);
    });
  });
  socket.once('open', () => socket.send('{"type":"join"}'));
  await joined;
  return { socket, chats };
};
