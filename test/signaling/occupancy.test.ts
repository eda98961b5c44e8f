/** `GET …/inside`: what a client learns about a room before joining, on the real server. */
import { SignJWT } from 'jose';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Fields, WebSocketPeer } from '../../app/conform/peers.ts';
import { inside } from '../../app/protocol/http-answers.ts';
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
const enter = async (site: Site, room: string, fields: Fields = {}) => {
  const peer = new WebSocketPeer(site.direct.http, room);
  peers.push(peer);
  await peer.join(fields);
  return peer;
};
const look = async (site: Site, room: string, token?: string) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${site.direct.http}/rooms/${room}/inside`, { headers });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return { status: answer.status, body: await answer.json() };
};

describe('the occupancy of a room', () => {
  test('is a number, also for rooms that do not exist, and creates none', async () => {
    const site = await start();
    expect(await look(site, 'garden')).toEqual({ status: 200, body: { peers: 0 } });
    expect(site.count()).toEqual({ rooms: 0, peers: 0 });
    await enter(site, 'garden', { name: 'Aiko' });
    const second = await enter(site, 'garden', { name: 'Ben' });
    const { body } = await look(site, 'garden');
    expect(inside.parse(body)).toEqual({ peers: 2 });
    await second.cut();
    await expect.poll(async () => (await look(site, 'garden')).body).toEqual({ peers: 1 });
  });

  test('has names only if everyone could join and see them', async () => {
    const site = await start('--lobby-shows', 'names');
    const host = await enter(site, 'garden', { name: 'Aiko' });
    await enter(site, 'garden');
    expect((await look(site, 'garden')).body).toEqual({ peers: 2, names: ['Aiko'] });
    await host.send({ type: 'lock', access: 'knock' });
    await host.inbox.take('ack');
    expect((await look(site, 'garden')).body).toEqual({ peers: 2 });
    await host.send({ type: 'lock', access: 'open' });
    await host.send({ type: 'passcode', passcode: 'sesame' });
    await expect.poll(async () => (await look(site, 'garden')).body).toEqual({ peers: 2 });
  });

  test('is empty if the server hides it or the client may not join, without a reason', async () => {
    const closed = await start('--lobby-shows', 'nothing');
    await enter(closed, 'garden');
    expect(await look(closed, 'garden')).toEqual({ status: 200, body: {} });

    const secret = 'a-shared-secret-of-forty-characters-0001';
    const sign = (room: string) =>
      new SignJWT({ room, exp: Math.floor(Date.now() / 1000) + 600 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secret));
    const site = await start('--auth', 'token', '--token-secret', secret);
    await enter(site, 'garden', { token: await sign('garden') });
    expect(await look(site, 'garden')).toEqual({ status: 200, body: {} });
    expect(await look(site, 'garden', await sign('kitchen'))).toEqual({ status: 200, body: {} });
    expect(await look(site, 'garden', await sign('garden'))).toEqual({ status: 200, body: { peers: 1 } });
  });

  test('may be requested as often as joins, without using their budget', async () => {
    const site = await start('--join-rate', '1', '--join-burst', '2');
    expect((await look(site, 'garden')).status).toBe(200);
    expect((await look(site, 'garden')).status).toBe(200);
    expect(await look(site, 'garden')).toMatchObject({ status: 429, body: { code: 'rate-limited' } });
    await enter(site, 'garden');
  });
});
