/** Authorization on the real server: tokens, their grants and refusals, on both transports and every way to send one. */
import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type Fields, HttpPeer, type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { plainHttp, type Transport, webSocket } from '../../app/conform/transports.ts';
import { type ErrorCode, errors } from '../../app/protocol/errors.ts';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { type Site, startSite } from './site.ts';

const secret = 'a-shared-secret-of-forty-characters-0001';
const older = 'a-shared-secret-of-forty-characters-0000';
const pair = generateKeyPairSync('ed25519');
const pem = join(tmpdir(), `genkan-tokens-${process.pid}.pem`);
writeFileSync(pem, pair.publicKey.export({ type: 'spki', format: 'pem' }));
const keys = ['--token-secret', secret, '--token-secret', older, '--token-key', pem, '--token-leeway', '0'];

const sign = (claims: JWTPayload & Fields, key: Uint8Array | typeof pair.privateKey = bytes(secret), alg = 'HS256') =>
  new SignJWT({ exp: Math.floor(Date.now() / 1000) + 600, ...claims }).setProtectedHeader({ alg }).sign(key);
const bytes = (text: string) => new TextEncoder().encode(text);

let closed: Site;
let open: Site;
const opened: TestPeer[] = [];
/** Every secret that was ever sent, to search the logs for. */
const secrets: string[] = [secret, older, 'Aiko-by-token', 'subject-by-token'];
beforeAll(async () => {
  const settings = [...keys, '--max-peers', '2', '--log-events', '16', '--attempt-burst', '1000'];
  closed = await startSite(['--auth', 'token', ...settings]);
  open = await startSite(settings);
});
afterEach(() => {
  for (const peer of opened.splice(0)) peer.dispose();
});
afterAll(async () => {
  await closed.stop();
  await open.stop();
  rmSync(pem);
});

let count = 0;
const newRoom = () => `room-${++count}`;
const token = async (...asked: Parameters<typeof sign>): Promise<string> => {
  const made = await sign(...asked);
  secrets.push(...made.split('.').slice(1));
  return made;
};
const fateOf = (code: ErrorCode, { name }: Transport): { code: ErrorCode; fate: number } => {
  const known: { status: number; close?: number } = errors[code];
  return { code, fate: name === 'HTTP' ? known.status : (known.close ?? 0) };
};
const kinds = [
  [webSocket, 'http'],
  [plainHttp, 'http'],
  [webSocket, 'unix'],
  [plainHttp, 'socket'],
] as const;

describe.each(kinds.map(([transport, way]) => ({ name: `${transport.name} by ${way}`, transport, way })))(
  'with --auth token, $name',
  ({ transport, way }) => {
    const peerIn = (room: string): TestPeer => {
      const peer = transport.peer(closed.direct[way], room);
      opened.push(peer);
      return peer;
    };
    const enter = async (room: string, fields: Fields): Promise<TestPeer> => {
      const peer = peerIn(room);
      secrets.push((await peer.join(fields)).session);
      return peer;
    };
    /** Rejects if it was refused. */
    const enterOrTell = async (room: string, text: string): Promise<void> => {
      const peer = peerIn(room);
      const over = new AbortController();
      const dismissed = async () => {
        while (peer.inbox.of('bye').length === 0 && !over.signal.aborted) await new Promise((go) => setTimeout(go, 5));
        throw new Error('dismissed');
      };
      await Promise.race([peer.join({ token: text }), dismissed()]).finally(() => over.abort());
    };
    const refused = (room: string, fields: Fields) =>
      transport.refusal(closed.direct[way], room, [JSON.stringify({ type: 'join', ...fields })]);

    test('nobody joins without one or with an invalid one, and the refusal is final', async () => {
      const room = newRoom();
      const now = Math.floor(Date.now() / 1000);
      const cases: [ErrorCode, Fields][] = [
        ['token-missing', {}],
        ['token-missing', { token: '' }],
        ['token-expired', { token: await token({ room, exp: now - 1 }) }],
        ['token-not-yet-valid', { token: await token({ room, nbf: now + 300 }) }],
        ['token-wrong-room', { token: await token({ room: `${room}x` }) }],
        ['token-invalid', { token: await token({ room }, bytes('x'.repeat(40))) }],
        ['token-invalid', { token: 'nonsense' }],
        ['token-missing', { session: `abc.${'x'.repeat(32)}`, after: 0 }],
      ];
      for (const [code, fields] of cases) {
        expect(await refused(room, fields)).toEqual(fateOf(code, transport));
        expect(fateOf(code, webSocket).fate).toBeGreaterThanOrEqual(4500);
      }
      const bye = peerIn(newRoom());
      if (bye instanceof WebSocketPeer) {
        await bye.open();
        bye.write('{"type":"join"}');
        expect(await bye.inbox.take('bye')).toMatchObject({ code: 'token-missing', retry: null });
      }
    });

    test('a token of any key of the server is accepted, and its claims override the peer’s fields', async () => {
      const room = newRoom();
      const claims = { room, role: 'guest', name: 'Aiko-by-token', sub: 'subject-by-token' };
      const first = peerIn(room);
      const joined = await first.join({ name: 'Mallory', token: await token(claims, pair.privateKey, 'EdDSA') });
      expect(joined.self).toMatchObject({ role: 'guest', name: 'Aiko-by-token' });
      const second = peerIn(room);
      const host = await second.join({
        name: 'Ben',
        token: await token({ room: 'room-*', role: 'host' }, bytes(older)),
      });
      expect(host.self).toMatchObject({ role: 'host', name: 'Ben' });
      expect(host.peers).toMatchObject([{ name: 'Aiko-by-token', role: 'guest' }]);
      await first.send({ type: 'update', name: 'Mallory', media: { audio: true, video: true } });
      expect(await second.inbox.take('peer-updated')).toMatchObject({
        name: 'Aiko-by-token',
        media: { audio: true, video: true },
      });
    });

    test('a session continues without one, or with an expired one, also when it has to rejoin', async () => {
      const room = newRoom();
      const peer = await enter(room, { token: await token({ room, role: 'host', name: 'Aiko-by-token' }) });
      const other = await enter(room, { token: await token({ room }) });
      const expired = await token({ room, exp: 1 });
      const { id, session } = peer;
      await peer.cut();
      expect(await peerIn(room).join({ session, after: 1, token: expired })).toMatchObject({
        recovered: true,
        self: { id },
      });
      // More than the log keeps: it cannot be recovered, but keeps its seat.
      for (let n = 0; n < 20; n++) await other.send({ type: 'chat', text: 'x' });
      const again = peerIn(room);
      expect(await again.join({ session, after: 1, name: 'Mallory' })).toMatchObject({
        recovered: false,
        self: { id, role: 'host', name: 'Aiko-by-token' },
      });
      await again.leave();
      expect(await refused(room, { session: again.session, after: 1, token: expired })).toEqual(
        fateOf('token-expired', transport),
      );
    });

    test('a single-use token admits one peer, and is not used up by a full room', async () => {
      const room = newRoom();
      const once = await token({ room, jti: `once-${room}`, once: true });
      const tries = await Promise.allSettled([1, 2, 3].map(() => enterOrTell(room, once)));
      expect(tries.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
      expect(await refused(room, { token: once })).toEqual(fateOf('token-used', transport));

      const full = newRoom();
      const two = [await enter(full, { token: await token({ room: full }) })];
      two.push(await enter(full, { token: await token({ room: full }) }));
      const later = await token({ room: full, jti: `once-${full}`, once: true });
      expect(await refused(full, { token: later })).toEqual(fateOf('room-full', transport));
      await two[0]?.leave();
      await two[1]?.inbox.take('peer-left');
      await enter(full, { token: later });
      expect(await refused(full, { token: later })).toEqual(fateOf('token-used', transport));
    });

    test('a new one in update changes the role that others see; an invalid one is refused and ends nothing', async () => {
      const room = newRoom();
      const peer = await enter(room, { token: await token({ room, role: 'guest' }) });
      const other = await enter(room, { token: await token({ room }) });
      const raised = await token({ room, role: 'host', name: 'Aiko-by-token' });
      await peer.send({ type: 'update', token: raised });
      expect(await other.inbox.take('peer-updated')).toMatchObject({
        peer: peer.id,
        role: 'host',
        name: 'Aiko-by-token',
      });
      await peer.inbox.take('ack');
      const wrong: [ErrorCode, string][] = [
        ['token-expired', await token({ room, exp: 1 })],
        ['token-wrong-room', await token({ room: 'elsewhere' })],
        ['token-invalid', 'nonsense'],
      ];
      for (const [at, [code, text]] of wrong.entries()) {
        await peer.send({ type: 'update', token: text, name: 'Mallory' });
        expect(await peer.inbox.take('error')).toMatchObject({ code, n: at + 2 });
      }
      // Their numbers are settled, and none was applied.
      await peer.send({ type: 'chat', text: 'still here' });
      expect(await other.inbox.take('chat')).toMatchObject({ text: 'still here' });
      expect(other.inbox.of('peer-updated')).toHaveLength(1);
    });
  },
);

describe('an open server with keys', () => {
  test.each([webSocket, plainHttp])(
    'requires no token, and uses the role of one that is sent: $name',
    async (transport) => {
      const room = newRoom();
      const [first, second] = [transport.peer(open.direct.http, room), transport.peer(open.direct.http, room)];
      opened.push(first, second);
      expect((await first.join({ token: await token({ room, role: 'guest' }) })).self.role).toBe('guest');
      expect((await second.join({ token: await token({ room, role: 'host' }) })).self.role).toBe('host');
      const plain = transport.peer(open.direct.http, newRoom());
      opened.push(plain);
      expect((await plain.join()).self.role).toBe('host');
      expect(await transport.refusal(open.direct.http, room, ['{"type":"join","token":"x"}'])).toEqual(
        fateOf('token-invalid', transport),
      );
    },
  );
  test('ignores tokens without keys', async () => {
    const site = await startSite([]);
    const peer = new HttpPeer(site.direct.http, newRoom());
    opened.push(peer);
    expect((await peer.join({ token: 'x' })).self.role).toBe('host');
    await peer.cut();
    await site.stop();
  });
});

describe('a key set at a URL', () => {
  test('is used once it can be fetched; joins until then get an error with `retry`', async () => {
    let served = { status: 503, body: '' };
    const provider = createServer((_request, response) => response.writeHead(served.status).end(served.body));
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    const bound = provider.address();
    const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}/jwks.json`;
    const site = await startSite(['--auth', 'token', '--token-jwks-url', url]);
    const text = await token({ room: 'hall', role: 'guest' }, pair.privateKey, 'EdDSA');
    const early = new WebSocketPeer(site.direct.http, 'hall');
    opened.push(early);
    await early.open();
    early.write(JSON.stringify({ type: 'join', token: text }));
    expect(await early.inbox.take('bye')).toMatchObject({ code: 'keys-unavailable', retry: 5000 });
    expect(await plainHttp.refusal(site.direct.http, 'hall', [JSON.stringify({ type: 'join', token: text })])).toEqual({
      code: 'keys-unavailable',
      fate: 503,
    });
    served = { status: 200, body: JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] }) };
    // The first one remembers the failure for seconds; key-set.test.ts tests how it ends.
    const second = await startSite(['--auth', 'token', '--token-jwks-url', url]);
    const peer = new WebSocketPeer(second.direct.http, 'hall');
    opened.push(peer);
    expect((await peer.join({ token: text })).self.role).toBe('guest');
    const logs = JSON.stringify(site.logs);
    expect(logs).toContain('the key set that tokens are checked with cannot be fetched');
    for (const part of text.split('.')) expect(logs).not.toContain(part);
    peer.dispose();
    await Promise.all([site.stop(), second.stop()]);
    provider.close();
  });
});

describe('in Authorization', () => {
  const post = async (room: string, authorization: string, body: object = {}, rest = 'join') => {
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(`${closed.direct.socket}/rooms/${room}/${rest}`, {
      ...{ method: 'POST', headers },
      body: JSON.stringify(body),
    });
    const reply = await answer.json();
    return { status: answer.status, code: reply.code ?? reply.self?.role };
  };
  /** The first response to a join on a WebSocket whose handshake had this header. */
  const shake = (room: string, authorization: string, fields: Fields = {}): Promise<Fields> =>
    new Promise((resolve, reject) => {
      const url = `${closed.direct.unix.replace('http', 'ws')}/rooms/${room}/ws`;
      const socket = new WebSocket(url, protocolVersion, { headers: { authorization } });
      socket.on('error', reject);
      socket.on('open', () => socket.send(JSON.stringify({ type: 'join', ...fields })));
      socket.on('message', (data) => {
        resolve(JSON.parse(String(data)));
        socket.terminate();
      });
    });

  test('a token is accepted, by POST and by the handshake of a WebSocket', async () => {
    const room = newRoom();
    const good = await token({ room, role: 'host' });
    expect(await post(room, `Bearer ${good}`)).toEqual({ status: 200, code: 'host' });
    expect(await shake(room, `bearer ${good}`)).toMatchObject({ type: 'joined', self: { role: 'host' } });
  });
  test('a token in the message overrides it, and a session is not a token', async () => {
    const room = newRoom();
    const [host, guest] = [await token({ room, role: 'host' }), await token({ room, role: 'guest' })];
    expect(await post(room, `Bearer ${host}`, { token: guest })).toEqual({ status: 200, code: 'guest' });
    expect(await post(room, `Bearer ${host}`, { token: 'x' })).toEqual({ status: 401, code: 'token-invalid' });
    const session = `abcdefghijkl.${'x'.repeat(32)}`;
    expect(await post(room, `Bearer ${session}`)).toEqual({ status: 401, code: 'token-missing' });
    expect(await shake(room, `Bearer ${session}`)).toMatchObject({ type: 'bye', code: 'token-missing' });
    expect(await shake(room, 'Bearer a.b.c')).toMatchObject({ type: 'bye', code: 'token-invalid' });
  });
  test('a token is not a session', async () => {
    const room = newRoom();
    expect(await post(room, `Bearer ${await token({ room })}`, {}, 'messages')).toEqual({
      status: 401,
      code: 'not-joined',
    });
  });
});

test('no token, secret or session is logged', () => {
  const logs = JSON.stringify([closed.logs, open.logs]);
  expect(logs.length).toBeGreaterThan(5000);
  expect(secrets.length).toBeGreaterThan(60);
  for (const text of secrets.filter((one) => one !== '')) expect(logs.includes(text), text).toBe(false);
});
