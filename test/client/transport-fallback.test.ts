import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import type { ConnectionState, RoomEvent } from '../../app/client/signaling.ts';
import type { TransportKind } from '../../app/client/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeServer, type FakeSocket, joined } from './fake-server.ts';

const joinedAgain = joined({ recovered: true });

const start = () => {
  const clock = new FakeClock();
  const server = new FakeServer();
  const rungs: TransportKind[] = [];
  const open = (url: string, rung: TransportKind): FakeSocket => {
    rungs.push(rung);
    return server.open(url, rung) as FakeSocket;
  };
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: {}, open, clock });
  const events: RoomEvent[] = [];
  const states: ConnectionState[] = [];
  connection.on('event', (event) => events.push(event));
  connection.on('state', (state) => states.push(state));
  return { clock, server, connection, rungs, events, states };
};
/** Joined by plain HTTP, because the WebSocket broke. */
const startLow = async () => {
  const all = start();
  all.server.latest.drop(1006);
  await all.clock.pass(1_000);
  all.server.admit({ seq: 5 });
  const low = all.server.latest;
  /** Lets time pass in which the server sends messages. */
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 5_000) {
      low.say({ type: 'pong' });
      await all.clock.pass(Math.min(left, 5_000));
    }
  };
  return { ...all, low, pass };
};

describe('falls back', () => {
  it('after one attempt that broke without a message, and goes round while nothing works', async () => {
    const { clock, server, rungs } = start();
    for (let round = 0; round < 3; round++) {
      server.latest.drop(1006);
      await clock.pass(4_000);
    }
    expect(rungs).toEqual(['websocket', 'http', 'websocket', 'http']);
  });

  it('after silence, sooner for a WebSocket than for plain HTTP', async () => {
    const { clock, server, rungs } = start();
    server.latest.accept();
    await clock.pass(5_000 + 225);
    expect(rungs).toEqual(['websocket', 'http']);
    await clock.pass(9_900);
    expect(server.latest.closed).toBe(false);
  });

  it('not when the server itself closes the connection', async () => {
    const { clock, server, rungs } = start();
    server.latest.accept();
    server.latest.say({ type: 'bye', code: 'draining', message: '', retry: 1000 });
    await clock.pass(2_000);
    server.latest.drop(4004);
    await clock.pass(4_000);
    expect(rungs).toEqual(['websocket', 'websocket', 'websocket']);
  });

  const turnAway = (socket: FakeSocket) => {
    socket.accept();
    socket.say({ type: 'bye', code: 'origin-refused', message: '', retry: null });
    socket.drop(4505);
  };

  it('when a WebSocket of a same-origin page is refused; a refusal by plain HTTP is then final', async () => {
    vi.stubGlobal('location', new URL('http://host/rooms/r'));
    onTestFinished(() => void vi.unstubAllGlobals());
    const { clock, server, rungs, connection } = start();
    turnAway(server.latest);
    await clock.pass(1_000);
    expect([rungs, connection.state]).toEqual([['websocket', 'http'], { state: 'connecting', attempt: 2 }]);
    turnAway(server.latest);
    await clock.pass(10_000);
    expect([rungs, connection.state]).toEqual([['websocket', 'http'], { state: 'closed', code: 'origin-refused' }]);
  });

  it('not when a WebSocket of a cross-origin page is refused', async () => {
    vi.stubGlobal('location', new URL('http://host:8080/rooms/r'));
    onTestFinished(() => void vi.unstubAllGlobals());
    const { server, rungs, connection } = start();
    turnAway(server.latest);
    expect([rungs, connection.state]).toEqual([['websocket'], { state: 'closed', code: 'origin-refused' }]);
  });

  it('only at the third loss once a WebSocket has worked', async () => {
    const { clock, server, rungs } = start();
    server.admit();
    await clock.pass(6_000);
    for (let round = 0; round < 3; round++) {
      server.latest.drop(1006);
      await clock.pass(4_000);
    }
    expect(rungs).toEqual(['websocket', 'websocket', 'websocket', 'http']);
  });
});

describe('upgrades', () => {
  it('once a pong arrives over a second WebSocket: same session, no event lost or repeated, no other state in between', async () => {
    const { pass, server, connection, rungs, events, states, low } = await startLow();
    low.say({ type: 'peer-away', seq: 6, peer: 'a' });
    connection.chat('unsettled');
    await pass(29_000);
    expect(rungs).toEqual(['websocket', 'http']);
    const before = states.length;
    await pass(1_000);
    const high = server.latest;
    high.accept();
    expect(high.sent).toEqual([{ type: 'ping' }]);
    low.say({ type: 'peer-back', seq: 7, peer: 'a' });
    high.say({ type: 'pong' });
    expect(high.sent.at(-1)).toEqual({ type: 'join', session: 'secret', after: 7 });
    low.say({ type: 'bye', code: 'replaced', message: '', retry: null });
    high.say({ ...joinedAgain, seq: 8 });
    high.say({ type: 'peer-away', seq: 8, peer: 'a' });
    expect(high.sent.at(-1)).toEqual({ type: 'chat', n: 1, text: 'unsettled' });
    expect(low.closed).toBe(true);
    expect(events.map(({ seq }) => seq)).toEqual([6, 7, 8]);
    expect(states.slice(before)).toEqual([{ state: 'joined' }]);
  });

  it('not over a WebSocket that swallows or breaks; each next attempt comes later', async () => {
    const { pass, server, rungs, connection, low } = await startLow();
    await pass(30_000);
    server.latest.accept();
    await pass(5_000);
    expect(server.latest.closed).toBe(true);
    await pass(59_000);
    expect(rungs).toHaveLength(3);
    await pass(1_000);
    expect(rungs).toEqual(['websocket', 'http', 'websocket', 'websocket']);
    server.latest.drop(1006);
    expect(connection.state).toEqual({ state: 'joined' });
    expect(low.closed).toBe(false);
  });

  it('at once on checkConnection()', async () => {
    const { connection, rungs } = await startLow();
    connection.checkConnection();
    connection.checkConnection();
    expect(rungs).toEqual(['websocket', 'http', 'websocket']);
  });

  it('back to the lower transport when the better one fails during the upgrade', async () => {
    const { clock, pass, server, connection, rungs, low } = await startLow();
    await pass(30_000);
    server.latest.accept();
    server.latest.say({ type: 'pong' });
    server.latest.drop(1006);
    expect(connection.state).toMatchObject({ state: 'reconnecting' });
    expect(low.closed).toBe(true);
    await clock.pass(1_000);
    expect(rungs.at(-1)).toBe('http');
  });

  it('despite a late request of its own that replaces the session', async () => {
    const { clock, pass, server, connection } = await startLow();
    await pass(30_000);
    server.latest.accept();
    server.latest.say({ type: 'pong' });
    server.latest.say(joinedAgain);
    server.latest.say({ type: 'bye', code: 'replaced', message: '', retry: null });
    await clock.pass(225);
    server.admit(joinedAgain);
    expect(connection.state).toEqual({ state: 'joined' });
    await clock.pass(6_000);
    server.latest.say({ type: 'bye', code: 'replaced', message: '', retry: null });
    expect(connection.state).toEqual({ state: 'closed', code: 'replaced' });
    expect(clock.pending).toBe(0);
  });

  it('without leaving a socket or timer behind', async () => {
    const { clock, pass, server, connection } = await startLow();
    await pass(30_000);
    connection.leave();
    expect(server.sockets.map(({ closed }) => closed)).toEqual([true, true, true]);
    expect(clock.pending).toBe(0);
  });
});
