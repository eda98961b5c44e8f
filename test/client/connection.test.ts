import { describe, expect, it, vi } from 'vitest';
import { Connection, type ConnectionOptions } from '../../app/client/connection.ts';
import type { RoomEvent } from '../../app/client/signaling.ts';
import { errors } from '../../app/protocol/errors.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeServer, type FakeSocket, joined, peer } from './fake-server.ts';

const start = (join: ConnectionOptions['join'] = { name: 'Ada' }) => {
  const clock = new FakeClock();
  const server = new FakeServer();
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join, open: server.open, clock });
  const events: RoomEvent[] = [];
  connection.on('event', (event) => events.push(event));
  return { clock, server, connection, events };
};

const numbered = (socket: { sent: object[] }) => socket.sent.filter((message) => 'n' in message);

describe('joining', () => {
  it('sends join first, then messages sent before it, in order', () => {
    const { server, connection } = start({ name: 'Ada', media: { audio: true, video: false } });
    connection.chat('early');
    expect(connection.state).toEqual({ state: 'connecting', attempt: 1 });
    server.latest.accept();
    expect(server.latest.sent).toEqual([{ type: 'join', name: 'Ada', media: { audio: true, video: false } }]);
    server.admit();
    connection.chat('late', 'bob');
    expect(numbered(server.latest)).toEqual([
      { type: 'chat', n: 1, text: 'early' },
      { type: 'chat', n: 2, text: 'late', to: 'bob' },
    ]);
    expect(connection.state).toEqual({ state: 'joined' });
  });

  it('ends with the error code of a refusal that is final', () => {
    const { server, connection, clock } = start();
    server.latest.accept();
    server.latest.say({ type: 'error', code: 'bad-message', message: '' });
    expect(connection.state).toEqual({ state: 'closed', code: 'bad-message' });
    expect(clock.pending).toBe(0);
  });

  it('gives up a handshake that takes too long, and retries', async () => {
    const { server, clock } = start();
    await clock.pass(5_000);
    expect(server.latest.closed).toBe(true);
    await clock.pass(1_000);
    expect(server.sockets).toHaveLength(2);
  });
});

describe('a fresh token', () => {
  it('is sent at once, and replaces the old one in later joins', () => {
    const { server, connection } = start({ token: 'old' });
    server.latest.accept();
    expect(server.latest.sent).toEqual([{ type: 'join', token: 'old' }]);
    server.admit();
    connection.update({ token: 'new' });
    expect(numbered(server.latest)).toEqual([{ type: 'update', n: 1, token: 'new' }]);
    server.latest.drop(1006);
    connection.checkConnection();
    server.latest.accept();
    expect(server.latest.sent[0]).toMatchObject({ type: 'join', token: 'new' });
  });
});

describe('an update', () => {
  /** The join of a new session after the connection was lost. */
  const joinAgain = ({ server, connection }: ReturnType<typeof start>) => {
    server.latest.drop(1006);
    connection.checkConnection();
    server.latest.accept();
    return server.latest.sent[0];
  };

  it('that is refused is not part of later joins, as are those that are accepted', async () => {
    const room = start({ name: 'Ada', token: 'good' });
    const { server, connection } = room;
    server.admit();
    const ends = Promise.all([
      connection.update({ name: 'Augusta' }),
      connection.update({ token: 'bad' }),
      connection.update({ name: 'bad', media: { audio: true, video: false } }),
      connection.update({ media: { audio: true, video: true } }),
    ]);
    server.latest.say({ type: 'error', code: 'token-invalid', message: '', n: 2 });
    server.latest.say({ type: 'error', code: 'bad-message', message: '', n: 3 });
    server.latest.say({ type: 'ack', n: 4 });
    expect((await ends).map(({ accepted }) => accepted)).toEqual([true, false, false, true]);
    expect(joinAgain(room)).toMatchObject({ name: 'Augusta', token: 'good', media: { audio: true, video: true } });
  });

  it('that is not settled is, so that a new token helps a join', async () => {
    const room = start({ token: 'expired' });
    const { server, connection } = room;
    server.admit();
    const first = connection.update({ token: 'second' });
    void connection.update({ token: 'third' });
    server.latest.say({ type: 'ack', n: 1 });
    await first;
    expect(joinAgain(room)).toMatchObject({ token: 'third', session: 'secret' });
  });
});

describe('a sent message', () => {
  it('is settled by cumulative acknowledgements', async () => {
    const { server, connection } = start();
    server.admit();
    const ends = Promise.all([connection.chat('a'), connection.chat('b')]);
    server.latest.say({ type: 'ack', n: 2 });
    expect(await ends).toEqual([{ accepted: true }, { accepted: true }]);
  });

  it('is settled by an error with its number and without retry', async () => {
    const { server, connection } = start();
    const refused: string[] = [];
    connection.on('refused', ({ code }) => refused.push(code));
    server.admit();
    const end = connection.signal('gone', 1, {});
    server.latest.say({ type: 'error', code: 'unknown-peer', message: '', n: 1 });
    expect(await end).toEqual({ accepted: false, code: 'unknown-peer' });
    expect(refused).toEqual(['unknown-peer']);
  });

  it('is validated before it gets a number, so that a message the server would refuse takes none', () => {
    const { server, connection } = start();
    server.admit();
    const attempts: [() => unknown, RegExp][] = [
      [() => connection.chat(''), /a text has 1 to 4000 characters, not 0/],
      [() => connection.chat('x'.repeat(4001)), /1 to 4000 characters, not 4001/],
      [() => connection.chat('x', 'a b'), /"a b" is not the id of a peer/],
      [() => connection.update({ name: '' }), /a name has 1 to 64/],
      [() => connection.update({ name: ' \n' }), /a name has 1 to 64/],
      [() => connection.update({ name: 'x'.repeat(65) }), /a name has 1 to 64/],
      [() => connection.update({ token: 'x'.repeat(8193) }), /a token has 0 to 8192/],
      [() => connection.decide({ type: 'passcode', passcode: '' }), /a passcode has 1 to 256/],
      [() => connection.decide({ type: 'passcode', passcode: 'x'.repeat(257) }), /a passcode has 1 to 256/],
      [() => connection.decide({ type: 'kick', peer: '' }), /"" is not the id of a peer/],
    ];
    for (const [attempt, sentence] of attempts) {
      expect(attempt).toThrow(RangeError);
      expect(attempt).toThrow(sentence);
    }
    connection.chat('x'.repeat(4000));
    connection.decide({ type: 'passcode', passcode: null });
    expect(numbered(server.latest)).toMatchObject([{ n: 1 }, { n: 2, passcode: null }]);
    // A later join does not emit it either.
    server.latest.drop(1006);
    connection.checkConnection();
    server.latest.accept();
    expect(server.latest.sent).toMatchObject([{ type: 'join', name: 'Ada' }]);
  });

  it('starts with its type and number, which servers read fastest', () => {
    const { server, connection } = start();
    server.admit();
    connection.signal('bob', 1, { candidate: null });
    expect(Object.keys(server.latest.sent.at(-1) ?? {})).toEqual(['type', 'n', 'to', 'epoch', 'data']);
  });

  it('is sent again in order after an error with retry, and no later message overtakes it', async () => {
    const { server, connection, clock } = start();
    server.admit();
    connection.chat('a');
    connection.chat('b');
    server.latest.say({ type: 'error', code: 'rate-limited', message: '', n: 1, retry: 1000 });
    server.latest.say({ type: 'error', code: 'out-of-order', message: '', n: 2, retry: 0 });
    connection.chat('c');
    expect(numbered(server.latest)).toHaveLength(2);
    await clock.pass(1249);
    expect(numbered(server.latest)).toHaveLength(2);
    await clock.pass(1);
    expect(numbered(server.latest).slice(2)).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it.each(['opening', 'waiting'] as const)(
    'is not delayed by an error with retry before it is joined: %s',
    async (state) => {
      const { server, connection, clock } = start();
      server.latest.accept();
      const refusal = { type: 'error', code: 'rate-limited', message: '', n: 1, retry: 600_000 } as const;
      if (state === 'waiting') {
        const waiting = {
          type: 'waiting',
          self: { id: 'me' },
          host: true,
          seq: 0,
          session: 'secret',
          grace: 1,
        } as const;
        server.latest.say(waiting);
      }
      server.latest.say(refusal);
      server.latest.say(joined());
      connection.chat('a');
      await clock.pass(1_000);
      expect(numbered(server.latest)).toHaveLength(1);
    },
  );

  it.each([0, -1, 'soon', 1e300])(
    'is sent again after growing delays while it is refused for now (retry %j), even if each time something is acknowledged',
    async (retry) => {
      const { server, connection, clock } = start();
      const socket = server.admit();
      connection.chat('a');
      for (let at = 0; clock.now < 1_200_000; await clock.pass(500)) {
        if (socket.sent.length === at) continue;
        at = socket.sent.length;
        if (socket.sent.at(-1)?.type === 'ping') socket.say({ type: 'pong' });
        socket.say({ type: 'ack', n: 0 });
        socket.say(JSON.stringify({ type: 'error', code: 'rate-limited', message: '', n: 1, retry }));
      }
      expect(numbered(socket).length).toBeLessThan(220);
      expect(numbered(socket).length).toBeGreaterThan(2);
    },
  );

  it('is sent again after a resume with the same number, unless it was settled', async () => {
    const { server, connection, clock } = start();
    server.admit({ seq: 4 });
    for (const text of ['a', 'b', 'c']) connection.chat(text);
    server.latest.say({ type: 'ack', n: 1 });
    server.latest.drop(1006);
    expect(connection.state).toMatchObject({ state: 'reconnecting' });
    await clock.pass(1000);
    server.admit({ recovered: true, seq: 9 });
    expect(server.latest.sent[0]).toEqual({ type: 'join', name: 'Ada', session: 'secret', after: 4 });
    expect(numbered(server.latest)).toMatchObject([
      { n: 2, text: 'b' },
      { n: 3, text: 'c' },
    ]);
  });

  it('is numbered from 1 again when the session is gone, and signals are dropped', async () => {
    const { server, connection, clock } = start();
    server.admit();
    const signal = connection.signal('bob', 1, { old: true });
    connection.chat('kept');
    connection.update({ name: 'Augusta' });
    server.latest.drop(1006);
    await clock.pass(1000);
    server.admit({ recovered: false, session: 'another', seq: 2 });
    expect(await signal).toEqual({ accepted: false, code: 'stale-epoch' });
    expect(server.latest.sent[0]).toMatchObject({ name: 'Augusta' });
    expect(numbered(server.latest)).toMatchObject([
      { n: 1, text: 'kept' },
      { n: 2, type: 'update' },
    ]);
    connection.chat('next');
    expect(numbered(server.latest).at(-1)).toMatchObject({ n: 3 });
  });

  it('is refused once the connection is closed', async () => {
    const { server, connection } = start();
    server.admit();
    const before = connection.chat('a');
    connection.leave();
    expect(await before).toEqual({ accepted: false, code: 'left' });
    expect(await connection.chat('b')).toEqual({ accepted: false, code: 'left' });
  });
});

describe('events', () => {
  it('are emitted once, in order, even if a resume repeats them', async () => {
    const { server, clock, events } = start();
    server.admit({ seq: 3 });
    server.latest.say({ type: 'peer-away', seq: 3, peer: 'old' });
    server.latest.say({ type: 'peer-away', seq: 5, peer: 'a' });
    server.latest.drop(1006);
    await clock.pass(1000);
    server.admit({ recovered: true, seq: 7 });
    expect(server.latest.sent[0]).toMatchObject({ after: 5 });
    server.latest.say({ type: 'peer-away', seq: 5, peer: 'a' });
    server.latest.say({ type: 'peer-back', seq: 6, peer: 'a' });
    server.latest.say({ type: 'peer-left', seq: 7, peer: 'a', reason: 'left' });
    expect(events.map(({ seq }) => seq)).toEqual([5, 6, 7]);
  });

  it('of an abandoned socket are ignored', async () => {
    const { server, clock, events } = start();
    const old = server.admit();
    old.drop(1006);
    await clock.pass(1000);
    server.admit({ recovered: true });
    old.say({ type: 'peer-joined', seq: 1, peer: peer('ghost') });
    expect(events).toEqual([]);
  });

  it('nonsense and messages of a later protocol are ignored', () => {
    const { server, connection, events } = start();
    server.admit();
    for (const text of ['', 'null', '[]', '{', '{"type":"toString"}', '{"type":"hologram","seq":1}']) {
      server.latest.say(text);
    }
    server.latest.say({ type: 'peer-away', seq: 1, peer: 'a' });
    expect(events).toHaveLength(1);
    expect(connection.state.state).toBe('joined');
  });
});

describe('reconnecting', () => {
  it('waits longer after each failure, and starts over only after a connection has lasted', async () => {
    const { server, clock } = start();
    const delay = async () => {
      const [before, sockets] = [clock.now, server.sockets.length];
      server.latest.drop(1006);
      while (server.sockets.length === sockets) await clock.pass(25);
      return clock.now - before;
    };
    const delays: number[] = [];
    for (let round = 0; round < 7; round++) delays.push(await delay());
    expect(delays).toEqual([225, 450, 900, 1800, 3600, 6000, 6000]);
    server.admit();
    await clock.pass(4_999);
    expect(await delay()).toBe(6000);
    server.admit();
    await clock.pass(5_000);
    expect(await delay()).toBe(225);
  });

  const long = 1_300_000;
  it.each([0, -1, 1, null, 'soon', 2 ** 31, 1e300, {}, [5]])(
    'accepts a retry of %j only within its own bounds, whichever way the server disconnects',
    async (retry) => {
      const { server, clock, connection } = start();
      connection.chat('waits');
      const sendAway = [
        (socket: FakeSocket) => socket.say(JSON.stringify({ type: 'error', code: 'draining', message: '', retry })),
        (socket: FakeSocket) => {
          socket.say(joined());
          socket.say(JSON.stringify({ type: 'bye', code: 'draining', message: '', retry: retry ?? 0 }));
        },
      ];
      // A final refusal of a join ends the session.
      if (retry === null) sendAway.shift();
      for (let at = 0; clock.now < long; await clock.pass(1_000)) {
        if (server.sockets.length === at) continue;
        at = server.sockets.length;
        server.latest.accept();
        sendAway[at % sendAway.length]?.(server.latest);
        expect(connection.state.state).not.toBe('closed');
      }
      expect(server.sockets.length).toBeLessThan(230);
      expect(server.sockets.length).toBeGreaterThan(2);
    },
  );

  it('does not spin when the server repeatedly says that the session was replaced', async () => {
    const { server, clock } = start();
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit();
    await clock.pass(20_000);
    server.latest.say({ type: 'pong' });
    await clock.pass(10_000);
    server.latest.accept();
    server.latest.say({ type: 'pong' });
    const before = server.sockets.length;
    for (let at = 0; clock.now < 120_000; await clock.pass(100)) {
      if (server.sockets.length === at) continue;
      at = server.sockets.length;
      server.admit();
      server.latest.say({ type: 'bye', code: 'replaced', message: '', retry: null });
    }
    expect(server.sockets.length - before).toBeGreaterThan(5);
    expect(server.sockets.length - before).toBeLessThan(25);
  });

  it('waits for the delay of a bye', async () => {
    const { server, clock } = start();
    server.admit();
    server.latest.say({ type: 'bye', code: 'draining', message: '', retry: 4000 });
    server.latest.drop(4000);
    await clock.pass(3999);
    expect(server.sockets).toHaveLength(1);
    await clock.pass(2000);
    expect(server.sockets).toHaveLength(2);
  });

  it('waits a second after close codes 4000–4499 without a bye', async () => {
    const { server, clock } = start();
    server.admit();
    server.latest.drop(4321);
    await clock.pass(1_249);
    expect(server.sockets).toHaveLength(1);
    await clock.pass(1);
    expect(server.sockets).toHaveLength(2);
  });

  it.each([
    [4503, 'room-full'],
    [4506, 'replaced'],
    [4999, 'internal'],
    [1009, 'too-long'],
  ] as const)('does not happen after %i', async (close, code) => {
    const { server, connection, clock } = start();
    server.admit();
    server.latest.drop(close);
    expect(connection.state).toEqual({ state: 'closed', code });
    await clock.pass(600_000);
    expect(server.sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('does not happen after a bye without retry', () => {
    const { server, connection } = start();
    server.admit();
    server.latest.say({ type: 'bye', code: 'room-full', message: '', retry: null });
    expect(connection.state).toEqual({ state: 'closed', code: 'room-full' });
  });

  it('has a rule for every close code of the table', () => {
    for (const [code, fate] of Object.entries(errors)) {
      if (!('close' in fate)) continue;
      const { server, connection } = start();
      server.latest.drop(fate.close);
      const expected = fate.close < 4500 ? { state: 'connecting' } : { state: 'closed', code };
      expect(connection.state, code).toMatchObject(expected);
    }
  });

  it('drops a session that the server refuses, and joins without it', async () => {
    const { server, connection, clock } = start();
    server.admit();
    server.latest.drop(1006);
    await clock.pass(1000);
    server.latest.accept();
    server.latest.say({ type: 'error', code: 'unknown-session', message: '' });
    expect(server.latest.sent.at(-1)).toEqual({ type: 'join', name: 'Ada' });
    connection.leave();
  });
});

describe('a dead connection', () => {
  it('is detected by an unanswered ping', async () => {
    const { server, clock, connection } = start();
    const first = server.admit();
    await clock.pass(20_000);
    expect(first.sent.at(-1)).toEqual({ type: 'ping' });
    first.say({ type: 'pong' });
    await clock.pass(20_000);
    expect(first.sent.filter(({ type }) => type === 'ping')).toHaveLength(2);
    await clock.pass(10_000);
    expect(first.closed).toBe(true);
    expect(connection.state.state).toBe('reconnecting');
    await clock.pass(225);
    expect(server.sockets).toHaveLength(2);
  });

  it('is checked for by checkConnection(); a waiting connection retries at once', async () => {
    const { server, connection } = start();
    server.admit();
    connection.checkConnection();
    expect(server.latest.sent.at(-1)).toEqual({ type: 'ping' });
    server.latest.drop(1006);
    connection.checkConnection();
    expect(server.sockets).toHaveLength(2);
  });
});

it('leave() sends leave, closes, and leaves no timer behind', async () => {
  const { server, connection, clock } = start();
  server.admit();
  connection.leave();
  await settled();
  expect(server.latest.sent.at(-1)).toEqual({ type: 'leave' });
  expect(server.latest.closed).toBe(true);
  expect(clock.pending).toBe(0);
});

it('a listener that throws affects neither other listeners nor the connection', () => {
  const report = vi.fn();
  vi.stubGlobal('reportError', report);
  const { server, connection } = start();
  const mistake = new Error('mine');
  const seen: number[] = [];
  connection.on('event', () => {
    throw mistake;
  });
  connection.on('event', ({ seq }) => seen.push(seq));
  server.admit();
  server.latest.say({ type: 'peer-away', seq: 1, peer: 'a' });
  server.latest.say({ type: 'peer-away', seq: 2, peer: 'a' });
  vi.unstubAllGlobals();
  expect(seen).toEqual([1, 2]);
  expect(report.mock.calls).toEqual([[mistake], [mistake]]);
});
