/** A server that sends wrong messages, or too many: what the library does, case by case; fuzz-server.ts does it at random. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import type { ConnectionEvents, ConnectionState } from '../../app/client/signaling.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeServer, joined, peer } from './fake-server.ts';

afterEach(() => void vi.unstubAllGlobals());

const start = () => {
  const [clock, server] = [new FakeClock(), new FakeServer()];
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: {}, open: server.open, clock });
  const emitted: [keyof ConnectionEvents, unknown][] = [];
  const tell = <Name extends keyof ConnectionEvents>(name: Name) =>
    connection.on(name, (value) => emitted.push([name, value]));
  for (const name of ['joined', 'event', 'ice', 'refused', 'warning'] as const) tell(name);
  const count = (name: keyof ConnectionEvents) => emitted.filter(([of]) => of === name).length;
  return { clock, server, connection, emitted, count };
};

describe('a malformed joined', () => {
  it.each([
    { peers: 5 },
    { peers: [null] },
    { ice: 'stun:a' },
    { self: null },
    { seq: 'one' },
    { session: 7 },
    { grace: {} },
  ])('fails the connection with bad-message: %j', async (wrong) => {
    const { clock, server, connection } = start();
    server.latest.accept();
    server.latest.say(JSON.stringify({ ...joined(), ...wrong }));
    expect(connection.state).toEqual({ state: 'connecting', attempt: 1, because: 'bad-message' });
    expect(server.latest.closed).toBe(true);
    await clock.pass(225);
    expect(server.sockets).toHaveLength(2);
    server.admit();
    expect(connection.state).toEqual({ state: 'joined' });
  });

  it('after the lobby fails the connection too', async () => {
    const { clock, server, connection } = start();
    server.latest.accept();
    server.latest.say({ type: 'waiting', self: { id: 'me' }, host: true, seq: 1, session: 'secret', grace: 1 });
    expect(connection.state).toEqual({ state: 'waiting', host: true });
    server.latest.say(JSON.stringify({ ...joined(), peers: {} }));
    expect(connection.state).toMatchObject({ because: 'bad-message' });
    await clock.pass(225);
    server.admit();
    expect(connection.state).toEqual({ state: 'joined' });
  });
});

it('another malformed message is ignored, and the first one of a connection emits a warning', () => {
  const { server, connection, emitted } = start();
  server.admit();
  for (let round = 0; round < 100; round += 1) server.latest.say('{"type":"peer-joined","seq":1,"peer":null}');
  server.latest.say({ type: 'peer-away', seq: 1, peer: 'a' });
  expect(connection.state).toEqual({ state: 'joined' });
  expect(emitted.slice(1)).toEqual([
    ['warning', new TypeError('malformed message: peer-joined')],
    ['event', { type: 'peer-away', seq: 1, peer: 'a' }],
  ]);
});

it('a second joined, or a waiting after it, is ignored: nothing is sent again', () => {
  const { server, connection, count } = start();
  const socket = server.admit();
  connection.chat('once');
  for (let round = 0; round < 100; round += 1) {
    socket.say(joined({ session: 'another' }));
    socket.say({ type: 'waiting', self: { id: 'me' }, host: true, seq: 1, session: 'another', grace: 1 });
  }
  expect(socket.sent.filter((message) => 'n' in message)).toHaveLength(1);
  expect(connection.session).toBe('secret');
  expect(count('joined')).toBe(1);
});

it('before joined no event is emitted and nothing is settled', async () => {
  const { server, connection, count } = start();
  const end = vi.fn();
  void connection.chat('waits').then(end);
  server.latest.accept();
  server.latest.say({ type: 'ack', n: 5 });
  server.latest.say({ type: 'peer-away', seq: 9, peer: 'a' });
  server.latest.say({ type: 'ice', ice: [] });
  await Promise.resolve();
  expect(end).not.toHaveBeenCalled();
  expect(count('event') + count('ice')).toBe(0);
  server.admit();
  expect(server.latest.sent.at(-1)).toMatchObject({ n: 1, text: 'waits' });
});

it('a sequence number far ahead hides events for one connection at most', async () => {
  const { clock, server, count } = start();
  server.admit({ seq: 4 });
  server.latest.say({ type: 'reached', seq: 2 ** 53 - 1 });
  server.latest.say({ type: 'reached', seq: 3 });
  server.latest.drop(1006);
  await clock.pass(1_000);
  server.admit({ seq: 6, recovered: true });
  server.latest.say({ type: 'peer-away', seq: 7, peer: 'a' });
  expect(count('event')).toBe(1);
});

it('of a flood of ICE servers, the latest are emitted every ten seconds', async () => {
  const { clock, server, emitted, count } = start();
  server.admit();
  const ice = (name: number) => [{ urls: [`stun:${name}`] }];
  for (let round = 1; round <= 1_000; round += 1) server.latest.say({ type: 'ice', ice: ice(round) });
  expect(count('ice')).toBe(1);
  await clock.pass(10_000);
  expect(emitted.filter(([name]) => name === 'ice')).toEqual([
    ['ice', ice(1)],
    ['ice', ice(1_000)],
  ]);
  await clock.pass(9_000);
  expect(count('ice')).toBe(2);
});

it('peers that join and leave at any rate do not end the connection, because each address has its own budget of joins', async () => {
  const { clock, server, connection, count } = start();
  server.admit();
  for (let seq = 1; seq < 10_000; seq += 2) {
    server.latest.say({ type: 'peer-joined', seq, peer: peer(`p${seq}`) });
    server.latest.say({ type: 'peer-left', seq: seq + 1, peer: `p${seq}`, reason: 'left' });
  }
  await clock.pass(10_000);
  expect(connection.state).toEqual({ state: 'joined' });
  expect([count('event'), server.sockets.length]).toEqual([10_000, 1]);
});

it('a joined with more peers than any server can be configured to have fails the connection', () => {
  const { server, connection } = start();
  const peers = (length: number) => Array.from({ length }, (_, nth) => peer(`p${nth}`));
  server.admit({ peers: peers(1_001) });
  expect(connection.state).toMatchObject({ state: 'connecting', because: 'bad-message' });
  connection.checkConnection();
  server.admit({ peers: peers(1_000) });
  expect(connection.state).toEqual({ state: 'joined' });
});

it('at most 5000 unsettled messages are kept', async () => {
  const { clock, server, connection } = start();
  server.admit();
  for (let round = 0; round < 5_000; round += 1) void connection.chat('x');
  expect(await connection.chat('one more')).toEqual({ accepted: false, code: 'rate-limited' });
  server.latest.say({ type: 'ack', n: 1 });
  void connection.chat('one more');
  for (let passed = 0; passed < 60_000; passed += 10_000) {
    await clock.pass(10_000);
    server.latest.say({ type: 'pong' });
  }
  expect(server.latest.sent.findLast((message) => 'n' in message)).toMatchObject({ n: 5_001, text: 'one more' });
});

it('a listener that throws ends nothing, whatever the event', async () => {
  const report = vi.fn();
  vi.stubGlobal('reportError', report);
  const { clock, server, connection } = start();
  const states: ConnectionState['state'][] = [];
  for (const name of ['state', 'joined', 'event', 'ice', 'refused', 'warning'] as const)
    connection.on(name, () => {
      throw new Error(name);
    });
  connection.on('state', ({ state: is }) => states.push(is));
  server.admit();
  server.latest.say({ type: 'peer-away', seq: 1, peer: 'a' });
  server.latest.say({ type: 'ice', ice: [] });
  server.latest.say({ type: 'error', code: 'not-allowed', message: '' });
  server.latest.say('{"type":"ack"}');
  server.latest.drop(1006);
  await clock.pass(1_000);
  server.admit();
  expect(states).toEqual(['joined', 'reconnecting', 'reconnecting', 'joined']);
  expect(new Set(report.mock.calls.map(([{ message }]) => message)).size).toBe(6);
});
