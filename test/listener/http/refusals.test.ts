/** A client address with too many refusals: the listener itself answers 429, and no other client is refused. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { protocolVersion } from '../../../app/protocol/messages.ts';
import { type Site, startSite } from '../../signaling/site.ts';
import { readAnswer } from '../uwsgi/client.ts';
import { exchange } from './listener.ts';

describe.each(['http-socket', 'socket'] as const)('--%s', (kind) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(['--refusal-burst', '5', '--refusal-rate', '1']);
  });
  afterAll(() => site.stop());

  const ask = async (client: string, body: string, more: Record<string, string> = {}) => {
    const headers = { 'Content-Type': 'application/json', 'X-Forwarded-For': client, ...more };
    const question = { method: 'POST', url: '/rooms/r/join', headers, body, vars: { REMOTE_ADDR: client } };
    return readAnswer(await exchange(kind, Number(site.addresses[kind].split(':')[1]), question));
  };
  const statuses = async (client: string, times: number) => {
    const all: number[] = [];
    while (all.length < times) all.push((await ask(client, '{')).status);
    return all;
  };

  test('answers 429 once the burst is used up, even for valid requests, and logs it once', async () => {
    expect(await statuses('203.0.113.7', 7)).toEqual([400, 400, 400, 400, 400, 429, 429]);
    const { status, headers, body } = await ask('203.0.113.7', '{}');
    expect([status, headers['retry-after'], JSON.parse(body.toString())]).toMatchObject([
      429,
      '1',
      { code: 'rate-limited', retry: 1000 },
    ]);
    expect((await ask('203.0.113.8', '{}')).status).toBe(200);
    expect(site.logs.filter(({ msg }) => /429/.test(String(msg)))).toMatchObject([{ level: 40, ip: '203.0.113.7' }]);
  });

  test('counts the addresses of an IPv6 network together', async () => {
    expect((await statuses('2001:db8::1', 5)).at(-1)).toBe(400);
    expect((await ask('2001:db8::2', '{}')).status).toBe(429);
    expect((await ask('2001:db8:0:1::1', '{}')).status).toBe(200);
  });

  test('refuses only cross-site requests after cross-site requests: any page can make its visitors send them', async () => {
    const fromElsewhere = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' };
    const seen: number[] = [];
    while (seen.length < 7) seen.push((await ask('203.0.113.9', '{}', fromElsewhere)).status);
    expect(seen).toEqual([403, 403, 403, 403, 403, 429, 429]);
    expect((await ask('203.0.113.9', '{}')).status).toBe(200);
  });

  test.each(['10.0.0.7', '100.64.0.7', '127.0.0.1', 'fd00::7'])(
    'never refuses all of %s: a proxy that passes no addresses on may be there',
    async (client) => {
      expect(new Set(await statuses(client, 8))).toEqual(new Set([400]));
    },
  );
});

test('errors over a WebSocket are counted, and the next handshake is refused', async () => {
  const site = await startSite(['--refusal-burst', '5', '--refusal-rate', '1']);
  const open = () =>
    new WebSocket(`${site.direct['http-socket'].replace('http', 'ws')}/rooms/r/ws`, protocolVersion, {
      headers: { 'x-forwarded-for': '203.0.113.7' },
    });
  const socket = open();
  await once(socket, 'open');
  for (let sent = 0; sent < 5; sent += 1) {
    socket.send('{"type":"nothing"}');
    await once(socket, 'message');
  }
  const [error] = await once(open(), 'error');
  expect(error.message).toContain('429');
  socket.terminate();
  await site.stop();
});
