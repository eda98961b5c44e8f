/** Whatever arrives and wherever it is cut, the reader reports the same as ws alone. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { readAhead } from '../../app/signaling/transports/websocket-reader.ts';

const limit = 2000;

type Frame = { opcode?: number; fin?: boolean; masked?: boolean; reserved?: boolean };
/** A client's frame (RFC 6455, section 5.2). */
const frame = (payload: string | Buffer, { opcode = 1, fin = true, masked = true, reserved = false }: Frame = {}) => {
  const bytes = Buffer.from(payload);
  const code = bytes.length < 126 ? bytes.length : bytes.length < 65_536 ? 126 : 127;
  const head = Buffer.alloc(code < 126 ? 2 : code === 126 ? 4 : 10);
  head[0] = opcode | (fin ? 0x80 : 0) | (reserved ? 0x40 : 0);
  head[1] = code | (masked ? 0x80 : 0);
  if (code === 126) head.writeUInt16BE(bytes.length, 2);
  if (code === 127) head.writeBigUInt64BE(BigInt(bytes.length), 2);
  if (!masked) return Buffer.concat([head, bytes]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
};
const closing = Buffer.from([0x03, 0xe8]);

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 2 * limit, perMessageDeflate: false });
await once(server, 'listening');
afterAll(() => server.close());

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Allows this many frames in a turn of the event loop. */
const shareOf = (frames: number) => {
  const share = {
    left: frames,
    pending: 0,
    charge: () => {},
    take: () => share.left-- > 0,
    defer: (work: () => void) => {
      share.pending += 1;
      setImmediate(() => {
        share.pending -= 1;
        share.left = frames;
        work();
      });
    },
  };
  return share;
};

/**
 * Everything that a server reports of a connection on which these pieces arrive one after the other, and the number of texts that the
 * reader handled.
 */
const receive = async (pieces: Buffer[], ahead: boolean, share = shareOf(Number.POSITIVE_INFINITY)) => {
  const address = server.address();
  const client = new WebSocket(`ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
  client.on('error', () => {});
  const [socket, connection] = await new Promise<[WebSocket, Socket]>((resolve) =>
    server.once('connection', (accepted, request) => resolve([accepted, request.socket])),
  );
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const events: string[] = [];
  let taken = 0;
  const hear = (kind: string) => (data: Buffer) => events.push(`${kind} ${data.toString('base64')}`);
  socket.on('message', (data: Buffer, isBinary) => hear(isBinary ? 'binary' : 'text')(data));
  socket.on('ping', hear('ping'));
  socket.on('pong', hear('pong'));
  socket.on('error', (error) => {
    events.push(error.message);
    socket.terminate();
  });
  if (ahead)
    readAhead(socket, connection, {
      maxBytes: limit,
      share: () => share,
      onFragment: () => {},
      acceptsBinary: true,
      onMessage: (message) => {
        taken += 1;
        const bytes = Buffer.alloc(message.byteLength);
        message.copyTo(bytes, 0);
        if (!message.isBinary) expect(bytes.toString()).toBe(message.text);
        hear(message.isBinary ? 'binary' : 'text')(bytes);
      },
    });
  // As the kernel would deliver them, but cut at the intended positions; unmasking changes them.
  for (const piece of pieces) {
    if (!connection.destroyed) connection.emit('data', Buffer.from(piece));
    await turn();
  }
  while (share.pending > 0) await turn();
  client.terminate();
  return { events: [...events, `closed ${await closed}`], taken };
};
const eventsOf = async (pieces: Buffer[], ahead: boolean): Promise<string[]> => (await receive(pieces, ahead)).events;

const samples: Record<string, Buffer[]> = {
  'texts of all lengths': [0, 1, 2, 3, 4, 5, 125, 126, 127, 1000, limit - 1, limit].map((n) => frame('x'.repeat(n))),
  'a text that is longer than what is taken': [frame('x'.repeat(limit + 1)), frame('after')],
  'a text that is too long': [frame('before'), frame('x'.repeat(2 * limit + 1)), frame('after')],
  'a text of more than 64 KiB': [frame('x'.repeat(70_000)), frame('after')],
  'other scripts': [frame('玄関 😀'), frame('é')],
  'the sign for broken UTF-8, and nothing broken': [frame('\ufffd'), frame('after')],
  'broken UTF-8 behind that sign': [frame(Buffer.from('efbfbdc328', 'hex')), frame('after')],
  'broken UTF-8': [frame('before'), frame(Buffer.from('c328', 'hex')), frame('after')],
  'pings and pongs between': [
    frame('a'),
    frame('p', { opcode: 9 }),
    frame('b'),
    frame('q', { opcode: 10 }),
    frame('c'),
  ],
  'a message in several frames, and a ping within': [
    frame('on', { fin: false }),
    frame('!', { opcode: 9 }),
    frame('e', { opcode: 0, fin: false }),
    frame('', { opcode: 0 }),
    frame('two'),
  ],
  'a new message within one that is not over': [frame('on', { fin: false }), frame('two'), frame('e', { opcode: 0 })],
  'the rest of nothing': [frame('a'), frame('b', { opcode: 0 }), frame('c')],
  binary: [frame('a'), frame(Buffer.from('c328', 'hex'), { opcode: 2 }), frame('c')],
  'binary in several frames': [frame('on', { opcode: 2, fin: false }), frame('e', { opcode: 0 }), frame('c')],
  'no mask': [frame('a'), frame('b', { masked: false }), frame('c')],
  'a reserved bit': [frame('a'), frame('b', { reserved: true }), frame('c')],
  'an unknown opcode': [frame('a'), frame('b', { opcode: 3 }), frame('c')],
  'something after the close': [frame('a'), frame(closing, { opcode: 8 }), frame('b')],
  'half a frame': [frame('a'), frame('half').subarray(0, 5)],
};

const ends = (frames: Buffer[]): number[] => frames.map((_, at) => Buffer.concat(frames.slice(0, at)).length);

describe.each(Object.entries(samples))('%s', (_name, frames) => {
  const all = Buffer.concat(frames);
  test('whole, and frame by frame, is read as by ws', async () => {
    expect(await eventsOf([all], true)).toEqual(await eventsOf([all], false));
    expect(await eventsOf(frames, true)).toEqual(await eventsOf(frames, false));
  });

  test('cut anywhere is read as by ws', async () => {
    const expected = await eventsOf([all], false);
    const near = ends(frames).flatMap((end) => [-3, -1, 0, 1, 2, 3, 5, 7, 9, 13].map((by) => end + by));
    for (const cut of near.filter((at) => at > 0 && at < all.length))
      expect(await eventsOf([all.subarray(0, cut), all.subarray(cut)], true), `cut at ${cut}`).toEqual(expected);
  });
});

test('one frame in each turn of the event loop: the same, in the same order', async () => {
  for (const [name, frames] of Object.entries(samples))
    for (const pieces of [frames, [Buffer.concat(frames)]])
      expect((await receive(pieces, true, shareOf(1))).events, name).toEqual(await eventsOf(pieces, false));
});

test('what waits for its turn when the client ends the connection is handled before ws learns of the end', async () => {
  const address = server.address();
  const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1');
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [socket, connection] = await new Promise<[WebSocket, Socket]>((resolve) =>
    server.once('connection', (accepted, request) => resolve([accepted, request.socket])),
  );
  const texts: string[] = [];
  // Nobody has a turn any more.
  const share = () => ({ take: () => false, charge: () => {}, defer: () => {} });
  readAhead(socket, connection, {
    maxBytes: limit,
    share,
    onMessage: ({ text }) => texts.push(text),
    onFragment: () => {},
  });
  const closed = once(socket, 'close');
  client.end(Buffer.concat([frame('a'), frame('b'), frame(closing, { opcode: 8 })]));
  client.resume();
  expect((await closed)[0]).toBe(1000);
  expect(texts).toEqual(['a', 'b']);
});

test('the bytes of an unfinished message are known, and forgotten when it is complete', async () => {
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
  client.on('error', () => {});
  const [socket, connection] = await new Promise<[WebSocket, Socket]>((resolve) =>
    server.once('connection', (accepted, request) => resolve([accepted, request.socket])),
  );
  const reader = readAhead(socket, connection, {
    maxBytes: limit,
    share: () => shareOf(Number.POSITIVE_INFINITY),
    onMessage: () => {},
    onFragment: () => {},
  });
  const sizes = [
    frame('a'),
    frame('x'.repeat(1000), { fin: false }),
    frame('ping', { opcode: 9 }),
    frame('x'.repeat(1000), { opcode: 0, fin: false }),
    frame('x', { opcode: 0 }),
    frame('y'.repeat(1500)).subarray(0, 1000),
  ].map((bytes) => {
    connection.emit('data', Buffer.from(bytes));
    return reader.unfinishedBytes;
  });
  expect(sizes).toEqual([0, 1008, 1008, 2016, 0, 1000]);
  client.terminate();
});

test('whole texts are not left to ws', async () => {
  const binary = frame('b'.repeat(300), { opcode: 2 });
  expect((await receive([frame('a'), Buffer.concat([binary, frame('')])], true)).taken).toBe(3);
});

test('bytes one by one, and at every alignment, are read correctly', async () => {
  const all = Buffer.concat([frame('a'), frame('x'.repeat(200)), frame('!', { opcode: 9 }), frame('玄')]);
  const bytes = [...all].map((byte) => Buffer.from([byte]));
  expect(await eventsOf(bytes, true)).toEqual(await eventsOf([all], false));
  for (const length of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    for (const pad of ['', '1', '22', '333']) {
      const texts = [pad, 'y'.repeat(length)];
      const expected = texts.map((text) => `text ${Buffer.from(text).toString('base64')}`);
      expect(await eventsOf([Buffer.concat(texts.map((text) => frame(text)))], true)).toEqual([
        ...expected,
        'closed 1006',
      ]);
    }
});
