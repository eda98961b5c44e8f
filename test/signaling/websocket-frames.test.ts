import { expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { ByteRange, Chunk } from '../../app/protocol/byte-range.ts';
import { wholeText } from '../../app/signaling/encode.ts';
import { keepFrames, textFrames } from '../../app/signaling/transports/websocket-frames.ts';

test('frames match RFC 6455, section 5.7', () => {
  expect(textFrames(['Hello']).toString('hex')).toBe('810548656c6c6f');
  expect(
    textFrames(['x'.repeat(256)])
      .subarray(0, 5)
      .toString('hex'),
  ).toBe('817e010078');
  expect(
    textFrames(['x'.repeat(65_536)])
      .subarray(0, 11)
      .toString('hex'),
  ).toBe('817f000000000001000078');
});

test('frames are valid until the next ones are written, or longer after keepFrames', () => {
  const first = textFrames(['first']);
  expect(textFrames(['other']).toString()).toBe(first.toString());
  keepFrames();
  expect(textFrames(['third']).subarray(2).toString()).toBe('third');
  expect(first.subarray(2).toString()).toBe('other');
});

test('ws reads frames written into one buffer, at every length where the header changes', async () => {
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000].flatMap((bytes) => {
    const all = ['x'.repeat(bytes), '玄'.repeat(Math.floor(bytes / 3))];
    const inParts = all.flatMap((data) => {
      const received = Buffer.from(`.${data}.`);
      const range = new ByteRange(new Chunk(received), 1, received.length - 1);
      return [
        { head: '{', data: data.slice(2) },
        { head: '{', data: range },
      ];
    });
    return [...all, ...inParts];
  });
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (_socket, { socket }) => socket.write(textFrames(texts)));
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const client = new WebSocket(`ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
  const received: string[] = [];
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('message', (data) => {
      if (received.push(String(data)) === texts.length) resolve();
    });
  });
  client.terminate();
  server.close();
  expect(received).toEqual(texts.map(wholeText));
});
