/** Metrics: what Prometheus reads, that events are counted, and that no client can create series. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createMetrics, metricValues, ofWorker, renderMetrics } from '../../app/stats/prometheus.ts';
import { aSnapshot, startWatched, type Watched } from './snapshots.ts';

type Series = Map<string, number>;
/** `name{label="value"}` → value; every line must be valid in the text format. */
const parse = (text: string): Series => {
  const series: Series = new Map();
  const described = new Set<string>();
  for (const line of text.split('\n')) {
    const [, name] = /^# (?:HELP|TYPE) (\w+) \S/.exec(line) ?? [];
    if (name) described.add(name);
    if (line === '' || name) continue;
    const [, id = '', base = '', value] =
      /^((\w+?)(?:_bucket|_sum|_count)?(?:\{[^{}]*\})?) (-?[\d.e+-]+|\+Inf)$/.exec(line) ?? [];
    expect(line).toMatch(/^(?:genkan|process|nodejs)_/);
    expect(described.has(base) || described.has(id.replace(/\{.*/, ''))).toBe(true);
    expect(series.has(id)).toBe(false);
    series.set(id, Number(value));
  }
  return series;
};

describe('several processes', () => {
  test('are shown one by one, so that a new worker does not hide the others', async () => {
    const one = createMetrics();
    const other = createMetrics();
    one.took('/rooms/:room/join', 0.004);
    other.took('/rooms/:room/join', 0.2);
    const slow = aSnapshot({ lag: { p50: 0.01, p99: 0.2, max: 0.9 }, peers: 7, accepting: false });
    const perWorker = [await one.values(aSnapshot()), await other.values(slow)].map((values, index) =>
      ofWorker(metricValues.parse(JSON.parse(JSON.stringify(values))), index + 1),
    );
    expect(Object.fromEntries(parse(await renderMetrics(perWorker)))).toMatchObject({
      'genkan_peers{worker="1"}': 5,
      'genkan_peers{worker="2"}': 7,
      'genkan_draining{worker="2"}': 1,
      'process_resident_memory_bytes{worker="1"}': expect.any(Number),
      'genkan_event_loop_lag_seconds{quantile="0.99",worker="2"}': 0.2,
      'genkan_request_duration_seconds_bucket{le="0.005",route="/rooms/:room/join",worker="1"}': 1,
      'genkan_request_duration_seconds_bucket{le="0.005",route="/rooms/:room/join",worker="2"}': 0,
      'genkan_request_duration_seconds_count{route="/rooms/:room/join",worker="2"}': 1,
    });
  });

  test('reading the metrics does not change the next reading', async () => {
    const { values } = createMetrics();
    await values(aSnapshot());
    expect(parse(await renderMetrics([await values(aSnapshot())])).get('genkan_rooms')).toBe(2);
  });
});

describe('the running server', () => {
  let site: Watched;
  beforeAll(async () => {
    site = await startWatched();
  });
  afterAll(() => site.stop());
  const read = async (): Promise<Series> => parse(await (await fetch(`http://${site.stats.http}/metrics`)).text());
  const change = async (act: () => Promise<unknown>): Promise<Record<string, number>> => {
    const before = await read();
    await act();
    const after = await read();
    const changed = [...after].map(([id, value]): [string, number] => [id, value - (before.get(id) ?? 0)]);
    return Object.fromEntries(
      changed.filter(([id, by]) => by !== 0 && !/^process|^nodejs|event_loop|duration/.test(id)),
    );
  };

  type Peer = {
    socket: WebSocket;
    received: string[];
    until: (text: string) => Promise<void>;
    closed: Promise<unknown>;
  };
  const open = async (room: string): Promise<Peer> => {
    const socket = new WebSocket(`${site.http.replace('http', 'ws')}/rooms/${room}/ws`, 'genkan.v1');
    const received: string[] = [];
    socket.on('message', (data) => received.push(String(data)));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('open', resolve));
    const until = async (text: string) => {
      await expect.poll(() => received.some((message) => message.includes(text)), { interval: 5 }).toBe(true);
    };
    return { socket, received, until, closed };
  };

  test('has the metrics’ types, and zeros at the start', async () => {
    const { headers } = await fetch(`http://${site.stats.http}/metrics`);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const series = await read();
    expect(series.get('genkan_errors_total{code="room-full"}')).toBe(0);
    expect(series.get('genkan_leaves_total{reason="timeout"}')).toBe(0);
    expect(series.get('genkan_requests_total{listener="socket",status="5xx"}')).toBe(0);
    expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(series.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
    expect(series.get('genkan_event_loop_lag_seconds{quantile="0.5"}')).toBeLessThan(1);
  });

  test('counts joins, messages, refusals and leaving', async () => {
    let inside: Peer | undefined;
    const joined = await change(async () => {
      inside = await open('a');
      inside.socket.send('{"type":"join"}');
      await inside.until('"joined"');
    });
    expect(joined).toMatchObject({
      ...{ genkan_rooms: 1, genkan_peers: 1, genkan_joins_total: 1, genkan_kept_bytes: expect.any(Number) },
      ...{ genkan_websockets_open: 1, genkan_websockets_total: 1 },
      'genkan_requests_total{listener="http",status="1xx"}': 1,
      'genkan_websocket_messages_total{direction="in"}': 1,
      'genkan_websocket_messages_total{direction="out"}': 1,
    });
    const spoken = await change(async () => {
      inside?.socket.send('{"type":"chat","n":1,"text":"hello"}');
      await inside?.until('"ack"');
      inside?.socket.send('{"type":"signal","n":2,"to":"nobody","epoch":1,"data":1}');
      await inside?.until('unknown-peer');
    });
    expect(spoken).toMatchObject({
      'genkan_messages_relayed_total{type="chat"}': 1,
      'genkan_errors_total{code="unknown-peer"}': 1,
    });
    expect(spoken).not.toHaveProperty('genkan_messages_relayed_total{type="signal"}');
    // The first request of each kind is timed, and then one of 64.
    const timed = await read();
    expect(timed.get('genkan_settle_duration_seconds_count')).toBe(1);
    expect(timed.get('genkan_settle_duration_seconds_bucket{le="1"}')).toBe(1);
    const left = await change(async () => {
      inside?.socket.send('{"type":"leave"}');
      await inside?.closed;
    });
    expect(left).toMatchObject({
      ...{ genkan_rooms: -1, genkan_peers: -1, genkan_websockets_open: -1 },
      'genkan_leaves_total{reason="left"}': 1,
      'genkan_websocket_closes_total{code="4507"}': 1,
    });
    expect(left).not.toHaveProperty('genkan_leaves_total{reason="timeout"}');
  });

  test('counts resumes after a lost connection, with and without missed events', async () => {
    const first = await open('b');
    first.socket.send('{"type":"join"}');
    await first.until('"joined"');
    const { session, seq } = JSON.parse(first.received[0] ?? '{}');
    const resumed = await change(async () => {
      first.socket.terminate();
      const second = await open('b');
      second.socket.send(JSON.stringify({ type: 'join', session, after: seq }));
      await second.until('"recovered":true');
      second.socket.terminate();
      const third = await open('b');
      third.socket.send(JSON.stringify({ type: 'join', session }));
      await third.until('"recovered":false');
    });
    expect(resumed).toMatchObject({
      'genkan_resumes_total{recovered="true"}': 1,
      'genkan_resumes_total{recovered="false"}': 1,
      'genkan_websocket_closes_total{code="1006"}': 2,
    });
    expect(resumed).not.toHaveProperty('genkan_joins_total');
    expect(resumed).not.toHaveProperty('genkan_leaves_total{reason="timeout"}');
  });

  test('counts plain HTTP by listener and status', async () => {
    const asked = await change(async () => {
      await fetch(`${site.http}/rooms/c/join`, { method: 'POST' });
      await fetch(`${site.fronted}/rooms/c/messages`, { method: 'POST' });
    });
    expect(asked).toMatchObject({
      genkan_joins_total: 1,
      'genkan_requests_total{listener="http",status="2xx"}': 1,
      'genkan_requests_total{listener="http-socket",status="4xx"}': 1,
      'genkan_errors_total{code="not-joined"}': 1,
    });
  });

  test('counts the responses of the listener itself', async () => {
    const refused = await change(async () => {
      const { port } = new URL(site.http);
      const socket = connect(Number(port), '127.0.0.1');
      socket.end('no request\r\n\r\n');
      await new Promise((resolve) => socket.resume().once('close', resolve));
    });
    expect(refused).toMatchObject({ 'genkan_listener_refusals_total{listener="http",code="bad-request"}': 1 });
    // Rooms of earlier tests may end meanwhile.
    expect(Object.keys(refused).filter((id) => /requests_total|errors_total/.test(id))).toEqual([]);
  });

  test('creates no series from values that clients choose', async () => {
    const before = (await read()).size;
    for (const path of ['/a', '/b?c=d', '/rooms/x', '/rooms/y', '/js/z.js']) await fetch(site.http + path);
    const known = (await read()).size;
    for (const path of ['/aa', '/bb?c=d', '/rooms/xx', '/rooms/yy', '/js/zz.js']) await fetch(site.http + path);
    for (const code of [3000, 4321]) {
      const { socket, closed } = await open('z');
      socket.close(code, 'because');
      await closed;
    }
    await expect.poll(async () => (await read()).get('genkan_websocket_closes_total{code="other"}')).toBe(2);
    expect((await read()).size).toBe(known);
    expect(known).toBeGreaterThan(before);
  });
});
