/**
 * `npm run bench:inside`: CPU time of the app's own code for a message, from the received bytes to the sent ones, over stub sockets. The
 * kernel is excluded, and only the fastest tenth of many short turns counts: so it detects changes of a few per cent even on a shared
 * machine, which `npm run bench` cannot. Once with rooms in memory, once with the embedded store, in turns.
 */
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WebSocket } from 'ws';
import { AddressBudgets } from '../../app/budgets/address-budgets.ts';
import { SeatBudgets } from '../../app/budgets/seat-budgets.ts';
import { WebSockets } from '../../app/signaling/transports/websocket.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { EmbeddedStore } from '../../app/store/embedded/embedded.ts';
import { memoryStore } from '../../app/store/memory.ts';
import type { Store } from '../../app/store/store.ts';
import { rules } from '../rooms/rules.ts';
import { addressLimits, testContext } from '../signaling/test-context.ts';
import { shown, table } from './table.ts';

type Peer = { hears: (bytes: Buffer) => void; id: string; n: number };
type Speech = (peer: Peer, others: Peer[]) => string;

const clock = () => Math.floor(performance.now());
const plenty = { rate: 1e9, burst: 1e9 };
const wide = { ...rules, maxPeers: 16, chatHistory: 50 };
const log = { events: 1024, bytes: 4_194_304, age: 60_000 };
const kept = { total: 1e9, share: 1e9 };
const { rates } = addressLimits();
const limits = { rules: wide, byteRate: 1e12, byteBurst: 1e12, messageBytes: 65_536, unsentBytes: 1e6, ackDelay: 20 };
const registry = { rooms: 100, rules: wide, log, kept };
const directory = mkdtempSync(join(tmpdir(), 'inside-'));
const embedded = new EmbeddedStore(
  { directory, limits: registry, syncInterval: 1000, maxBytes: 1e12 },
  clock,
  { info: () => {}, error: (fields, message) => console.error(message, fields) },
  zeroCounts(),
);
await embedded.open();
const context = {
  clock,
  addresses: new AddressBudgets({
    rates: { ...rates, joins: plenty, messages: plenty, bytes: { rate: 1e12, burst: 1e12 } },
    held: { rooms: 1e6, seats: 1e6, connections: 1e6 },
  }),
  seats: new SeatBudgets({ ...limits, ...plenty }),
  log: { info: () => {}, warn: (fields: object, message: string) => console.error(message, fields) },
};
const serving = (store: Store): WebSockets => {
  const signaling = testContext({ ...context, store });
  Object.assign(signaling.limits, plenty, limits);
  return new WebSockets(signaling, { opened: () => {}, closed: () => {}, turnedAway: () => {} });
};
const servers = [serving(memoryStore(registry, clock, zeroCounts())), serving(embedded)];

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A client's text frame (RFC 6455, section 5.2), masked with zeros. */
const frame = (text: string): Buffer => {
  const padded = Buffer.from(text.padEnd(126));
  const head = Buffer.from([0x81, 0xfe, padded.length >> 8, padded.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, padded]);
};

/** Sends it in over a stub socket. */
const enter = async (webSockets: WebSockets, room: string): Promise<Peer> => {
  const sent: Buffer[] = [];
  const connection = Object.assign(new EventEmitter(), {
    ...{ bytesRead: 0, bytesWritten: 0, writableLength: 0, destroyed: false },
    pause: () => {},
    resume: () => {},
    write: (bytes: Buffer) => sent.length > 0 || sent.push(Buffer.from(bytes)) > 0,
  });
  const socket = Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1, bufferedAmount: 0 });
  connection.on('data', () => {});
  // Has the properties that are used.
  webSockets.accept(room, socket as WebSocket, connection as unknown as Socket, { reqId: '', ip: '127.0.0.1' });
  const hears = (bytes: Buffer): void => void connection.emit('data', bytes);
  hears(frame('{"type":"join"}'));
  while (sent.length === 0) await turn();
  const joined = sent[0]?.toString() ?? '';
  return { hears, id: JSON.parse(joined.slice(joined.indexOf('{'))).self.id, n: 0 };
};

const sdp = 'a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\\r\\n'.repeat(17);
const signal: Speech = (peer, [other]) =>
  `{"type":"signal","n":${++peer.n},"to":"${other?.id}","epoch":2,"data":{"at":1234.567,"sdp":"${sdp}"}}`;
const chat: Speech = (peer) => `{"type":"chat","n":${++peer.n},"text":"${'hello, everyone '.repeat(12)}"}`;

/** µs for each message, in the turn at the fastest tenth. */
const measure = async (
  webSockets: WebSockets,
  name: string,
  size: number,
  burst: number,
  say: Speech,
): Promise<number> => {
  const rooms: Peer[][] = [];
  for (let room = 0; room < 8; room += 1) {
    const peers: Peer[] = [];
    while (peers.length < size) peers.push(await enter(webSockets, `${name}-${room}`));
    rooms.push(peers);
  }
  const perTurn = 20;
  const took: number[] = [];
  for (let turns = 0; turns < 1000; turns += 1) {
    const due = Array.from({ length: perTurn }, (_, index): [Peer, Buffer] => {
      const peers = rooms[index % rooms.length] ?? [];
      const [first, ...others] = turns % 2 === 0 ? peers : peers.toReversed();
      if (!first) throw new Error('an empty room');
      return [first, Buffer.concat(Array.from({ length: burst }, () => frame(say(first, others))))];
    });
    await turn();
    const from = performance.now();
    for (const [peer, bytes] of due) {
      peer.hears(bytes);
      await turn();
    }
    took.push(((performance.now() - from) * 1000) / perTurn / burst);
  }
  return took.sort((a, b) => a - b)[took.length / 10] ?? Number.NaN;
};

const rows: [string, number, number, Speech][] = [
  ['a signal of 1 KB', 2, 1, signal],
  ['one of 16 that come at once', 2, 16, signal],
  ['a text to nine others', 10, 1, chat],
];
const found: string[][] = [];
for (const [name, ...how] of rows) {
  const best = servers.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 3; round += 1)
    for (const [at, server] of servers.entries())
      best[at] = Math.min(best[at] ?? 0, await measure(server, `${name.replaceAll(' ', '-')}-${round}`, ...how));
  const [memory = Number.NaN, kept = Number.NaN] = best;
  found.push([name, shown(memory), shown(kept), (memory / kept).toFixed(2)]);
}
process.stdout.write(table(['', 'memory, µs', 'embedded, µs', 'ratio'], found));
rmSync(directory, { recursive: true });
process.exit(0);
