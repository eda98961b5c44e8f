/** Which refusals count against a client's address: those that the client itself caused, by the app and by the listeners. */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { isCausedByClient } from '../../../app/protocol/errors.ts';
import { protocolVersion } from '../../../app/protocol/messages.ts';
import { securityHeaders } from '../../../app/web/security-headers.ts';
import { type Site, startSite } from '../../signaling/site.ts';
import { readAnswer, type UwsgiRequestOptions } from '../uwsgi/client.ts';
import { exchange, kinds, listenAs } from './listener.ts';

describe.each(kinds)('the listener --%s', (kind) => {
  const client = kind === 'http' ? '127.0.0.1' : '203.0.113.7';
  /** What was counted for one request from `client`. */
  const counted = async (request: UwsgiRequestOptions): Promise<{ status: number; calls: unknown[] }> => {
    const calls: unknown[] = [];
    const { address } = await listenAs(kind, {
      limitPost: 99,
      bufferSize: 4096,
      answersFor: (host) => host !== 'elsewhere.example',
      refusedTo: (...call) => calls.push(call),
    });
    const { headers = {}, vars = {} } = request;
    const answer = await exchange(kind, address, {
      ...request,
      headers: { 'X-Forwarded-For': client, ...headers },
      vars: { REMOTE_ADDR: client, ...vars },
    });
    return { status: readAnswer(answer).status, calls };
  };

  test.each<[string, number, UwsgiRequestOptions]>([
    ['a bad Host', 400, { headers: { Host: 'a b' } }],
    ['a fragment in the URL', 400, { url: '/a#b' }],
    ['a body that is announced too long', 413, { method: 'POST', vars: { CONTENT_LENGTH: '100' } }],
  ])('counts %s', async (_what, status, request) => {
    expect(await counted(request)).toEqual({ status, calls: [[client, false]] });
  });

  test('counts what a page of another origin caused as such', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const headers = { Host: 'a b', 'Sec-Fetch-Site': site };
      expect(await counted({ headers })).toEqual({ status: 400, calls: [[client, true]] });
    }
  });

  test.each<[string, UwsgiRequestOptions['headers'] & object, boolean]>([
    ['cross-site', { 'Sec-Fetch-Site': 'cross-site' }, true],
    ['same-origin', { 'Sec-Fetch-Site': 'same-origin' }, false],
    ['repeated', { 'Sec-Fetch-Site': ['cross-site', 'same-origin'] }, false],
    ['repeated in another order', { 'Sec-Fetch-Site': ['same-origin', 'cross-site'] }, false],
    ['absent, with a header called like its value', { 'Cross-Site': '1' }, false],
    ['absent, with its name as a value', { 'User-Agent': 'sec-fetch-site', 'Cross-Site': '1' }, false],
  ])('checks the same budget that it charges when Sec-Fetch-Site is %s', async (_what, headers, crossSite) => {
    const checked: unknown[] = [];
    const isBarred = (...call: unknown[]) => checked.push(call) > 0;
    const { address } = await listenAs(kind, { isBarred });
    // The names of uwsgi variables keep their order, so the header in question may be the first one.
    const vars = { REMOTE_ADDR: client, HTTP_HOST: 'example.org' };
    const answer = await exchange(kind, address, { headers: { ...headers, 'X-Forwarded-For': client }, vars });
    expect([readAnswer(answer).status, checked]).toEqual([429, [[client, crossSite]]]);
    expect((await counted({ headers: { ...headers, Host: 'a b' } })).calls).toEqual([[client, crossSite]]);
  });

  test('does not count a host that it does not serve: a page can choose the name of its own server', async () => {
    expect(await counted({ headers: { Host: 'elsewhere.example' } })).toEqual({ status: 421, calls: [] });
  });
});

test.each(['http', 'http-socket'] as const)(
  '--%s counts bytes that are no HTTP as of another site, but no head that is too long',
  async (kind) => {
    const calls: unknown[] = [];
    const { address } = await listenAs(kind, { bufferSize: 4096, refusedTo: (...call) => calls.push(call) });
    expect(readAnswer(await exchange(kind, address, { method: 'G@T' })).status).toBe(400);
    expect(calls).toEqual([['127.0.0.1', true]]);
    expect(readAnswer(await exchange(kind, address, { url: `/${'x'.repeat(9000)}` })).status).toBe(431);
    expect(calls).toEqual([['127.0.0.1', true]]);
  },
);

test.each(kinds)('what --%s refuses by itself has the headers of every response', async (kind) => {
  const { address } = await listenAs(kind, { answersFor: () => false });
  expect(readAnswer(await exchange(kind, address))).toMatchObject({ status: 421, headers: securityHeaders });
  expect(readAnswer(await exchange(kind, address, { headers: { Host: 'a b' } }))).toMatchObject({
    status: 400,
    headers: securityHeaders,
  });
  if (kind === 'socket') return;
  const garbage = readAnswer(await exchange(kind, address, { method: 'G@T' }));
  expect(garbage).toMatchObject({ status: 400, headers: securityHeaders });
});

test('errors that others cause are not the fault of the client', () => {
  const others = [
    'room-full',
    'room-locked',
    'passcode-needed',
    'kicked',
    'unknown-session',
    'stale-epoch',
    'internal',
  ];
  expect(others.filter((code) => isCausedByClient(code as 'internal'))).toEqual([]);
  expect((['bad-json', 'not-joined', 'wrong-passcode', 'not-allowed'] as const).every(isCausedByClient)).toBe(true);
});

describe('a server with a burst of five refusals', () => {
  let site: Site;
  const sockets: WebSocket[] = [];
  beforeAll(async () => {
    site = await startSite([
      '--refusal-burst',
      '5',
      '--refusal-rate',
      '1',
      '--resume-burst',
      '3',
      '--resume-rate',
      '1',
    ]);
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate();
  });
  afterAll(() => site.stop());

  let addresses = 0;
  const newAddress = () => `198.51.100.${++addresses}`;
  const post = (
    address: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    fetch(`${site.direct['http-socket']}/rooms/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address, ...headers },
      body: JSON.stringify(body),
    });
  const join = async (address: string, room = 'r'): Promise<string> => {
    const { session } = await (await post(address, `${room}/join`, {})).json();
    return session;
  };
  const open = (address: string, headers: Record<string, string> = {}): WebSocket => {
    const url = `${site.direct['http-socket'].replace('http', 'ws')}/rooms/r/ws`;
    const socket = new WebSocket(url, protocolVersion, { headers: { 'x-forwarded-for': address, ...headers } });
    sockets.push(socket);
    return socket;
  };
  /** Whether the listener answers 429 to a request that is good. */
  const isBarred = async (address: string, headers = {}): Promise<boolean> =>
    (await post(address, 'other/join', {}, headers)).status === 429;

  test('counts each error within an array of messages', async () => {
    const address = newAddress();
    const authorization = `Bearer ${await join(address)}`;
    const errors = Array.from({ length: 4 }, (_, at) => ({ type: 'nothing', n: at + 2 }));
    const messages = [{ type: 'chat', n: 1, text: 'hello' }, ...errors];
    expect((await post(address, 'r/messages', messages, { authorization })).status).toBe(200);
    expect(await isBarred(address)).toBe(false);
    await post(address, 'r/messages', { type: 'nothing', n: 6 }, { authorization });
    expect(await isBarred(address)).toBe(true);
  });

  test('does not count messages to a peer that is gone', async () => {
    const address = newAddress();
    const authorization = `Bearer ${await join(address)}`;
    for (let n = 1; n <= 7; n += 1) {
      const message = { type: 'signal', n, to: 'nobody', epoch: 1, data: 1 };
      expect((await post(address, 'r/messages', message, { authorization })).status).toBe(404);
    }
    expect(await isBarred(address)).toBe(false);
  });

  test('counts requests without a session, and with unknown sessions once there are more than may resume', async () => {
    const [address, other] = [newAddress(), newAddress()];
    for (let at = 0; at < 5; at += 1) expect((await post(address, 'r/messages', {})).status).toBe(401);
    expect(await isBarred(address)).toBe(true);
    const authorization = `Bearer abc.${'x'.repeat(32)}`;
    const statuses: number[] = [];
    while (statuses.length < 9) statuses.push((await post(other, 'r/messages', {}, { authorization })).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429, 429, 429, 429]);
    expect(await isBarred(other)).toBe(true);
  });

  test.each([
    ['invalid UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28])],
    ['an unknown opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
    ['a frame that is far too long', Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0])],
  ])('counts a WebSocket that breaks the protocol by %s', async (_what, bytes) => {
    const address = newAddress();
    for (let at = 0; at < 5; at += 1) {
      const socket = open(address);
      await once(socket, 'open');
      const closed = once(socket, 'close');
      (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes);
      await closed;
    }
    expect(await isBarred(address)).toBe(true);
  });

  test('does not count a WebSocket whose connection is lost', async () => {
    const address = newAddress();
    for (let at = 0; at < 7; at += 1) {
      const socket = open(address);
      await once(socket, 'open');
      socket.terminate();
    }
    expect(await isBarred(address)).toBe(false);
  });

  test('counts WebSockets of foreign origins, but bars only pages of other sites because of them', async () => {
    const address = newAddress();
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    for (let at = 0; at < 5; at += 1) {
      // Old browsers send no Sec-Fetch-Site with a WebSocket.
      const socket = open(address, at === 0 ? { origin: foreign.origin } : foreign);
      await once(socket, 'close');
    }
    expect(await isBarred(address)).toBe(false);
    expect(await isBarred(address, foreign)).toBe(true);
    const [error] = await once(open(address, foreign), 'error');
    expect(error.message).toContain('429');
  });

  test.each(['/nothing', '/rooms/%zz/ws', '/rooms/a%20b/inside'])(
    'does not bar an address because pages make its browsers open WebSockets at %s',
    async (path) => {
      const address = newAddress();
      for (let at = 0; at < 7; at += 1) {
        // Chromium sends no Sec-Fetch-Site.
        const headers = { 'x-forwarded-for': address, origin: 'https://evil.example' };
        const socket = new WebSocket(`${site.direct['http-socket'].replace('http', 'ws')}${path}`, { headers });
        sockets.push(socket);
        await once(socket, 'error');
      }
      expect(await isBarred(address)).toBe(false);
    },
  );
});

test.each(['http', 'http-socket'] as const)('--%s: a handshake is refused with "Connection: close"', async (kind) => {
  const { address, server } = await listenAs(kind, { isBarred: () => true });
  server.on('upgrade', () => {});
  const handshake = { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } };
  const { status, headers } = readAnswer(await exchange(kind, address, handshake));
  expect([status, headers.connection]).toEqual([429, 'close']);
});
