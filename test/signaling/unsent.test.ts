/** What is sent to a peer that does not read is limited, whatever it is and by every transport. */
import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { SeatBudgets } from '../../app/budgets/seat-budgets.ts';
import { UnsentBytes } from '../../app/budgets/unsent-bytes.ts';
import { errors } from '../../app/protocol/errors.ts';
import { EventStream } from '../../app/signaling/transports/event-stream.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import { WebSockets } from '../../app/signaling/transports/websocket.ts';
import { pageBytes } from '../../app/signaling/transports/websocket-frames.ts';
import { testContext } from './test-context.ts';

const limit = 5000;
const context = () => {
  const opened = testContext();
  const plenty = { rate: 1e6, burst: 1e6, byteRate: 1e9, byteBurst: 1e9 };
  Object.assign(opened.limits, { ...plenty, unsentBytes: limit });
  // Everything that arrives is handled in the same turn of the event loop.
  Object.assign(opened.turns, { of: () => ({ take: () => true, charge: () => {}, defer: () => {} }) });
  return { ...opened, seats: new SeatBudgets(plenty) };
};
const turn = () => new Promise((resolve) => setImmediate(resolve));
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

/** A client's text frame (RFC 6455, section 5.2), masked with zeros. */
const frame = (text: string): Buffer => {
  const padded = Buffer.from(text.padEnd(126));
  return Buffer.concat([Buffer.from([0x81, 0xfe, padded.length >> 8, padded.length & 255, 0, 0, 0, 0]), padded]);
};

/** A connection whose other end does not read. */
const stalled = () => {
  const connection = Object.assign(new EventEmitter(), {
    ...{ bytesRead: 0, bytesWritten: 0, writableLength: 0, destroyed: false },
    write(bytes: Buffer) {
      this.writableLength += bytes.length;
      return false;
    },
  });
  const socket = Object.assign(new EventEmitter(), {
    ...{ OPEN: 1, readyState: 1, bufferedAmount: 0, closedBy: 0 },
    pong(data: Buffer) {
      connection.writableLength += 2 + data.length;
    },
    close(code: number) {
      this.readyState = 2;
      this.closedBy = code;
    },
    terminate: vi.fn(() => connection.emit('close')),
  });
  connection.on('data', () => {});
  return { connection, socket };
};

describe('a WebSocket that does not read', () => {
  const kinds: [string, (at: number) => string | Buffer][] = [
    ['acknowledgements', (at) => `{"type":"chat","n":${at},"text":"x"}`],
    ['errors', (at) => `{"type":"dance","n":${at}}`],
    ['pongs', () => '{"type":"ping"}'],
    ['pongs to frames', () => Buffer.alloc(125)],
    ['more in one turn than may wait', () => '{"type":"ping"}'.padEnd(126)],
  ];
  test.each(kinds)('is closed as slow-consumer after too many %s', async (kind, say) => {
    const webSockets = new WebSockets(context(), { opened: () => {}, closed: () => {}, turnedAway: () => {} });
    const { connection, socket } = stalled();
    // Has the properties that are used.
    webSockets.accept('room', socket as unknown as WebSocket, connection as unknown as Socket, {
      reqId: '',
      ip: '192.0.2.1',
    });
    connection.emit('data', frame('{"type":"join"}'));
    await settle();
    let count = 0;
    while (socket.closedBy === 0 && count < 5000) {
      count += 1;
      const next = say(count);
      if (typeof next === 'string') connection.emit('data', frame(next));
      else socket.emit('ping', next);
      if (kind === 'acknowledgements') await settle();
      else if (count % 100 === 0 && !kind.startsWith('more')) await turn();
    }
    expect(socket.closedBy).toBe(errors['slow-consumer'].close);
    const unsent = connection.writableLength;
    expect(unsent).toBeLessThan(limit + 1500);
    for (let more = 0; more < 100; more += 1) {
      connection.emit('data', frame('{"type":"ping"}'));
      socket.emit('ping', Buffer.alloc(0));
    }
    await turn();
    expect(connection.writableLength).toBeLessThan(unsent + 300);
  });
});

test('ping frames count as messages: a flood of them is not answered, and ends the connection', async () => {
  const webSockets = new WebSockets(testContext(), { opened: () => {}, closed: () => {}, turnedAway: () => {} });
  const { connection, socket } = stalled();
  webSockets.accept('room', socket as unknown as WebSocket, connection as unknown as Socket, { reqId: '', ip: '' });
  // Before joining a connection has a budget of twenty messages.
  for (let count = 0; count < 20; count += 1) socket.emit('ping', Buffer.alloc(0));
  expect([connection.writableLength, socket.closedBy]).toEqual([40, 0]);
  socket.emit('ping', Buffer.alloc(0));
  expect(socket.closedBy).toBe(errors['rate-limited'].close);
});

test.each<[string, (stream: EventStream, at: number) => void]>([
  ['heartbeats', (stream, at) => stream.reached(at)],
  ['messages without a number', (stream) => stream.tell('{"type":"pong"}')],
  [
    'events',
    (stream, seq) => {
      const event = { type: 'peer-away', peer: 'a' } as const;
      stream.deliver({ seq, at: 0, event }, JSON.stringify({ ...event, seq }));
    },
  ],
])('a stream that does not read is ended as slow-consumer after too many %s', (_what, say) => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const stream = new EventStream(context(), 'room', { id: 'b', session: 'b.secret', waits: false });
  stream.open(response, 0, [], () => {});
  for (let at = 1; stream.isOpen && at < 5000; at += 1) say(stream, at);
  expect(stream.isOpen).toBe(false);
  expect(response.writableLength).toBeLessThan(limit + 500);
  expect(response.writableEnded).toBe(true);
});

describe('the unsent bytes of all connections', () => {
  /** Allows four pages for an address. */
  const accepting = () => {
    const unsent = new UnsentBytes(4 * pageBytes);
    const webSockets = new WebSockets(
      { ...context(), unsent },
      { opened: () => {}, closed: () => {}, turnedAway: () => {} },
    );
    return {
      accept(ip: string, pages: number) {
        const { connection, socket } = stalled();
        const visitor = { reqId: '', ip };
        webSockets.accept('room', socket as unknown as WebSocket, connection as unknown as Socket, visitor);
        connection.writableLength = pages * pageBytes;
        return { connection, socket };
      },
      tick() {
        webSockets.tick(0);
        unsent.enforce();
      },
    };
  };
  const slow = errors['slow-consumer'].close;
  const closedBy = (peers: ReturnType<typeof stalled>[]) => peers.map(({ socket }) => socket.closedBy);

  test('an address within the limit keeps its connections; over it, those with the most are closed', () => {
    const { accept, tick } = accepting();
    const peers = [accept('192.0.2.1', 1), accept('192.0.2.1', 2), accept('192.0.2.1', 1)];
    const others = [accept('192.0.2.2', 3), accept('192.0.2.2', 0)];
    tick();
    tick();
    expect(closedBy([...peers, ...others])).toEqual([0, 0, 0, 0, 0]);
    peers.push(accept('192.0.2.1', 0.01));
    tick();
    expect(closedBy([...peers, ...others])).toEqual([0, slow, 0, 0, 0, 0]);
  });

  test('a connection that is closing still counts, and is terminated before another is closed', () => {
    const { accept, tick } = accepting();
    const [most, other, idle] = [accept('192.0.2.1', 3), accept('192.0.2.1', 2), accept('192.0.2.1', 0)];
    tick();
    expect(closedBy([most, other, idle])).toEqual([slow, 0, 0]);
    expect(most.socket.terminate).not.toHaveBeenCalled();
    tick();
    expect(most.socket.terminate).toHaveBeenCalledOnce();
    expect(closedBy([other, idle])).toEqual([0, 0]);
    expect(other.socket.terminate).not.toHaveBeenCalled();
  });

  test('each write that waits counts for the memory that it takes besides its bytes', () => {
    const { accept, tick } = accepting();
    const { socket } = accept('192.0.2.1', 3.99);
    tick();
    expect(socket.closedBy).toBe(0);
    for (let count = 0; count < 3; count += 1) socket.emit('ping', Buffer.alloc(0));
    tick();
    expect(socket.closedBy).toBe(slow);
  });

  test('the addresses of an IPv6 /48 count as one, and so do unknown addresses', () => {
    const { accept, tick } = accepting();
    const near = [accept('2001:db8:1:1::1', 2), accept('2001:db8:1:2::1', 3)];
    const far = accept('2001:db8:2::1', 3);
    const unknown = [accept('', 3), accept('', 2)];
    tick();
    expect(closedBy([...near, far, ...unknown])).toEqual([0, slow, 0, slow, 0]);
  });

  test('a process has four times the limit of an address; beyond that, the address with the most is reduced', () => {
    const { accept, tick } = accepting();
    const peers = Array.from({ length: 5 }, (_, at) => accept(`192.0.2.${at}`, 3));
    peers.push(accept('192.0.2.4', 1));
    tick();
    expect(closedBy(peers)).toEqual([0, 0, 0, 0, 0, 0]);
    peers.push(accept('192.0.2.5', 1));
    tick();
    expect(closedBy(peers)).toEqual([0, 0, 0, 0, slow, 0, 0]);
  });
});

test('the unsent bytes of event streams count for their address, also after the end of a stream', async () => {
  const unsent = new UnsentBytes(90_000);
  const opened = context();
  opened.limits.unsentBytes = 90_000;
  const conversations = new HttpConversations({ ...opened, unsent }, { streamed: () => {} });
  const responses: ServerResponse[] = [];
  const stream = async (ip: string, bytes: number) => {
    const { session } = JSON.parse((await conversations.join('room', '{}', { address: ip })).body);
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    const request = { reqId: '', ip, begin: () => response };
    expect(await conversations.stream('room', session, 0, { address: ip }, request)).toBeUndefined();
    response.write('x'.repeat(bytes));
    responses.push(response);
  };
  const tick = () => {
    conversations.tick(0);
    unsent.enforce();
  };
  for (const bytes of [30_000, 40_000, 30_000]) await stream('192.0.2.1', bytes);
  await stream('192.0.2.2', 40_000);
  tick();
  expect(responses.map(({ writableEnded }) => writableEnded)).toEqual([false, true, false, false]);
  expect(responses.map(({ destroyed }) => destroyed)).toEqual([false, false, false, false]);
  tick();
  expect(responses.map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
  expect(responses.map(({ writableEnded }) => writableEnded)).toEqual([false, true, false, false]);
});

test('the response to a poll is limited to max-unsent-bytes; the next one continues from there', async () => {
  const conversations = new HttpConversations(context(), { streamed: () => {} });
  const join = async () => JSON.parse((await conversations.join('room', '{}', { address: '192.0.2.1' })).body);
  const [one, other] = [await join(), await join()];
  const texts = Array.from({ length: 40 }, (_, at) => ({ type: 'chat', n: at + 1, text: 'x'.repeat(400) }));
  await conversations.messages('room', one.session, JSON.stringify(texts), { address: '192.0.2.1' });
  const seqs: number[] = [];
  for (let after = other.seq, polls = 0; seqs.length < texts.length && polls < 40; polls += 1) {
    const { body } = await conversations.events(
      'room',
      other.session,
      { after, wait: 0 },
      { address: '192.0.2.1' },
      () => {},
    );
    expect(body.length).toBeLessThan(limit + 1000);
    const answer: { messages: { seq: number }[]; seq: number } = JSON.parse(body);
    seqs.push(...answer.messages.map(({ seq }) => seq));
    after = answer.seq;
  }
  expect(seqs).toEqual(texts.map((_, at) => other.seq + 1 + at));
});
