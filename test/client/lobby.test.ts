import { describe, expect, it } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import type { ConnectionState } from '../../app/client/signaling.ts';
import type { Waiting } from '../../app/protocol/messages.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeServer, joined } from './fake-server.ts';

const waiting = (over: Partial<Waiting> = {}): Waiting => ({
  type: 'waiting',
  self: { id: 'me' },
  host: true,
  seq: 4,
  session: 'secret',
  grace: 30_000,
  ...over,
});

const start = (session?: string) => {
  const clock = new FakeClock();
  const server = new FakeServer();
  const states: ConnectionState[] = [];
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: {}, open: server.open, clock, session });
  connection.on('state', (state) => states.push(state));
  return { clock, server, connection, states };
};
/** A peer that waits in the lobby. */
const knock = () => {
  const all = start();
  all.server.latest.accept();
  all.server.latest.say(waiting());
  return all;
};

describe('in the lobby', () => {
  it('reports whether a host is present, and is admitted over the same socket', () => {
    const { server, connection, states } = knock();
    expect(connection.session).toBe('secret');
    server.latest.say({ type: 'waiting-updated', seq: 5, host: false });
    server.latest.say({ type: 'waiting-updated', seq: 6, host: true });
    server.latest.say({ type: 'waiting-updated', seq: 5, host: false });
    server.latest.say(joined({ seq: 9 }));
    expect(states).toEqual([
      { state: 'waiting', host: true },
      { state: 'waiting', host: false },
      { state: 'waiting', host: true },
      { state: 'joined' },
    ]);
    expect(server.sockets).toHaveLength(1);
  });

  it('keeps messages until it is admitted', () => {
    const { server, connection } = knock();
    connection.chat('hello');
    expect(server.latest.sent).toEqual([{ type: 'join' }]);
    server.latest.say(joined({ seq: 9 }));
    expect(server.latest.sent.at(-1)).toEqual({ type: 'chat', n: 1, text: 'hello' });
  });

  it('returns to it with its session after a lost connection, or is admitted meanwhile', async () => {
    const { server, connection, clock } = knock();
    server.latest.drop(1006);
    expect(connection.state).toEqual({ state: 'reconnecting', attempt: 0 });
    await clock.pass(1_000);
    server.latest.accept();
    expect(server.latest.sent).toEqual([{ type: 'join', session: 'secret', after: 4 }]);
    server.latest.say(waiting({ seq: 7, host: false }));
    expect(connection.state).toEqual({ state: 'waiting', host: false });
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit({ recovered: false, seq: 12 });
    expect(server.latest.sent[0]).toEqual({ type: 'join', session: 'secret', after: 7 });
    expect(connection.state).toEqual({ state: 'joined' });
  });

  it.each(['denied', 'room-ended'] as const)('is ended by %s, and does not reconnect', async (code) => {
    const { server, connection, clock } = knock();
    server.latest.say({ type: 'bye', code, message: '', retry: null });
    await clock.pass(600_000);
    expect(connection.state).toEqual({ state: 'closed', code });
    expect([server.sockets.length, clock.pending]).toEqual([1, 0]);
  });

  it('stays there while the connection upgrades to a better transport, and afterwards', async () => {
    const { server, connection, clock, states } = start();
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.latest.accept();
    server.latest.say(waiting());
    for (let step = 0; step < 6; step++) {
      server.latest.say({ type: 'pong' });
      await clock.pass(5_000);
    }
    server.latest.accept();
    server.latest.say({ type: 'pong' });
    expect(server.latest.sent.at(-1)).toEqual({ type: 'join', session: 'secret', after: 4 });
    expect(connection.state).toEqual({ state: 'waiting', host: true });
    server.latest.say(waiting({ host: false }));
    expect(connection.state).toEqual({ state: 'waiting', host: false });
    expect(states.filter(({ state: is }) => is === 'joined')).toEqual([]);
    connection.leave();
    expect(clock.pending).toBe(0);
  });

  it('detects a dead connection on checkConnection()', async () => {
    const { server, connection, clock } = knock();
    connection.checkConnection();
    expect(server.latest.sent.at(-1)).toEqual({ type: 'ping' });
    await clock.pass(11_000);
    expect(server.sockets).toHaveLength(2);
  });

  it('leave() sends leave', () => {
    const { server, connection, clock } = knock();
    connection.leave();
    expect(server.latest.sent.at(-1)).toEqual({ type: 'leave' });
    expect(clock.pending).toBe(0);
  });
});

describe('a previous seat', () => {
  it('is taken with its secret alone, and counts as resumed only when the room says so', () => {
    const { server, connection, states } = start('of before');
    expect(connection.state).toEqual({ state: 'connecting', attempt: 1 });
    expect(connection.session).toBe('of before');
    server.latest.accept();
    expect(server.latest.sent).toEqual([{ type: 'join', session: 'of before' }]);
    server.latest.say({ type: 'error', code: 'unknown-session', message: '' });
    expect(server.latest.sent.at(-1)).toEqual({ type: 'join' });
    server.admit({ session: 'another' });
    expect(connection.session).toBe('another');
    expect(states).toEqual([{ state: 'joined' }]);
  });

  it('can be left for some seconds, or for good', () => {
    for (const mayReturn of [true, false]) {
      const { server, connection } = start();
      server.admit();
      connection.leave(mayReturn);
      expect(server.latest.sent.at(-1)).toEqual(mayReturn ? { type: 'leave', mayReturn } : { type: 'leave' });
      expect(connection.state).toEqual({ state: 'closed', code: 'left' });
    }
  });
});

it.each(['kicked', 'room-ended', 'replaced'] as const)('%s ends the connection without reconnecting', async (code) => {
  const { server, connection, clock } = start();
  server.admit();
  server.latest.say({ type: 'bye', code, message: '', retry: null });
  await clock.pass(600_000);
  expect(connection.state).toEqual({ state: 'closed', code });
  expect([server.sockets.length, clock.pending]).toEqual([1, 0]);
});
