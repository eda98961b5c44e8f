/** The library against the real server through networks that break one transport after the other. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import type { ConnectionState } from '../../app/client/signaling.ts';
import type { Timing } from '../../app/client/timeouts.ts';
import type { Transport } from '../../app/client/transport.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { atEnd, eventually, keepUntilFileEnds } from '../listener/uwsgi/finish.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { type Fault, startSpoiled } from './spoiled.ts';

keepUntilFileEnds();
let site: Site;
beforeAll(async () => {
  // All of this process would count as tabs of one browser.
  vi.stubGlobal('navigator', {});
  site = await startSite([]);
});
afterAll(() => site.stop());

const timing: Timing = { ping: 2_000, answer: 3_000, opening: 1_000, climb: 1_500, backoff: 50, longest: 500 };

let count = 0;
/** A connection of the library through a network with these faults, and a peer with a working network in the same room. */
const meet = async (faults: Fault[]) => {
  const room = `network-${++count}`;
  const network = await startSpoiled(site.direct.http, faults);
  const other = new WebSocketPeer(site.direct.http, room);
  await other.join();
  const url = `${network.url.replace('http', 'ws')}/rooms/${room}/ws`;
  const connection = new Connection({ url, join: { name: 'Ada' }, timing });
  atEnd(() => {
    connection.leave();
    other.dispose();
    network.close();
  });
  const received: string[] = [];
  const states: ConnectionState[] = [];
  connection.on('event', (event) => event.type === 'chat' && received.push(event.text));
  connection.on('state', (state) => states.push(state));
  return { network, other, connection, received, states };
};
type Met = Awaited<ReturnType<typeof meet>>;

/** Both send messages for some time; each message must arrive once and in order. */
const talk = async ({ connection, other, received }: Met, rounds: number) => {
  const before = { received: received.length, sent: other.inbox.of('chat').length };
  const texts = Array.from({ length: rounds }, (_, round) => `${before.received} + ${round}`);
  const settled: unknown[] = [];
  for (const text of texts) {
    settled.push(connection.chat(text));
    await other.send({ type: 'chat', text });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await eventually(() => expect(received.slice(before.received)).toEqual(texts), 20_000);
  await eventually(() =>
    expect(other.inbox.of('chat').slice(before.sent)).toMatchObject(texts.map((text) => ({ text }))),
  );
  expect(await Promise.all(settled)).toEqual(texts.map(() => ({ accepted: true })));
};

const joined = async ({ connection }: Met) =>
  eventually(() => expect(connection.state).toEqual({ state: 'joined' }), 15_000);
const carriedBy = (met: Met, transport: Transport) =>
  eventually(() => {
    expect(met.connection.transport).toBe(transport);
    expect(met.connection.state).toEqual({ state: 'joined' });
  }, 20_000);

describe.concurrent('on a network that', () => {
  test('works: the transport is a WebSocket', async () => {
    const met = await meet([]);
    await joined(met);
    expect(met.connection.transport).toBe('websocket');
    await talk(met, 20);
  });

  test.each<Fault>(['refuses upgrades', 'hangs upgrades', 'swallows WebSockets', 'cuts WebSockets'])(
    '%s: it is a stream, then a WebSocket once the network works, with no other state in between',
    async (fault) => {
      const met = await meet([fault]);
      await joined(met);
      expect(met.connection.transport).toBe('sse');
      await talk(met, 20);
      const states = met.states.length;
      met.network.faults.clear();
      const talking = talk(met, 100);
      await carriedBy(met, 'websocket');
      await talking;
      await talk(met, 5);
      expect(met.states.slice(states).filter(({ state: is }) => is !== 'joined')).toEqual([]);
      expect(met.other.inbox.of('peer-joined')).toHaveLength(1);
      expect(met.other.inbox.of('peer-left')).toEqual([]);
    },
  );

  test.each<Fault[]>([
    ['refuses upgrades', 'buffers streams'],
    ['swallows WebSockets', 'buffers streams'],
  ])('%s and %s: it is a poll, then a stream, then a WebSocket', async (sockets, streams) => {
    const met = await meet([sockets, streams]);
    await joined(met);
    await talk(met, 20);
    await carriedBy(met, 'poll');
    await talk(met, 20);
    met.network.faults.delete(streams);
    await carriedBy(met, 'sse');
    await talk(met, 20);
    met.network.faults.clear();
    await carriedBy(met, 'websocket');
    await talk(met, 5);
    expect(met.other.inbox.of('peer-joined')).toHaveLength(1);
    expect(met.other.inbox.of('peer-left')).toEqual([]);
  });

  test('cuts streams: polls replace them, and nothing is lost', async () => {
    const met = await meet(['refuses upgrades', 'cuts streams']);
    await joined(met);
    await talk(met, 60);
    await carriedBy(met, 'poll');
    await talk(met, 20);
    expect(met.other.inbox.of('peer-left')).toEqual([]);
  });

  test('breaks WebSockets in the middle of a call: it is a stream', async () => {
    const met = await meet([]);
    await joined(met);
    await talk(met, 5);
    met.network.faults.add('cuts WebSockets');
    met.network.cut();
    await talk(met, 20);
    await carriedBy(met, 'sse');
    expect(met.other.inbox.of('peer-joined')).toHaveLength(1);
  });
});

test('leave() is reported to the room at once', async () => {
  const met = await meet(['refuses upgrades']);
  await joined(met);
  await talk(met, 1);
  met.connection.leave();
  expect(await met.other.inbox.take('peer-left')).toMatchObject({ reason: 'left' });
  expect(met.other.inbox.of('peer-away')).toEqual([]);
});
