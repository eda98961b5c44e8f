/** What a WebSocket may make the server keep or parse before there is a message, or a seat with a budget. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite([]);
});
afterAll(() => site.stop());

const open = async (): Promise<WebSocket> => {
  const socket = new WebSocket(`${site.direct.http.replace('http', 'ws')}/rooms/r/ws`, protocolVersion);
  await once(socket, 'open');
  return socket;
};
const sendInFragments = (socket: WebSocket, text: string, fragments: number): void => {
  for (let at = 0; at < fragments; at += 1)
    socket.send(at === 0 ? text : ' ', { fin: at === fragments - 1, binary: false });
};

test('a message may have at most 32 fragments', async () => {
  const socket = await open();
  sendInFragments(socket, '{"type":"join"}', 32);
  const [first] = await once(socket, 'message');
  expect(JSON.parse(String(first)).type).toBe('joined');
  sendInFragments(socket, '{"type":"ping"}', 33);
  expect((await once(socket, 'close'))[0]).toBe(1008);
});

const joined = async (): Promise<WebSocket> => {
  const socket = await open();
  socket.send('{"type":"join"}');
  await once(socket, 'message');
  return socket;
};

test('fragments count like messages', async () => {
  const socket = await joined();
  const closed = once(socket, 'close');
  // 30 messages are far within the burst of 400, but not 960 frames.
  for (let sent = 0; sent < 30; sent += 1) sendInFragments(socket, '{"type":"ping"}', 32);
  expect((await closed)[0]).toBe(4002);
});

test('pongs that nobody asked for count like messages, before the join too', async () => {
  const socket = await joined();
  const closed = once(socket, 'close');
  for (let sent = 0; sent < 3000; sent += 1) socket.pong();
  expect((await closed)[0]).toBe(4002);
  const stranger = await open();
  const closedToo = once(stranger, 'close');
  for (let sent = 0; sent < 21; sent += 1) stranger.pong();
  expect((await closedToo)[0]).toBe(4002);
});

test('before joining a client may send as many bytes as two messages have', async () => {
  const socket = await open();
  const ping = JSON.stringify({ type: 'ping', more: 'x'.repeat(60_000) });
  socket.send(ping);
  socket.send(ping);
  await once(socket, 'message');
  socket.send(ping);
  expect((await once(socket, 'close'))[0]).toBe(4002);
});
