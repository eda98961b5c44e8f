/** Rates of joins and guesses by address, and of bytes by session, on the real server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { load } from '../../app/config/load.ts';
import { type Fields, HttpPeer, type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { errors } from '../../app/protocol/errors.ts';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { serve } from '../../app/serve.ts';
import { type Site, startSite } from './site.ts';

const secret = 'a-shared-secret-of-forty-characters-0001';
const sign = (claims: Fields) =>
  new SignJWT({ room: '*', exp: Math.floor(Date.now() / 1000) + 600, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));

let site: Site;
const opened: TestPeer[] = [];
beforeAll(async () => {
  site = await startSite([
    ...['--token-secret', secret, '--join-rate', '1', '--join-burst', '8', '--attempt-rate', '1'],
    ...['--attempt-burst', '2', '--byte-rate', '4096', '--byte-burst', '40000', '--max-message-bytes', '16384'],
  ]);
});
afterEach(() => {
  for (const peer of opened.splice(0)) peer.dispose();
});
afterAll(() => site.stop());

let addresses = 0;
/** An address that no other test uses. */
const newAddress = () => `192.0.2.${++addresses}`;
type Reply = { status: number; retryAfter: string | null; body: Fields };
/** A join by POST, from an address reported by the front end. */
const post = async (address: string, body: Fields = {}): Promise<Reply> => {
  const answer = await fetch(`${site.direct['http-socket']}/rooms/r-${address.replaceAll(/[.:]/g, '-')}/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
    body: JSON.stringify(body),
  });
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.json() };
};
const join8 = async (address: string): Promise<void> => {
  for (let at = 0; at < 8; at++) expect((await post(address)).status).toBe(200);
};
/** The same by WebSocket: the first message, and the close code if it is the last. */
const shake = (address: string): Promise<{ body: Fields; code?: number }> =>
  new Promise((resolve, reject) => {
    const url = `${site.direct['http-socket'].replace('http', 'ws')}/rooms/x/ws`;
    const socket = new WebSocket(url, protocolVersion, { headers: { 'x-forwarded-for': address } });
    socket.on('error', reject);
    socket.on('open', () => socket.send('{"type":"join"}'));
    socket.on('message', (data) => {
      const body = JSON.parse(String(data));
      if (body.type === 'bye') socket.on('close', (code) => resolve({ body, code }));
      else {
        socket.terminate();
        resolve({ body });
      }
    });
  });

describe('joins', () => {
  test('over the rate of their address get an error with `retry`, on both transports', async () => {
    const [address, neighbour] = [newAddress(), newAddress()];
    await join8(address);
    const refused = await post(address);
    expect(refused).toMatchObject({ status: 429, body: { type: 'error', code: 'rate-limited' } });
    const retry = Number(refused.body.retry);
    // One a minute, less what has passed since the burst.
    expect(retry).toBeGreaterThan(30_000);
    expect(retry).toBeLessThanOrEqual(60_000);
    expect(refused.retryAfter).toBe(String(Math.ceil(retry / 1000)));
    const { body, code } = await shake(address);
    expect(body).toMatchObject({ type: 'bye', code: 'rate-limited', retry: expect.any(Number) });
    expect(Number(body.retry)).toBeGreaterThan(30_000);
    expect(code).toBe(errors['rate-limited'].close);
    expect((await post(neighbour)).status).toBe(200);
    expect((await shake(neighbour)).body.type).toBe('joined');
  });

  test('of one IPv6 network are counted together', async () => {
    for (let at = 0; at < 8; at++) expect((await post(`2001:db8:0:7::${at}`)).status).toBe(200);
    expect((await post('2001:db8:0:7:ffff::1')).status).toBe(429);
    expect((await post('2001:db8:0:8::1')).status).toBe(200);
  });

  test('to one’s own seat are not counted', async () => {
    const address = newAddress();
    const { session } = (await post(address)).body;
    for (let at = 0; at < 7; at++) expect((await post(address)).status).toBe(200);
    for (let at = 0; at < 5; at++)
      expect(await post(address, { session, after: 1 })).toMatchObject({ status: 200, body: { recovered: true } });
    expect((await post(address, { session: `abc.${'x'.repeat(32)}`, after: 1 })).status).toBe(429);
  });
});

describe('wrong tokens', () => {
  test('are counted by address; a valid one is accepted even then', async () => {
    const [address, neighbour] = [newAddress(), newAddress()];
    for (let at = 0; at < 2; at++)
      expect(await post(address, { token: 'x.y.z' })).toMatchObject({ status: 401, body: { code: 'token-invalid' } });
    expect(await post(address, { token: 'x.y.z' })).toMatchObject({ status: 429, body: { code: 'rate-limited' } });
    expect((await post(address, { token: await sign({ role: 'guest' }) })).body).toMatchObject({
      self: { role: 'guest' },
    });
    expect((await post(neighbour, { token: 'x.y.z' })).status).toBe(401);
  });

  test('that are expired, or valid in another room, are not guesses', async () => {
    const address = newAddress();
    const [expired, elsewhere] = [await sign({ exp: 1 }), await sign({ room: 'elsewhere' })];
    for (let at = 0; at < 2; at++) {
      expect((await post(address, { token: expired })).body.code).toBe('token-expired');
      expect((await post(address, { token: elsewhere })).body.code).toBe('token-wrong-room');
    }
    expect((await post(address, { token: 'x.y.z' })).body.code).toBe('token-invalid');
  });

  test('in update are counted too, and may be sent again later with the same number', async () => {
    const [peer, watcher] = [
      new WebSocketPeer(site.direct.unix, 'updates'),
      new WebSocketPeer(site.direct.unix, 'updates'),
    ];
    opened.push(peer, watcher);
    await watcher.join();
    await peer.join();
    for (let n = 1; n <= 2; n++) {
      await peer.send({ type: 'update', token: 'x.y.z' });
      expect(await peer.inbox.take('error')).toMatchObject({ code: 'token-invalid', n });
    }
    await peer.send({ type: 'update', token: 'x.y.z' });
    expect(await peer.inbox.take('error')).toMatchObject({ code: 'rate-limited', n: 3, retry: expect.any(Number) });
    await peer.send({ type: 'update', n: 3, token: await sign({ role: 'host' }) });
    expect(await watcher.inbox.take('peer-updated')).toMatchObject({ peer: peer.id, role: 'host' });
  });
});

describe('bytes of a session', () => {
  const text = 'x'.repeat(3900);

  test('over the rate are refused by WebSocket, and far over it end the connection for now', async () => {
    const peer = new WebSocketPeer(site.direct.http, 'bytes');
    opened.push(peer);
    await peer.join();
    for (let at = 0; at < 30; at++) await peer.send({ type: 'chat', text });
    expect(await peer.inbox.take('error')).toMatchObject({ code: 'rate-limited', n: 11, retry: 1000 });
    expect(await peer.inbox.take('bye')).toMatchObject({ code: 'rate-limited', retry: 1000 });
    expect((await peer.closing()).code).toBe(errors['rate-limited'].close);
  });

  test('over the rate are refused by HTTP', async () => {
    const peer = new HttpPeer(site.direct.socket, 'posts');
    opened.push(peer);
    await peer.join();
    let n = 0;
    let answer: Awaited<ReturnType<typeof peer.post>>;
    // On a slow machine some of the burst is refilled before it is used up.
    do answer = await peer.post('messages', { type: 'chat', n: ++n, text });
    while (answer.status === 200 && n < 100);
    expect(n).toBeGreaterThan(10);
    expect(answer.status).toBe(429);
    expect(answer.json).toMatchObject({ messages: [{ type: 'error', code: 'rate-limited', n, retry: 1000 }] });
  });
});

describe('on a unix socket', () => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-rates-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  /** The statuses of joins with these reported addresses, one after the other. */
  const joins = async (setting: '--http' | '--http-socket', forwarded: (string | undefined)[]): Promise<number[]> => {
    const socketPath = join(directory, `${setting.slice(2)}.sock`);
    const loaded = load([setting, socketPath, '--join-rate', '1', '--join-burst', '1'], {});
    if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
    const running = await serve(loaded.settings, pino({ level: 'silent' }));
    const statuses: number[] = [];
    for (const address of forwarded) statuses.push(await joinBy(socketPath, address));
    await running.stop();
    return statuses;
  };
  const joinBy = (socketPath: string, address: string | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        ...(address === undefined ? {} : { 'x-forwarded-for': address }),
      };
      request({ socketPath, path: '/rooms/r/join', method: 'POST', headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end('{}');
    });

  test('the front end reports the address; requests without one share one bucket', async () => {
    expect(await joins('--http-socket', ['192.0.2.1', '192.0.2.2', '192.0.2.1'])).toEqual([200, 200, 429]);
    expect(await joins('--http-socket', [undefined, undefined, '192.0.2.1'])).toEqual([200, 429, 200]);
  });
  test('without a front end no reported address is trusted, and all share one bucket', async () => {
    expect(await joins('--http', ['192.0.2.1', '192.0.2.2'])).toEqual([200, 429]);
  });
});
