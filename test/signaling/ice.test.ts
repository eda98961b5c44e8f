/** Credentials are replaced before they expire: pushed over a WebSocket, with the next response over plain HTTP. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpPeer } from '../../app/conform/peers.ts';
import { plainHttp, webSocket } from '../../app/conform/transports.ts';
import { type IceServer, joined } from '../../app/protocol/messages.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import { type Site, startSite } from './site.ts';
import { testContext } from './test-context.ts';

let site: Site;
beforeAll(async () => {
  const turn = ['--turn-url', 'turn:127.0.0.1:3478', '--turn-secret', 'one-secret-or-more another-secret-besides'];
  site = await startSite(['--stun-url', 'stun:127.0.0.1:3478', ...turn, '--turn-ttl', '20']);
});
afterAll(() => site.stop());

/** Credentials are renewed after half of the twenty seconds that they are valid. */
const slow = { tags: ['slow'] };

/** When the credential of the servers expires, seconds since 1970. */
const expiry = (ice: IceServer[]): number => Number.parseInt(ice.at(-1)?.username ?? '', 10);

for (const { peer, name } of [webSocket, plainHttp])
  test.concurrent(`a peer on ${name} gets new servers before its own expire, repeatedly`, {
    tags: ['slow'],
  }, async () => {
    const one = peer(site.direct.http, `renewed-${name}`);
    const { ice } = await one.join();
    expect(ice).toMatchObject([
      { urls: ['stun:127.0.0.1:3478'] },
      { urls: ['turn:127.0.0.1:3478'], username: expect.stringMatching(/^\d+:[\w-]{22}$/) },
    ]);
    let before = ice;
    for (let times = 0; times < 2; times += 1) {
      const renewed = await one.inbox.take('ice');
      expect(Date.now() / 1000).toBeLessThan(expiry(before));
      expect(expiry(renewed.ice)).toBeGreaterThan(expiry(before));
      expect(renewed).toEqual({ type: 'ice', ice: [ice[0], { ...ice[1], ...renewed.ice[1] }] });
      before = renewed.ice;
    }
    expect(one.inbox.of('ice')).toHaveLength(2);
    one.dispose();
  });

test.concurrent('a waiting poll ends with the new servers, and the sequence number is unchanged', slow, async () => {
  const peer = new HttpPeer(site.direct.http, 'waiting');
  const { seq, ice } = await peer.join();
  await peer.cut();
  const { status, json } = await peer.poll(20);
  expect(Date.now() / 1000).toBeLessThan(expiry(ice) - 1);
  expect(status).toBe(200);
  expect(json).toMatchObject({ messages: [{ type: 'ice' }], seq });
  expect((await peer.poll(0)).json).toEqual({ messages: [], seq });
});

test('a response that was not received is repeated', async () => {
  let now = 0;
  const conversations = new HttpConversations(
    testContext({
      ice: (_peer, _network, at) => ({ servers: [{ urls: [`turn:from-${at}`] }], renewAt: at + 10_000 }),
      clock: () => now,
    }),
    { streamed: () => {} },
  );
  const { session } = joined.parse(JSON.parse((await conversations.join('r', '{}', { address: undefined })).body));
  const ask = async (leaves: boolean) => {
    let hangUp = () => {};
    const answer = conversations.events('r', session, { after: 1, wait: 60 }, { address: undefined }, (callback) => {
      hangUp = callback;
    });
    await new Promise((resolve) => setImmediate(resolve));
    if (leaves) hangUp();
    conversations.tick(now);
    return JSON.parse((await answer).body);
  };
  now = 10_000;
  expect((await ask(true)).messages).toEqual([]);
  expect((await ask(false)).messages).toEqual([{ type: 'ice', ice: [{ urls: ['turn:from-10000'] }] }]);
});

test.concurrent('a reconnecting peer gets new servers at once', async () => {
  const peer = webSocket.peer(site.direct.http, 'back');
  const { ice } = await peer.join();
  await expect.poll(() => Date.now() / 1000, { timeout: 5_000 }).toBeGreaterThan(expiry(ice) - 18);
  await peer.cut();
  const again = await peer.resume();
  expect(again.recovered).toBe(true);
  expect(expiry(again.ice)).toBeGreaterThan(expiry(ice));
  peer.dispose();
});

test('neither secret nor credential is logged', () => {
  expect(JSON.stringify(site.logs)).not.toMatch(/one-secret|another-secret|"credential"/);
});
