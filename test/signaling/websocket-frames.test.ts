import { expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { ByteRange, Chunk } from '../../app/protocol/byte-range.ts';
import { wholeText } from '../../app/signaling/encode.ts';
import { framesOf, keepFrames } from '../../app/signaling/transports/websocket-frames.ts';

test('frames match RFC 6455, section 5.7', () => {
  expect(framesOf(['Hello']).toString('hex')).toBe('810548656c6c6f');
  expect(
    framesOf(['x'.repeat(256)])
      .subarray(0, 5)
      .toString('hex'),
  ).toBe('817e010078');
  expect(
    framesOf(['x'.repeat(65_536)])
      .subarray(0, 11)
      .toString('hex'),
  ).toBe('817f000000000001000078');
});

test('a signal in a binary frame is its line and its data', () => {
  const data = ByteRange.binary(Buffer.from([0xff, 0x7d]));
  expect(framesOf([{ head: '5 a 3\n', data, isBinary: true }]).toString('hex')).toBe('820835206120330aff7d');
  expect(framesOf([{ head: '5 a 3\n', data: '"玄"', isBinary: true }]).toString('hex')).toBe(
    '820b35206120330a22e78e8422',
  );
});

test('frames are valid until the next ones are written, or longer after keepFrames', () => {
  const first = framesOf(['first']);
  expect(framesOf(['other']).toString()).toBe(first.toString());
  keepFrames();
  expect(framesOf(['third']).subarray(2).toString()).toBe('third');
  expect(first.subarray(2).toString()).toBe('other');
});

test('ws reads frames written into one buffer, at every length where the header changes', async () => {
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000].flatMap((bytes) => {
    const all = ['x'.repeat(bytes), '玄'.repeat(Math.floor(bytes / 3))];
    const inParts = all.flatMap((data) => {
      const received = Buffer.from(`.${data}.`);
      const range = new ByteRange(new Chunk(received), 1, received.length - 1);
      return [
        { head: '{', data: data.slice(2), isBinary: false },
        { head: '{', data: range, isBinary: false },
      ];
    });
    return [...all, ...inParts];
  });
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (_socket, { socket }) => socket.write(framesOf(texts)));
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
