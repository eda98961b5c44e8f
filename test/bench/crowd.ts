/**
 * Clients like pages, on the library's own connection, in rooms of two. Reports when all have joined and, after some were lost and all are
 * back, when each was back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { browserClock } from '../../app/client/clock.ts';
import { Connection } from '../../app/client/connection.ts';
import { defaultTiming } from '../../app/client/timeouts.ts';
import type { OpenSocket, Socket } from '../../app/client/transport.ts';
import { openSockets } from '../../app/client/transport-fallback.ts';

export type CrowdJob = { base: string; clients: number };
/** `back`: ms since 1970, ascending, of the lost clients. `recovered`: how many sessions were resumed. */
export type CrowdMeasured = { back: number[]; recovered: number; missing: number; plain: number };

const job: CrowdJob = JSON.parse(process.argv[2] ?? '');
/** ms to wait for the last ones. */
const patience = 90_000;

type Client = { connection: Connection; joined: boolean; lost: boolean; back: number; recovered: boolean };

let opened = 0;
const usual = openSockets(browserClock, defaultTiming);
/** A WebSocket of ws has the same properties as a browser's; several addresses, because one has ports for only 28 000 connections. */
const open: OpenSocket = (url, rung) => {
  if (rung !== 'websocket') return usual(url, rung);
  const socket = new WebSocket(url, 'genkan.v1', { localAddress: `127.0.0.${2 + (opened++ % 8)}` });
  // The 'close' event is enough, also for a connection given up before it is open.
  socket.on('error', () => {});
  return socket as unknown as Socket;
};

const enter = (index: number): Promise<Client> =>
  new Promise((resolve) => {
    const url = `${job.base}/rooms/crowd-${process.pid}-${index >> 1}/ws`;
    const connection = new Connection({ url, join: {}, open });
    const client: Client = { connection, joined: false, lost: false, back: 0, recovered: false };
    connection.on('joined', ({ recovered }) => {
      client.recovered = recovered;
      if (client.lost) client.back = Date.now();
    });
    connection.on('state', ({ state: is }) => {
      client.joined = is === 'joined';
      if (client.joined) resolve(client);
      else if (is === 'reconnecting') client.lost = true;
    });
  });

const clients: Client[] = [];
for (let first = 0; first < job.clients; first += 32) {
  const some = Array.from({ length: Math.min(32, job.clients - first) }, (_, index) => enter(first + index));
  clients.push(...(await Promise.all(some)));
}
// By then the WebSocket counts as working: if it breaks it is retried before plain HTTP.
await sleep(defaultTiming.opening + 1000);
process.stdout.write('start\n');
const lost = (): Client[] => clients.filter((client) => client.lost);
const missing = (): Client[] => clients.filter(({ joined }) => !joined);
// A reload goes from worker to worker: it is over when nothing has happened for some seconds.
for (let quiet = 0, waited = 0, before = -1; quiet < 5000 && waited < patience; waited += 100) {
  await sleep(100);
  const now = lost().length;
  quiet = now > 0 && now === before && missing().length === 0 ? quiet + 100 : 0;
  before = now;
}
const returned = lost().filter(({ joined }) => joined);
const measured: CrowdMeasured = {
  back: returned.map(({ back }) => back).sort((a, b) => a - b),
  recovered: returned.filter(({ recovered }) => recovered).length,
  missing: missing().length,
  plain: returned.filter(({ connection }) => connection.transport !== 'websocket').length,
};
process.stdout.write(`${JSON.stringify(measured)}\n`);
process.exit(0);
