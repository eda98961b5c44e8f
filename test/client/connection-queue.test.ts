/** Strangers who join and leave a room all the time: what they cost a page, and that its calls continue. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { rateLimits } from '../../app/client/allowance.ts';
import { Connection } from '../../app/client/connection.ts';
import { ConnectionQueue, connectionLimit } from '../../app/client/connection-queue.ts';
import { Emitter } from '../../app/client/events.ts';
import { usualLinkTiming } from '../../app/client/link-watchdog.ts';
import { Mesh, type MeshEvents } from '../../app/client/mesh.ts';
import type { ServerMessage } from '../../app/protocol/messages.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeRtc, fakeTrack } from './fake-rtc.ts';
import { FakeServer, peer } from './fake-server.ts';
import { end } from './link-pair.ts';

const [burst, interval] = connectionLimit;
const offer = (link: number) => ({ link, description: { type: 'offer', sdp: `a=ice-ufrag:${link}\r\n` } });
const live = ({ made }: FakeRtc) => made.filter(({ connectionState }) => connectionState !== 'closed').length;

const enter = () => {
  const [clock, server, rtc] = [new FakeClock(), new FakeServer(), new FakeRtc('me')];
  const connection = new Connection({ url: 'ws://host', join: {}, open: server.open, clock });
  const emitter = new Emitter<MeshEvents>();
  const video = fakeTrack('video');
  const mesh = new Mesh(connection, { emitter, tracks: { audio: null, video }, rtc, clock });
  server.admit({ peers: ['a', 'b', 'c'].map((id) => peer(id)), seq: 1 });
  for (const pc of rtc.made) pc.become('connected');
  let seq = 1;
  const say = (event: object) => server.latest.say({ ...event, seq: ++seq } as ServerMessage);
  const joins = (id: string) => say({ type: 'peer-joined', peer: peer(id, { initiator: false }) });
  const offers = (id: string) => say({ type: 'signal', from: id, epoch: 1, data: offer(1) });
  const leaves = (id: string) => say({ type: 'peer-left', peer: id, reason: 'left' });
  const renewals = () => server.latest.sent.filter((one) => 'data' in one && Object(one.data).renew === true);
  let strangers = 0;
  /** Ten a second, each of whom starts a connection and leaves. */
  const churn = async (seconds: number) => {
    for (const end = clock.now + 1_000 * seconds; clock.now < end; await clock.pass(100)) {
      const id = `stranger${++strangers}`;
      joins(id);
      offers(id);
      leaves(id);
    }
  };
  return { clock, server, rtc, connection, mesh, joins, offers, leaves, renewals, churn };
};

it('strangers who join and leave all the time end neither the connection to the server nor links, and cost few connections', async () => {
  const { clock, server, rtc, connection, churn } = enter();
  const parameters = rtc.made.map((pc) => vi.spyOn(pc.sender('video') ?? expect.fail(), 'setParameters'));
  await churn(60);
  expect([connection.state.state, server.sockets.length]).toEqual(['joined', 1]);
  expect(rtc.made.length).toBeLessThanOrEqual(burst + clock.now / interval);
  expect(live(rtc)).toBe(3);
  // The number of peers went from three to four and back 600 times, and each change could cost a key frame.
  for (const { mock } of parameters) expect(mock.calls).toHaveLength(1);
});

it('peers that have left get no connection, and those who stay get theirs in order', async () => {
  const { clock, rtc, mesh, server, joins, offers, leaves, renewals } = enter();
  const ids = Array.from({ length: burst }, (_, nth) => `p${nth}`);
  for (const id of ids.slice(3)) {
    joins(id);
    offers(id);
    leaves(id);
  }
  expect(rtc.made).toHaveLength(burst);
  for (const id of ids.slice(0, 20)) {
    joins(id);
    offers(id);
  }
  for (const id of ids.slice(0, 19)) leaves(id);
  joins('last');
  offers('last');
  expect(rtc.made).toHaveLength(burst);
  await clock.pass(interval);
  expect(renewals()).toMatchObject([{ to: 'p19', data: { link: 1 } }]);
  server.latest.say({ type: 'signal', seq: 1_000, from: 'p19', epoch: 1, data: offer(2) });
  expect(rtc.made).toHaveLength(burst + 1);
  await clock.pass(interval);
  expect(renewals()).toMatchObject([{ to: 'p19' }, { to: 'last' }]);
  server.latest.say({ type: 'signal', seq: 1_001, from: 'last', epoch: 1, data: offer(2) });
  expect(rtc.made).toHaveLength(burst + 2);
  expect(mesh.peers.slice(3).map(({ id }) => id)).toEqual(['p19', 'last']);
  await clock.pass(1_000);
  expect(renewals()).toHaveLength(2);
});

it('strangers do not keep a newcomer from its connection, whichever side offers', async () => {
  const { rtc, mesh, server, clock, joins, offers, churn } = enter();
  await churn(60);
  joins('ada');
  offers('ada');
  server.latest.say({ type: 'peer-joined', seq: 10_000, peer: peer('bob') });
  const made = rtc.made.length;
  await clock.pass(3 * interval);
  server.latest.say({ type: 'signal', seq: 10_001, from: 'ada', epoch: 1, data: offer(2) });
  expect(rtc.made.length).toBe(made + 2);
  mesh.close();
});

describe('a renewal that waits for its connection', () => {
  /** An initiator whose first connection was slow, so that its renewal waits behind strangers. */
  const waiting = async () => {
    const clock = new FakeClock();
    const queue = new ConnectionQueue(clock);
    const { link, rtc } = end(true, clock, undefined, queue);
    await settled();
    for (let nth = 0; nth < burst + 50; nth += 1) queue.take({}, () => {});
    await clock.pass(usualLinkTiming.connect);
    expect([link.state, rtc.made.length]).toEqual(['connecting', 1]);
    return { clock, link, rtc };
  };

  it('is not done if the link has connected meanwhile', async () => {
    const { clock, link, rtc } = await waiting();
    rtc.latest.become('connected');
    await clock.pass(60_000);
    expect([link.state, rtc.made.length]).toEqual(['connected', 1]);
  });

  it('is done if the link has not connected', async () => {
    const { clock, rtc } = await waiting();
    await clock.pass(3_000);
    expect(rtc.made).toHaveLength(2);
  });

  it('is done if the peer has requested it since the link connected', async () => {
    const { clock, link, rtc } = await waiting();
    rtc.latest.become('connected');
    link.receive({ link: 1, renew: true });
    expect(rtc.made).toHaveLength(1);
    await clock.pass(3_000);
    expect(rtc.made).toHaveLength(2);
  });
});

it('a peer spends its connections only on those that are made, however long its link waits', async () => {
  const clock = new FakeClock();
  const queue = new ConnectionQueue(clock);
  for (let nth = 0; nth < burst + 400; nth += 1) queue.take({}, () => {});
  const { link, rtc } = end(true, clock, undefined, queue);
  for (let nth = 0; nth < 8; nth += 1) {
    await clock.pass(10_000);
    link.retry();
  }
  expect(rtc.made).toHaveLength(0);
  await clock.pass(30_000);
  expect(rtc.made).toHaveLength(1);
  for (let renewal = 1; renewal < 20; renewal += 1) {
    await settled();
    link.receive({ link: renewal, renew: true });
  }
  expect(rtc.made).toHaveLength(rateLimits.connection[0]);
});

it('a peer that may make no more connections takes none from the others', async () => {
  const clock = new FakeClock();
  const queue = new ConnectionQueue(clock);
  const { link, rtc } = end(true, clock, undefined, queue);
  for (let renewal = 1; renewal < 200; renewal += 1) {
    await settled();
    link.receive({ link: Math.min(renewal, rateLimits.connection[0]), renew: true });
  }
  expect(rtc.made).toHaveLength(rateLimits.connection[0]);
  const taken = Array.from({ length: burst }, () => queue.take({}, () => {})).filter(Boolean);
  expect(taken).toHaveLength(burst - rateLimits.connection[0]);
});

it('the limit is that of the README', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../app/client/README.md'), 'utf8');
  expect(readme).toContain(`| ${burst} | then one every ${interval} ms, in order;`);
});
