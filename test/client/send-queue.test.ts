/** What an honest page sends stays within the budget that a server has for its session by default, however much has queued up. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SeatBudget } from '../../app/budgets/seat-budgets.ts';
import { Connection } from '../../app/client/connection.ts';
import { Outbox, type Settled } from '../../app/client/outbox.ts';
import { rooms } from '../../app/config/settings/rooms.ts';
import type { ClientMessage } from '../../app/protocol/messages.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeServer, type FakeSocket } from './fake-server.ts';

const limits = {
  rate: rooms['message-rate'].parse(undefined),
  burst: rooms['message-burst'].parse(undefined),
  byteRate: rooms['byte-rate'].parse(undefined),
  byteBurst: rooms['byte-burst'].parse(undefined),
};

const start = () => {
  const [clock, server] = [new FakeClock(), new FakeServer()];
  const connection = new Connection({ url: 'ws://host/rooms/r/ws', join: {}, open: server.open, clock });
  /** Charges each message to a session's budget, which is `seconds` old or full. */
  const charge = (socket: FakeSocket, seconds?: number) => {
    const budget = new SeatBudget(limits, clock.now, seconds);
    const usages = new Set<string>();
    const send = socket.send.bind(socket);
    socket.send = (text) => {
      usages.add(budget.take(Buffer.byteLength(text), clock.now));
      send(text);
    };
    return usages;
  };
  const numbers = () => server.latest.sent.flatMap((message: ClientMessage) => ('n' in message ? [message.n] : []));
  return { clock, server, connection, charge, numbers };
};

it.each([
  ['many messages', 1_000, 10],
  ['large messages', 400, 30_000],
])('%s after a resume at another worker go out in order, none over the budget', async (_, count, length) => {
  const { clock, server, connection, charge, numbers } = start();
  server.admit();
  server.latest.drop(1006);
  for (let n = 1; n <= count; n += 1) void connection.signal(`p${n % 10}`, 1, { sdp: 'x'.repeat(length) });
  await clock.pass(1_000);
  const usages = charge(server.latest, 1);
  server.admit({ recovered: true });
  for (let passed = 0; numbers().length < count && passed < 60; passed += 1) {
    await clock.pass(1_000);
    server.latest.say({ type: 'ack', n: Math.max(...numbers()) - 5 });
    server.latest.say({ type: 'pong' });
  }
  expect(numbers()).toEqual(Array.from({ length: count }, (_, nth) => nth + 1));
  expect([...usages]).toEqual(['within']);
});

it('what is sent at once in a new session stays within the budget too, and the first hundreds do not wait', async () => {
  const { clock, server, connection, charge, numbers } = start();
  const usages = charge(server.latest);
  server.admit();
  for (let n = 1; n <= 1_000; n += 1) void connection.chat('x');
  expect(numbers()).toHaveLength(300);
  await clock.pass(5_000);
  expect(numbers()).toHaveLength(700);
  expect([...usages]).toEqual(['within']);
});

it('a lost connection or a pause of the server ends the wait, and everything unsettled is sent again from the start', async () => {
  const { clock, server, connection, numbers } = start();
  server.admit();
  for (let n = 1; n <= 400; n += 1) void connection.chat('x');
  server.latest.say({ type: 'ack', n: 250 });
  server.latest.say({ type: 'error', code: 'rate-limited', message: '', n: 251, retry: 1_000 });
  await clock.pass(1_000);
  expect(numbers()).toHaveLength(300);
  await clock.pass(1_000);
  expect(numbers().slice(300, 302)).toEqual([251, 252]);
  server.latest.drop(1006);
  await clock.pass(1_000);
  server.admit({ recovered: true });
  expect(numbers().slice(0, 2)).toEqual([251, 252]);
  await clock.pass(2_000);
  expect(numbers()).toEqual(Array.from({ length: 150 }, (_, nth) => 251 + nth));
  connection.leave();
  expect(clock.pending).toBe(0);
});

it('what waits for a connection is sent in the order in which it was added', async () => {
  const { clock, server, connection } = start();
  server.admit();
  await clock.pass(1_000);
  server.latest.drop(1006);
  for (let n = 0; n < 25; n += 1) {
    void connection.signal(`peer-${n % 3}`, 1, n);
    void connection.chat(`${n}`);
  }
  await clock.pass(1_000);
  server.admit({ recovered: true });
  await clock.pass(1_000);
  const sent = server.latest.sent.flatMap((one) =>
    one.type === 'signal' ? [`signal ${one.data}`] : one.type === 'chat' ? [`chat ${one.text}`] : [],
  );
  expect(sent).toEqual(Array.from({ length: 25 }, (_, n) => [`signal ${n}`, `chat ${n}`]).flat());
});

describe('when peers cause more signals than may be sent', () => {
  const flood = (connection: Connection, each: number) =>
    Array.from({ length: 14 * each }, (_, nth) => connection.signal(`h${nth % 14}`, 1, { nth }));
  const recipients = ({ sent }: FakeSocket) => sent.flatMap((one) => (one.type === 'signal' ? [one.to] : []));

  it('messages of the host and of the chat overtake them', async () => {
    const { clock, server, connection, numbers } = start();
    server.admit();
    void flood(connection, 200);
    await clock.pass(1_000);
    void connection.chat('x');
    void connection.decide({ type: 'kick', peer: 'h0' });
    await clock.pass(100);
    const types = server.latest.sent.map(({ type }) => type);
    expect([types.indexOf('chat'), types.indexOf('kick')]).toEqual([382, 383]);
    expect(numbers()).toEqual(numbers().map((_, nth) => nth + 1));
  });

  it('the peers take turns, and signals to one of them keep their order', async () => {
    const { clock, server, connection } = start();
    server.admit();
    for (let n = 1; n <= 500; n += 1) void connection.signal('hostile', 1, { n });
    for (let n = 1; n <= 40; n += 1) void connection.signal('a', 1, { n });
    await clock.pass(1_100);
    const toA = server.latest.sent.flatMap((one) => (one.type === 'signal' && one.to === 'a' ? [one.data] : []));
    expect(toA).toEqual(Array.from({ length: 40 }, (_, nth) => ({ n: nth + 1 })));
  });

  it('those to a peer that leaves are dropped', async () => {
    const { clock, server, connection } = start();
    server.admit();
    const signals = flood(connection, 40);
    server.latest.say({ type: 'peer-left', seq: 1, peer: 'h0', reason: 'left' });
    await clock.pass(10_000);
    const sent = recipients(server.latest);
    expect(sent).toHaveLength(14 * 40 - 18);
    expect(await signals.at(-14)).toEqual({ accepted: false, code: 'unknown-peer' });
  });

  it('they leave room for signals to other peers, and all signals for other messages', async () => {
    const { server, connection } = start();
    server.admit();
    const refusals: string[] = [];
    const watch = (name: string, settling: Promise<Settled>) =>
      void settling.then((result) => !result.accepted && refusals.push(`${name}: ${result.code}`));
    for (const [nth, signal] of flood(connection, 500).entries()) if (nth >= 14 * 499) watch('flood', signal);
    watch('a', connection.signal('a', 1, {}));
    for (let nth = 0; nth < 200; nth += 1) void connection.signal(`b${nth}`, 1, {});
    watch('last', connection.signal('last', 1, {}));
    watch('kick', connection.decide({ type: 'kick', peer: 'h0' }));
    await settled();
    expect(refusals).toEqual([...Array(14).fill('flood: rate-limited'), 'last: rate-limited']);
  });
});

it('many acknowledgements cost little, also with thousands of unsettled messages', async () => {
  const outbox = new Outbox();
  let settledCount = 0;
  for (let n = 1; n <= 4_900; n += 1) outbox.add({ type: 'chat', text: 'x' }, () => (settledCount += 1));
  while (outbox.next()) outbox.advance();
  const startedAt = performance.now();
  for (let nth = 0; nth < 20_000; nth += 1) outbox.acknowledged(7);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(settledCount).toBe(7);
  expect(outbox.next()).toBeUndefined();
  outbox.rewind();
  expect(outbox.next()?.n).toBe(8);
});

it('the budget is that of the README', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../app/client/README.md'), 'utf8');
  expect(readme).toContain('| messages to the server | 300 at once, 80 after a resume, then 80 a second');
});
