/** `POST …/create`: a room that has settings and a host before anyone is in it, on the real server. */
import { SignJWT } from 'jose';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Fields, WebSocketPeer } from '../../app/conform/peers.ts';
import { created } from '../../app/protocol/http-answers.ts';
import { type Site, startSite } from './site.ts';

const peers: WebSocketPeer[] = [];
afterEach(() => {
  for (const peer of peers.splice(0)) peer.dispose();
});
const start = async (...flags: string[]): Promise<Site> => {
  const site = await startSite(flags);
  onTestFinished(() => site.stop());
  return site;
};
const post = async (site: Site, action: string, body: unknown, token?: string) => {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { 'content-type': 'application/json', ...authorization };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${site.direct.http}/rooms/garden/${action}`, { method: 'POST', headers, body: text });
  return { status: response.status, body: await response.json() };
};
const create = (site: Site, options: unknown, token?: string) => post(site, 'create', options, token);
const join = async (site: Site, fields: Fields) => {
  const peer = new WebSocketPeer(site.direct.http, 'garden');
  peers.push(peer);
  return peer.join(fields);
};
const codeOf = async (site: Site, fields: Fields) => (await post(site, 'join', fields)).body.code;

describe('creating a room', () => {
  test('sets who may join, and makes its creator host, even if others come first', async () => {
    const site = await start();
    const { status, body } = await create(site, { access: 'open', passcode: 'plum' });
    const { session, memory } = created.parse(body);
    expect([status, memory, site.count()]).toEqual([201, 600, { rooms: 1, peers: 0 }]);
    expect(await codeOf(site, {})).toBe('passcode-needed');
    for (const _ of [1, 2]) expect(await join(site, { passcode: 'plum' })).toMatchObject({ self: { role: 'guest' } });
    expect(await join(site, { session })).toMatchObject({
      self: { role: 'host' },
      room: { access: 'open', passcode: true },
      recovered: false,
    });
  });

  test('with locked doors keeps everyone out until its creator joins', async () => {
    const site = await start();
    const { session } = created.parse((await create(site, { access: 'locked' })).body);
    expect(await codeOf(site, {})).toBe('room-locked');
    expect(await codeOf(site, { session: session.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) })).toBe(
      'room-locked',
    );
    expect(await join(site, { session })).toMatchObject({ self: { role: 'host' }, room: { access: 'locked' } });
  });

  test('is refused for a room that exists, and for invalid settings', async () => {
    const site = await start();
    expect(await create(site, {})).toMatchObject({ status: 201 });
    expect(await create(site, {})).toMatchObject({ status: 409, body: { code: 'room-exists' } });
    for (const body of [{ access: 'ajar' }, { passcode: '' }, { passcode: 'x'.repeat(257) }, []])
      expect(await create(site, body)).toMatchObject({ status: 400, body: { code: 'bad-message' } });
    expect(await create(site, '{')).toMatchObject({ status: 400, body: { code: 'bad-json' } });
  });

  test.each([
    ['rooms are not remembered', ['--room-memory', '0'], 'not-allowed'],
    ['hosts come with a token', ['--room-access', 'knock'], 'not-allowed'],
    ['its address has opened too many', ['--max-rooms-per-address', '1'], 'too-many-rooms'],
  ])('is refused where %s', async (_, flags, code) => {
    const site = await start(...flags);
    if (code === 'too-many-rooms') {
      const other = new WebSocketPeer(site.direct.http, 'other');
      peers.push(other);
      await other.join();
    }
    expect(await create(site, {})).toMatchObject({ body: { code } });
    expect(site.count().rooms).toBe(code === 'too-many-rooms' ? 1 : 0);
  });

  test('needs a token where joining does, which then still joins', async () => {
    const secret = 's'.repeat(32);
    const site = await start('--auth', 'token', '--token-secret', secret);
    const mint = (role: string) =>
      new SignJWT({ room: 'garden', role, once: true, jti: role })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(secret));
    expect(await create(site, {})).toMatchObject({ body: { code: 'token-missing' } });
    expect(await create(site, {}, await mint('guest'))).toMatchObject({ body: { code: 'not-allowed' } });
    const token = await mint('host');
    const { session } = created.parse((await create(site, { access: 'knock' }, token)).body);
    expect(await join(site, { session, token })).toMatchObject({ self: { role: 'host' }, room: { access: 'knock' } });
  });
});
