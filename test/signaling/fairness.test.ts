/** The default budgets on the real server: a class behind one address stays below them, and an attacker gains nothing. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type Fields, WebSocketPeer } from '../../app/conform/peers.ts';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite(['--max-peers', '70', '--turn-url', 'turn:127.0.0.1:3478', '--turn-secret', 'x'.repeat(20)]);
});
afterAll(() => site.stop(), 30_000);

test('200 people behind one router in three rooms get no refusal', async () => {
  const peers = Array.from({ length: 200 }, (_, at) => new WebSocketPeer(site.direct.http, `class-${at % 3}`));
  const joined = await Promise.all(peers.map((peer) => peer.join({ name: 'Pupil' })));
  const sent = peers.map(async (peer, at) => {
    const others = joined[at]?.peers ?? [];
    for (const { id: to, epoch } of others.slice(0, 10)) await peer.send({ type: 'signal', to, epoch, data: 'offer' });
    await peer.send({ type: 'chat', text: 'hello' });
    await eventually(() => expect(peer.inbox.of('ack').at(-1)?.n).toBe(Math.min(others.length, 10) + 1));
  });
  await Promise.all(sent);
  // The router restarts.
  for (const peer of peers) await peer.cut();
  const back = await Promise.all(peers.map((peer) => peer.resume()));
  expect(back.filter(({ recovered }) => recovered)).toHaveLength(200);
  expect(peers.flatMap(({ inbox }) => [...inbox.of('error'), ...inbox.of('bye')])).toEqual([]);
  for (const peer of peers) peer.dispose();
});

describe('one attacker', () => {
  const attacker = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.66' };
  const post = async (room: string, path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${site.direct['http-socket']}/rooms/${room}/${path}`, {
      method: 'POST',
      headers: { ...attacker, ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, json: (await answer.json()) as Fields };
  };
  const join = (room: string, fields: Fields = {}) => post(room, 'join', fields);

  test('sends no more by resuming than by staying', async () => {
    const { session } = (await join('resumes')).json as { session: string };
    let accepted = 0;
    for (let round = 0; round < 12; round += 1) {
      const texts = Array.from({ length: 200 }, (_, at) => ({ type: 'chat', n: accepted + at + 1, text: 'x' }));
      const { json } = await post('resumes', 'messages', texts, { authorization: `Bearer ${session}` });
      const acks = (json.messages as Fields[]).filter(({ type }) => type === 'ack');
      accepted = Math.max(accepted, ...acks.map(({ n }) => Number(n)));
      await join('resumes', { session, after: 1 });
    }
    // The burst, and what was refilled meanwhile.
    expect(accepted).toBeLessThan(1200);
  });

  test('may rejoin its own seat a few times, and is refused then', async () => {
    const { session } = (await join('rejoins')).json;
    const statuses: number[] = [];
    for (let times = 0; times < 50; times += 1) statuses.push((await join('rejoins', { session })).status);
    expect(statuses.filter((status) => status === 200).length).toBeLessThan(40);
    expect(statuses.at(-1)).toBe(429);
  });

  test('gets few TURN user names, however often it joins', async () => {
    const names = new Set<string>();
    for (let times = 0; times < 30; times += 1) {
      const { json } = await join('turn', {});
      const [{ username = '' } = {}] = (json.ice ?? []) as { username?: string }[];
      names.add(username.split(':')[1] ?? '');
    }
    expect(names.size).toBeLessThanOrEqual(2);
  });

  test('may have passcodes hashed at a limited rate, and a refused message keeps its number', async () => {
    const { session } = (await join('hashes')).json;
    const replies: Fields[] = [];
    for (let n = 1; n <= 300; n += 1) {
      const message = { type: 'passcode', n, passcode: `passcode-${n}` };
      const { json } = await post('hashes', 'messages', message, { authorization: `Bearer ${session}` });
      replies.push(...(json.messages as Fields[]));
      if (replies.at(-1)?.type === 'error') break;
    }
    expect(replies.length).toBeGreaterThanOrEqual(60);
    expect(replies.at(-1)).toMatchObject({ type: 'error', code: 'rate-limited', n: replies.length });
  });

  test('sends no more bytes than its address may, whatever they are', async () => {
    const body = JSON.stringify({ a: 'x'.repeat(1_000_000) });
    const headers = { ...attacker, 'x-forwarded-for': '203.0.113.67' };
    const url = `${site.direct['http-socket']}/rooms/bytes/messages`;
    const statuses: number[] = [];
    for (let times = 0; times < 90; times += 1) {
      const answer = await fetch(url, { method: 'POST', headers, body });
      await answer.body?.cancel();
      statuses.push(answer.status);
    }
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
    expect((await join('bytes', { name: 'x'.repeat(20_000) })).status).toBe(413);
  });

  test('opens no more rooms than its share, and other addresses are not affected', async () => {
    const statuses = await Promise.all(Array.from({ length: 230 }, async (_, at) => (await join(`own-${at}`)).status));
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(202);
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(20);
    expect((await post('honest', 'join', {}, { 'x-forwarded-for': '198.51.100.1' })).status).toBe(200);
  });
});

test('a body of unknown length is counted by the bytes received', async () => {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.68' };
  const statuses = new Set<number>();
  for (let times = 0; times < 30; times += 1) {
    const body = new Blob(['{}']).stream();
    const answer = await fetch(`${site.direct['http-socket']}/rooms/chunked/join`, {
      ...{ method: 'POST', headers, body, duplex: 'half' },
    } as RequestInit);
    await answer.body?.cancel();
    statuses.add(answer.status);
  }
  expect([...statuses]).toEqual([200]);
});

test('a large body for a room with an invalid name is refused for the name', async () => {
  const answer = await fetch(`${site.direct['http-socket']}/rooms/a%20b/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.69' },
    body: JSON.stringify({ a: 'x'.repeat(20_000) }),
  });
  expect([answer.status, ((await answer.json()) as Fields).code]).toEqual([400, 'bad-room-name']);
});

describe('WebSockets and event streams of one address', () => {
  let small: Site;
  beforeAll(async () => {
    small = await startSite(['--max-seats-per-address', '2']);
  });
  afterAll(() => small.stop(), 30_000);

  test('are counted together, and closed ones free a slot', async () => {
    const base = small.direct['http-socket'];
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.70' };
    const joined = await fetch(`${base}/rooms/shared/join`, { method: 'POST', headers, body: '{}' });
    const { session } = (await joined.json()) as { session: string };
    const stream = (signal?: AbortSignal) =>
      fetch(`${base}/rooms/shared/events?after=0`, {
        headers: { ...headers, accept: 'text/event-stream', authorization: `Bearer ${session}` },
        ...(signal && { signal }),
      });
    const open = () => new WebSocket(`${base.replace('http', 'ws')}/rooms/shared/ws`, protocolVersion, { headers });
    const endOf = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', resolve));

    const sockets = [open(), open()];
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    const refusedStream = await stream();
    expect([refusedStream.status, ((await refusedStream.json()) as Fields).code]).toEqual([429, 'rate-limited']);
    expect(await endOf(open())).toBe(4002);

    sockets[0]?.terminate();
    const cut = new AbortController();
    await eventually(async () => expect((await stream(cut.signal)).status).toBe(200));
    expect(await endOf(open())).toBe(4002);

    cut.abort();
    let last: WebSocket | undefined;
    await eventually(async () => {
      const socket = open();
      await once(socket, 'open');
      socket.ping();
      await Promise.race([once(socket, 'pong'), endOf(socket).then(() => Promise.reject(new Error('turned away')))]);
      last = socket;
    });
    for (const socket of [...sockets, last]) socket?.terminate();
  });
});
