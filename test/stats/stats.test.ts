/** Statistics: their format, many workers in one, and what uwsgitop reads of the running server. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { zeroCounts } from '../../app/stats/counters.ts';
import { report } from '../../app/stats/process-stats.ts';
import { render, type Server, statistics, type Worker } from '../../app/stats/uwsgi-json.ts';
import { aSnapshot, startWatched, type Watched } from './snapshots.ts';
import { uwsgitop } from './uwsgitop.ts';

const server: Server = { version: '1.2.3', pid: 1, uid: 33, gid: 33, cwd: '/srv' };
const worker = (change: Partial<Worker> = {}): Worker => ({
  id: 1,
  pid: 4711,
  spawns: 1,
  lastSpawn: 1_700_000_000,
  hung: 0,
  snapshot: aSnapshot(),
  ...change,
});

describe('the format', () => {
  test('has every field of uWSGI 2.0.30 that applies, with flags as 0 and 1', () => {
    const counts = zeroCounts();
    Object.assign(counts.answers, { count: 7, micros: 9000, recentMicros: 1200, bytes: 500, failed: 1 });
    counts.refusals.socket.harakiri = 2;
    counts.webSockets.opened = 4;
    expect(statistics(server, [worker({ snapshot: aSnapshot({ counts }) })])).toMatchObject({
      version: '1.2.3',
      listen_queue: 3,
      listen_queue_errors: 0,
      signal_queue: 0,
      load: 3,
      ...{ pid: 1, uid: 33, gid: 33, cwd: '/srv' },
      locks: [],
      sockets: [{ name: '127.0.0.1:3031', proto: 'uwsgi', queue: 3, max_queue: 511, shared: 0, can_offload: 0 }],
      workers: [
        {
          ...{ id: 1, pid: 4711, accepting: 1, requests: 11, delta_requests: 11, exceptions: 1, harakiri_count: 2 },
          ...{ signals: 0, signal_queue: 0, status: 'idle', rss: 50_000_000, vsz: 1_000_000_000, running_time: 9000 },
          ...{ last_spawn: 1_700_000_000, respawn_count: 1, tx: 4500, avg_rt: 1200 },
          apps: [{ id: 0, modifier1: 0, mountpoint: '', startup_time: 0, requests: 11, exceptions: 1, chdir: '/srv' }],
          cores: [
            {
              ...{ id: 0, requests: 11, static_requests: 0, routed_requests: 0, offloaded_requests: 0 },
              ...{ write_errors: 0, read_errors: 0, in_request: 0, vars: [], req_info: {} },
            },
          ],
        },
      ],
    });
    expect(render(server, [worker()])).toMatch(/^\{\n\t"version": "1\.2\.3",\n/);
  });

  test.each([
    ['idle', aSnapshot()],
    ['busy', aSnapshot({ utilisation: 0.71 })],
    ['pause', aSnapshot({ accepting: false, utilisation: 1 })],
    ['cheap', undefined],
  ])('%s', (status, snapshot) => {
    const { snapshot: _, ...stopped } = worker();
    const shown = statistics(server, [snapshot ? { ...stopped, snapshot } : { ...stopped, pid: 0 }]);
    expect(shown.workers[0]?.status).toBe(status);
  });

  test('lists several workers, adds up their rooms, and can be aggregated from JSON', () => {
    const counts = zeroCounts();
    Object.assign(counts, { joins: 9, resumes: 2 });
    counts.leaves.left = 3;
    counts.relayed.signal = 40;
    counts.refused['room-full'] = 2;
    const output = report.parse(JSON.parse(JSON.stringify({ snapshot: aSnapshot({ counts }), metrics: [] })));
    const { snapshot: _, ...gone } = worker({ id: 3, pid: 0 });
    const all = [worker({ snapshot: output.snapshot }), worker({ id: 2, snapshot: output.snapshot, hung: 1 }), gone];
    const shown = statistics(server, all);
    expect(shown.workers.map(({ id, harakiri_count }) => [id, harakiri_count])).toEqual([
      [1, 0],
      [2, 1],
      [3, 0],
    ]);
    expect(shown.listen_queue).toBe(6);
    expect(shown.rooms).toMatchObject({
      ...{ rooms: 4, peers: 10, joins: 18, resumes: 4, relayed: { signal: 80, chat: 0, update: 0 } },
      leaves: { left: 6, error: 0, timeout: 0 },
      refused: { 'room-full': 4 },
      websockets: { open: 8, unsent_bytes: 20 },
      loop_lag_us: { p50: 0, p99: 2000, max: 30_500 },
      workers: [
        { id: 1, rooms: 2, peers: 5 },
        { id: 2, rooms: 2, peers: 5 },
        { id: 3, rooms: 0, peers: 0 },
      ],
    });
  });
});

describe('the running server', () => {
  let site: Watched;
  let socket: WebSocket;
  beforeAll(async () => {
    site = await startWatched();
    const headers = { authorization: 'Bearer abc.def', cookie: 'id=secret-of-mine' };
    socket = new WebSocket(`${site.http.replace('http', 'ws')}/rooms/r/ws?token=hush`, 'genkan.v1', { headers });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"type":"join"}');
    await new Promise((resolve) => socket.once('message', resolve));
    await fetch(`${site.http}/healthz`, { headers });
  });
  afterAll(async () => {
    socket.terminate();
    await site.stop();
  });

  test.each(['tcp', 'unix', 'http'] as const)('can be shown by uwsgitop over %s', async (kind) => {
    const address = kind === 'http' ? `http://${site.stats.http}` : site.stats[kind];
    const [first, second, self, core, ...more] = await uwsgitop(address);
    expect(first).toMatch(/^uwsgi-\d+\.\d+\.\d+ - req: 2 - lq: 0 - tx: \d+$/);
    expect(second).toContain(`cwd: ${process.cwd()} - uid: ${process.getuid?.()}`);
    expect(self).toMatch(new RegExp(`^1\t${process.pid}\t2\t0\t0\t(idle|busy)\t`));
    expect(core).toMatch(/^:0\t2\t(idle|busy)$/);
    expect(more).toEqual([]);
  });

  test('reports nothing about single requests', async () => {
    const output = await (await fetch(`http://${site.stats.http}/stats`)).text();
    for (const secret of ['secret-of-mine', 'abc.def', 'hush', 'HTTP_']) expect(output).not.toContain(secret);
    expect(JSON.parse(output).rooms).toMatchObject({ rooms: 1, peers: 1, joins: 1, websockets: { open: 1 } });
  });

  test('sends at once, also to a client that closed its side, and is not blocked by one that does not read', async () => {
    const stuck = connect(site.stats.unix);
    stuck.pause();
    const half = connect({ path: site.stats.unix, allowHalfOpen: true });
    half.end('GET / HTTP/1.0\r\n\r\n');
    let received = '';
    for await (const chunk of half) received += chunk;
    expect(JSON.parse(received).workers).toHaveLength(1);
    stuck.destroy();
  });

  test('serves only health and statistics by HTTP, without CORS', async () => {
    const get = (path: string, method = 'GET') => fetch(`http://${site.stats.http}${path}`, { method });
    expect(await (await get('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await get('/readyz')).json()).toEqual({ status: 'ready' });
    expect([(await get('/other')).status, (await get('/', 'POST')).status]).toEqual([404, 405]);
    const { headers } = await get('/?x');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  });

  test('serves the statistics on the app’s listener to the front end, not to browsers', async () => {
    for (const path of ['/stats', '/metrics']) {
      expect((await fetch(site.http + path)).status).toBe(404);
      expect((await fetch(site.fronted + path)).status).toBe(200);
    }
    expect((await fetch(`${site.http}/readyz`)).status).toBe(200);
  });
});
