/** The library over plain HTTP, and a server that responds wrongly, too early, too much, or with a redirect. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import type { RoomEvent } from '../../app/client/signaling.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { FakeClock } from './fake-clock.ts';
import { type Asked, FakeHttp, type Given, piecesOf } from './fake-http.ts';
import { FakeSocket, joined } from './fake-server.ts';

// All of this process would count as tabs of one browser.
beforeEach(() => void vi.stubGlobal('navigator', {}));
afterEach(() => void vi.unstubAllGlobals());

const welcome: Given = { body: JSON.stringify(joined()) };
const nothingNew: Given = { body: '{"messages":[],"seq":0}' };
const isStream = ({ accept }: Asked) => accept === 'text/event-stream';

/** A connection over plain HTTP, because WebSockets break. `events` responds to the requests after `join`. */
const start = async (events: (asked: Asked) => Given, join = welcome) => {
  const clock = new FakeClock();
  const http = new FakeHttp(clock, (asked) => {
    if (asked.path === 'join') return join;
    return asked.path.startsWith('events') ? events(asked) : { body: '{"messages":[]}' };
  });
  vi.stubGlobal('fetch', http.fetch);
  class BrokenSocket extends FakeSocket {
    constructor(url: string) {
      super(url);
      queueMicrotask(() => this.drop(1006));
    }
  }
  vi.stubGlobal('WebSocket', BrokenSocket);
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: { passcode: 'sesame' }, clock });
  const received: RoomEvent[] = [];
  connection.on('event', (event) => received.push(event));
  await clock.pass(1_000);
  return { clock, http, connection, received };
};

describe('a request that ends at once is not repeated at once:', () => {
  const minutes = 5;
  it.each<[string, (asked: Asked) => Given]>([
    ['an empty poll in place of a stream', () => nothingNew],
    ['an empty stream', (asked) => (isStream(asked) ? { type: 'text/event-stream', body: '' } : nothingNew)],
    ['a stream that ends at once', () => ({ type: 'text/event-stream', body: ': \n\n' })],
    ['an invalid response', () => ({ type: 'text/html', body: '<p>Welcome</p>' })],
    ['a refusal', () => ({ status: 410, body: '{"type":"error","code":"events-gone","message":""}' })],
    ['a refusal with retry', () => ({ body: '{"type":"error","code":"draining","message":"","retry":-1}' })],
  ])('%s', async (_, events) => {
    const { clock, http, connection } = await start(events);
    await clock.pass(minutes * 60_000);
    expect(http.requests.length).toBeLessThan(minutes * 25);
    expect(http.of('join').length).toBeGreaterThan(0);
    connection.leave();
    await clock.pass(60_000);
    expect(clock.pending).toBe(0);
  });

  it('polls that each return an event run at most ten times a second', async () => {
    let seq = 0;
    const { clock, http, received, connection } = await start(() => {
      seq += 1;
      return { body: JSON.stringify({ messages: [{ type: 'peer-away', seq, peer: 'a' }], seq }) };
    });
    const before = http.of('events').length;
    await clock.pass(10_000);
    expect(http.of('events').length - before).toBeGreaterThan(90);
    expect(http.of('events').length - before).toBeLessThanOrEqual(100);
    expect(received.length).toBeGreaterThan(90);
    connection.leave();
  });
});

describe('a response is limited to', () => {
  const piece = 'x'.repeat(2 ** 20);
  /** At least so many pieces, counted as they are read. */
  const flood = (first: string) => {
    const taken = { pieces: 0 };
    const pieces = function* () {
      yield first;
      for (; taken.pieces < 64; taken.pieces += 1) yield piece;
    };
    return { taken, body: () => piecesOf(pieces(), true) };
  };

  it.each([
    ['a line', 'data: '],
    ['an event of many lines', 'data: x\ndata: y\ndata: '],
  ])('8 MiB for %s of a stream, which then fails', async (_, first) => {
    const { taken, body } = flood(first);
    const { clock, http, connection } = await start((asked) =>
      isStream(asked) ? { type: 'text/event-stream', body: body() } : undefined,
    );
    await clock.pass(1_000);
    expect(taken.pieces).toBeGreaterThan(8);
    expect(taken.pieces).toBeLessThan(24);
    await clock.pass(10_000);
    expect(http.of('events').filter(isStream)).toHaveLength(2);
    expect(connection.transport).toBe('poll');
    connection.leave();
  });

  it('8 MiB for a join, which then fails', async () => {
    const { taken, body } = flood('{"type":"joined","session":"');
    const { connection } = await start(() => undefined, { body: body() });
    expect(connection.state).toMatchObject({ state: 'connecting' });
    expect(taken.pieces).toBeLessThan(12);
    connection.leave();
  });

  it('a time, even if the body arrives byte by byte', async () => {
    const clock = new FakeClock();
    const drip = () =>
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_000));
          controller.enqueue(new TextEncoder().encode(' '));
        },
      });
    const http = new FakeHttp(clock, () => ({ body: drip() }));
    vi.stubGlobal('fetch', http.fetch);
    vi.stubGlobal('WebSocket', class extends FakeSocket {});
    const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: {}, clock });
    await clock.pass(5_500);
    expect(http.requests).toHaveLength(1);
    expect(http.requests[0]?.init.signal?.aborted).toBe(false);
    await clock.pass(10_000);
    expect(http.requests[0]?.init.signal?.aborted).toBe(true);
    connection.leave();
  });
});

describe('one malformed message does not stop', () => {
  const nested = '['.repeat(200_000) + ']'.repeat(200_000);
  const messages = [
    `{"type":"signal","seq":1,"from":"a","epoch":1,"data":${nested}}`,
    ...['null', '5', '"text"', '[]', '{}', nested, '{"type":"__proto__"}', '{"type":"chat","seq":{}}'],
    '{"type":"peer-away","seq":3,"peer":"a"}',
  ];

  it('polls', async () => {
    let given = false;
    const { clock, received, connection } = await start(() => {
      if (given) return undefined;
      given = true;
      return { body: `{"messages":[${messages.join(',')}],"seq":3}` };
    });
    await clock.pass(2_000);
    expect(received.map(({ type }) => type)).toContain('peer-away');
    expect(connection.state).toEqual({ state: 'joined' });
    connection.leave();
  });

  it('streams, with any of the line endings', async () => {
    const ends = ['\n', '\r', '\r\n'];
    const blocks = messages.map((text, at) => `id: ${at}${ends[at % 3]}data: ${text}${ends[at % 3]}${ends[at % 3]}`);
    const chat = 'data: {"type":"chat","seq":9,"from":"a","text":"one\u2028two\u2029\u0085","at":1}\n\n';
    const { clock, received, connection } = await start(() => ({
      type: 'text/event-stream',
      body: piecesOf([...blocks, chat], true),
    }));
    await clock.pass(1_000);
    expect(received.map(({ type }) => type)).toEqual(expect.arrayContaining(['peer-away', 'chat']));
    expect(received.at(-1)).toMatchObject({ text: 'one\u2028two\u2029\u0085' });
    connection.leave();
  });
});

describe('a redirect', () => {
  const servers: Server[] = [];
  const listen = async (answer: Parameters<typeof createServer>[1]) => {
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('is not followed: no other server receives a token or a passcode', async () => {
    const elsewhere: IncomingMessage[] = [];
    const other = await listen((asked, answer) => {
      elsewhere.push(asked);
      answer.setHeader('access-control-allow-origin', '*').end(JSON.stringify(joined()));
    });
    let asked = 0;
    const home = await listen(({ url }, answer) => {
      asked += 1;
      answer.writeHead(307, { location: other + url }).end();
    });
    const connection = new Connection({
      url: `${home.replace('http', 'ws')}/rooms/r/ws`,
      join: { passcode: 'sesame', token: 'secret' },
      timing: { backoff: 10, longest: 20 },
    });
    await eventually(() => expect(asked).toBeGreaterThan(3), 10_000);
    connection.leave();
    expect(elsewhere).toEqual([]);
    expect(connection.state.state).toBe('closed');
  });
});
