import { describe, expect, it } from 'vitest';
import { Connection } from '../../app/client/connection.ts';
import { Emitter } from '../../app/client/events.ts';
import { Mesh, type MeshEvents, type MeshOptions } from '../../app/client/mesh.ts';
import type { Peer } from '../../app/protocol/messages.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeRtc, fakeTrack } from './fake-rtc.ts';
import { FakeServer, peer } from './fake-server.ts';

const room = (peers: Peer[], options: Partial<MeshOptions> = {}) => {
  const [clock, server, rtc] = [new FakeClock(), new FakeServer(), new FakeRtc('me')];
  const connection = new Connection({ url: 'ws://host', join: {}, open: server.open, clock });
  const emitter = new Emitter<MeshEvents>();
  const mesh = new Mesh(connection, { emitter, tracks: { audio: null, video: null }, rtc, clock, ...options });
  const emitted: string[] = [];
  emitter.on('peer-joined', ({ id }) => emitted.push(`+${id}`));
  emitter.on('peer-updated', ({ id }) => emitted.push(`~${id}`));
  emitter.on('peer-left', ({ peer: { id }, reason }) => emitted.push(`-${id} ${reason}`));
  server.admit({ peers, seq: 10, ice: [{ urls: ['stun:one'] }] });
  const sent = () => server.latest.sent.filter((message) => message.type === 'signal');
  return { clock, server, rtc, connection, mesh, emitted, sent };
};

describe('the peers of the room', () => {
  it('each get a link; an offer is sent only where this side is the initiator', async () => {
    const { mesh, rtc, emitted, sent } = room([peer('a'), peer('b', { initiator: false, polite: false, epoch: 4 })]);
    await settled();
    expect(emitted).toEqual(['+a', '+b']);
    expect(mesh.peers.map(({ id, connectionState: link }) => [id, link])).toEqual([
      ['a', 'connecting'],
      ['b', 'connecting'],
    ]);
    expect(rtc.made).toHaveLength(1);
    expect(rtc.latest.configuration.iceServers).toEqual([{ urls: ['stun:one'] }]);
    expect(sent().map(({ to, epoch }) => [to, epoch])).toEqual([
      ['a', 1],
      ['a', 1],
    ]);
  });

  it('follow events about names, media, absence and leaving', () => {
    const { mesh, server, emitted, rtc } = room([peer('a')]);
    const media = { audio: false, video: true };
    server.latest.say({ type: 'peer-updated', seq: 11, peer: 'a', name: 'Ada', media });
    server.latest.say({ type: 'peer-away', seq: 12, peer: 'a' });
    expect(mesh.peers[0]).toMatchObject({ name: 'Ada', media, away: true });
    server.latest.say({ type: 'peer-back', seq: 13, peer: 'a' });
    expect(mesh.peers[0]).toMatchObject({ away: false });
    server.latest.say({ type: 'peer-left', seq: 14, peer: 'a', reason: 'timeout' });
    expect(mesh.peers).toEqual([]);
    expect(emitted.at(-1)).toBe('-a timeout');
    expect(rtc.latest.connectionState).toBe('closed');
  });

  it('a known peer that rejoins gets a new link at the same position', () => {
    const { mesh, server, emitted, rtc } = room([peer('a')]);
    server.latest.say({ type: 'peer-joined', seq: 11, peer: peer('a', { epoch: 1 }) });
    expect(rtc.made).toHaveLength(1);
    server.latest.say({ type: 'peer-joined', seq: 12, peer: peer('a', { epoch: 2, initiator: false }) });
    expect(rtc.made[0]?.connectionState).toBe('closed');
    expect(emitted).toEqual(['+a', '~a']);
    expect(mesh.peers).toHaveLength(1);
  });

  it('a new session drops every link and starts from the new list', async () => {
    const { mesh, server, emitted, rtc, clock } = room([peer('a'), peer('b')]);
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit({ peers: [peer('b', { epoch: 2 }), peer('c')], seq: 1 });
    expect(rtc.made.map(({ connectionState }) => connectionState)).toEqual(['closed', 'closed', 'new', 'new']);
    expect(mesh.peers.map(({ id }) => id)).toEqual(['b', 'c']);
    expect(emitted.slice(2)).toEqual(['-a left', '~b', '+c']);
  });

  it('a room that is lost and fills again keeps links that work', async () => {
    const { mesh, server, emitted, rtc, clock, sent } = room([peer('a'), peer('b'), peer('c', { initiator: false })]);
    await settled();
    for (const pc of rtc.made) pc.signalingState = 'stable';
    for (const pc of rtc.made) pc.become('connected');
    if (rtc.made[0]) rtc.made[0].selected = 'relay';
    emitted.length = 0;
    server.latest.drop(1006);
    await clock.pass(1_000);
    // One of the two that were connected is present already.
    server.admit({ peers: [peer('b', { epoch: 1002 }), peer('c', { epoch: 1002 })], seq: 2 });
    expect(mesh.peers.map(({ id, away, connectionState: link }) => [id, away, link])).toEqual([
      ['a', true, 'connected'],
      ['b', false, 'connected'],
      ['c', false, 'connecting'],
    ]);
    await settled();
    expect(sent()[0]).toMatchObject({ to: 'b', epoch: 1002, data: { link: 1, keep: true } });
    expect(rtc.made[0]?.restarts).toBe(0);
    server.latest.say({ type: 'peer-joined', seq: 3, peer: peer('a', { epoch: 1003, initiator: false }) });
    server.latest.say({ type: 'signal', seq: 4, from: 'a', epoch: 1003, data: { link: 1, keep: true } });
    await clock.pass(60_000);
    // A relayed link restarts ICE with the new servers.
    expect(rtc.made.slice(0, 2).map(({ connectionState, restarts }) => [connectionState, restarts])).toEqual([
      ['connected', 1],
      ['connected', 0],
    ]);
    expect(mesh.peers.map(({ id, away }) => [id, away])).toContainEqual(['a', false]);
    expect(emitted.filter((text) => !text.startsWith('~'))).toEqual([]);
  });

  it('a peer missing from the new room when grace ends, or whose link fails before, has left', async () => {
    const { mesh, server, emitted, rtc, clock, sent } = room([peer('a'), peer('b')]);
    await settled();
    for (const pc of rtc.made) pc.signalingState = 'stable';
    for (const pc of rtc.made) pc.become('connected');
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit({ seq: 1, grace: 30_000 });
    const before = sent().length;
    rtc.made[1]?.become('disconnected');
    await clock.pass(29_000);
    expect(mesh.peers.map(({ id, away }) => [id, away])).toEqual([['a', true]]);
    await clock.pass(1_001);
    expect(mesh.peers).toEqual([]);
    expect(emitted.filter((text) => text.startsWith('-'))).toEqual(['-b left', '-a timeout']);
    expect(sent()).toHaveLength(before);
  });

  it('a new id of our own starts new links with every peer', async () => {
    const { mesh, server, emitted, rtc, clock } = room([peer('a'), peer('b')]);
    await settled();
    for (const pc of rtc.made) pc.signalingState = 'stable';
    for (const pc of rtc.made) pc.become('connected');
    const self = { id: 'other', role: 'guest', media: { audio: false, video: false }, hand: false } as const;
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit({ self, peers: [peer('b', { epoch: 2 })], seq: 1 });
    expect(rtc.made.map(({ connectionState }) => connectionState)).toEqual(['closed', 'closed', 'new']);
    expect(mesh.peers.map(({ id, connectionState: link }) => [id, link])).toEqual([['b', 'connecting']]);
    expect(emitted.slice(-2)).toEqual(['-a left', '~b']);
  });

  it('a resumed session keeps every link and restarts ICE of broken ones with the new servers', async () => {
    const { server, rtc, clock } = room([peer('a'), peer('b')]);
    rtc.made[0]?.become('connected');
    rtc.made[1]?.become('connected');
    rtc.made[1]?.become('disconnected');
    server.latest.drop(1006);
    await clock.pass(400);
    server.admit({ recovered: true, ice: [{ urls: ['stun:two'] }] });
    expect(rtc.made.map(({ restarts }) => restarts)).toEqual([0, 1]);
    expect(rtc.made[1]?.configuration.iceServers).toEqual([{ urls: ['stun:two'] }]);
    expect(rtc.made).toHaveLength(2);
  });
});

describe('new servers', () => {
  const ice = [{ urls: ['turn:two'], username: 'u', credential: 'c' }];

  it('go to every link, present and future; relayed or broken links restart ICE', async () => {
    const { server, rtc } = room([peer('direct'), peer('relayed'), peer('broken')]);
    const [direct, relayed, broken] = rtc.made;
    for (const pc of rtc.made) pc.become('connected');
    if (relayed) relayed.selected = 'relay';
    broken?.become('disconnected');
    server.latest.say({ type: 'ice', ice });
    server.latest.say({ type: 'peer-joined', seq: 11, peer: peer('later') });
    await settled();
    expect(rtc.made.map(({ configuration }) => configuration.iceServers)).toEqual([ice, ice, ice, ice]);
    expect([direct, relayed, broken].map((pc) => pc?.restarts)).toEqual([0, 1, 1]);
  });

  it('make a failed link retry', async () => {
    const { server, rtc, clock, mesh } = room([peer('a')], { timing: { tries: 0 } });
    await clock.pass(10_000);
    expect(mesh.peers).toMatchObject([{ connectionState: 'failed' }]);
    server.latest.say({ type: 'ice', ice });
    expect(rtc.made.length).toBe(2);
    expect(rtc.latest.configuration.iceServers).toEqual(ice);
  });

  it('keep the requested ICE transport policy', () => {
    const { server, rtc } = room([peer('a')], { iceTransportPolicy: 'relay' });
    server.latest.say({ type: 'ice', ice });
    expect(rtc.latest.configuration).toMatchObject({ iceServers: ice, iceTransportPolicy: 'relay' });
  });
});

describe('signals', () => {
  const offer = { link: 1, description: { type: 'offer', sdp: 'theirs' } };

  it('of the current epoch of the pair are answered', async () => {
    const { server, sent } = room([peer('a', { initiator: false, epoch: 3 })]);
    server.latest.say({ type: 'signal', seq: 11, from: 'a', epoch: 3, data: offer });
    await settled();
    expect(sent()[0]).toMatchObject({ to: 'a', epoch: 3, data: { link: 1, description: { type: 'answer' } } });
  });

  it.each([
    ['an older epoch', 'a', 2],
    ['a future epoch', 'a', 4],
    ['an unknown peer', 'nobody', 3],
  ])('of %s are ignored', async (_, from, epoch) => {
    const { server, sent, rtc } = room([peer('a', { initiator: false, epoch: 3 })]);
    server.latest.say({ type: 'signal', seq: 11, from, epoch, data: offer });
    await settled();
    expect(sent()).toEqual([]);
    expect(rtc.made).toHaveLength(0);
  });
});

it('new tracks go to every peer, present and future', async () => {
  const { mesh, server, rtc } = room([peer('a')]);
  const camera = fakeTrack('video');
  mesh.setTracks({ audio: null, video: camera });
  server.latest.say({ type: 'peer-joined', seq: 11, peer: peer('b') });
  await settled();
  expect(rtc.made.map((pc) => pc.sends('video'))).toEqual([camera, camera]);
});

it('close() closes every link and removes all listeners', () => {
  const { mesh, server, rtc, connection, clock } = room([peer('a'), peer('b')]);
  mesh.close();
  server.latest.say({ type: 'peer-joined', seq: 11, peer: peer('c') });
  expect(mesh.peers).toEqual([]);
  expect(rtc.made.every(({ connectionState }) => connectionState === 'closed')).toBe(true);
  connection.leave();
  expect(clock.pending).toBe(0);
});
