import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { rateLimits } from '../../app/client/allowance.ts';
import { type JoinOptions, join, type Room, type RoomEvents, type RoomState } from '../../app/client/room.ts';
import type { Peer } from '../../app/protocol/messages.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeRtc, fakeTrack } from './fake-rtc.ts';
import { FakeServer, joined, peer } from './fake-server.ts';

const camera = { getAudioTracks: () => [fakeTrack('audio')], getVideoTracks: () => [fakeTrack('video')] };

const enter = (peers: Peer[] = [], options: Partial<JoinOptions> = {}, self: 'host' | 'guest' = 'guest') => {
  const [clock, server, rtc] = [new FakeClock(), new FakeServer(), new FakeRtc('me')];
  const media = camera as unknown as MediaStream;
  const inPlaceOf = { open: server.open, rtc, clock };
  const room = join({ base: 'https://host/below/', room: 'garden', media, inPlaceOf, ...options });
  const emitted: unknown[] = [];
  const record = <Name extends keyof RoomEvents>(name: Name) => room.on(name, (value) => emitted.push([name, value]));
  server.admit({ peers, self: { ...joined().self, role: self } });
  return { clock, server, rtc, room, emitted, record };
};
type Entered = ReturnType<typeof enter>;

/** Connection and data channel of every peer are open. */
const connect = async ({ rtc }: Entered) => {
  await settled();
  for (const pc of rtc.made) {
    pc.become('connected');
    pc.channel?.open();
  }
};

describe('joining', () => {
  it('opens the URL of the room below the base, and sends name, media, token and session', () => {
    const { server } = enter([], { room: 'e\u0301 玄', name: 'Ada', session: 'of before', passcode: '', token: 'x' });
    expect(server.latest.url).toBe('wss://host/below/rooms/%C3%A9%20%E7%8E%84/ws');
    expect(server.latest.sent).toEqual([
      { type: 'join', media: { audio: true, video: true }, name: 'Ada', token: 'x', session: 'of before' },
    ]);
  });
});

describe('room-state', () => {
  const waiting = [{ id: 'w', name: 'Wen', away: false }];

  it('is that of joined, and follows the events of the room', () => {
    const all = enter([], {}, 'host');
    const { server, room } = all;
    const seen: (RoomState | undefined)[] = [room.roomState];
    room.on('room-state', (roomState) => seen.push(roomState));
    server.latest.say({ type: 'lobby', seq: 1, waiting });
    server.latest.say({ type: 'room-updated', seq: 2, access: 'knock' });
    server.latest.say({ type: 'room-updated', seq: 3, passcode: true });
    server.latest.say({ type: 'peer-updated', seq: 4, peer: 'someone', role: 'host' });
    server.latest.say({ type: 'peer-updated', seq: 5, peer: 'me', role: 'guest' });
    expect(seen).toMatchObject([
      { self: { id: 'me', role: 'host' }, room: { access: 'open', passcode: false }, waiting: [] },
      { waiting },
      { room: { access: 'knock', passcode: false }, waiting },
      { room: { access: 'knock', passcode: true }, waiting },
      { self: { role: 'guest' }, room: { access: 'knock', passcode: true }, waiting: [] },
    ]);
    expect(room.roomState).toBe(seen.at(-1));
  });

  it('is replaced by that of a new session', async () => {
    const { server, room, clock } = enter();
    server.latest.drop(1006);
    await clock.pass(1_000);
    server.admit({ room: { access: 'locked', passcode: true }, waiting, self: { ...joined().self, role: 'host' } });
    expect(room.roomState).toMatchObject({ self: { role: 'host' }, room: { access: 'locked' }, waiting });
  });
});

it.each<[string, (room: Room) => unknown, object]>([
  ['admit', (room) => room.admit('w'), { peer: 'w' }],
  ['deny', (room) => room.deny('w'), { peer: 'w' }],
  ['lock', (room) => room.lock('knock'), { access: 'knock' }],
  ['passcode', (room) => room.setPasscode('sesame'), { passcode: 'sesame' }],
  ['passcode', (room) => room.setPasscode(null), { passcode: null }],
  ['role', (room) => room.setRole('a', 'host'), { peer: 'a', role: 'host' }],
  ['kick', (room) => room.kick('a', true), { peer: 'a', ban: true, network: false }],
  ['mute-request', (room) => room.requestMute('a', 'video'), { peer: 'a', kind: 'video' }],
  ['end', (room) => room.end(), {}],
  ['update', (room) => room.update({ hand: true }), { hand: true }],
])('%s is sent and settled', async (type, say, fields) => {
  const { server, room } = enter();
  const settlement = say(room);
  expect(server.latest.sent.at(-1)).toEqual({ type, n: 1, ...fields });
  server.latest.say({ type: 'ack', n: 1 });
  expect(await settlement).toEqual({ accepted: true });
});

it('a lowered hand is not raised again by a later join', async () => {
  const { server, room, clock } = enter();
  void room.update({ hand: true, name: 'Ada' });
  server.latest.say({ type: 'ack', n: 1 });
  server.latest.drop(1006);
  await clock.pass(1_000);
  server.latest.accept();
  expect(server.latest.sent[0]).toMatchObject({ type: 'join', name: 'Ada' });
  expect(server.latest.sent[0]).not.toHaveProperty('hand');
});

it('chat messages are limited per sender, private and public ones together, and others are not affected', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => now.mockRestore());
  const { server, room } = enter();
  const from: string[] = [];
  room.on('chat', (chat) => from.push(chat.from));
  let seq = 0;
  const say = (sender: string, count: number) => {
    for (let index = 0; index < count; index += 1) {
      seq += 1;
      server.latest.say({ type: 'chat', seq, from: sender, text: 'x', at: 1, ...(index % 2 ? { to: 'me' } : {}) });
    }
    return from.splice(0).length;
  };
  expect(say('hostile', 1_000)).toBe(rateLimits.chat[0]);
  expect(say('honest', 10)).toBe(10);
  now.mockReturnValue(1_000);
  expect(say('hostile', 1_000)).toBe(1_000 / rateLimits.chat[1]);
});

it('mute requests, chat and refusals are emitted', () => {
  const all = enter();
  for (const name of ['mute-request', 'chat', 'refused'] as const) all.record(name);
  all.server.latest.say({ type: 'mute-request', seq: 1, from: 'a', kind: 'audio' });
  all.server.latest.say({ type: 'chat', seq: 2, from: 'a', text: 'hello', at: 7 });
  all.server.latest.say({ type: 'error', code: 'not-allowed', message: 'no' });
  expect(all.emitted).toMatchObject([
    ['mute-request', { from: 'a', kind: 'audio' }],
    ['chat', { from: 'a', text: 'hello', at: 7 }],
    ['refused', { code: 'not-allowed', message: 'no' }],
  ]);
});

describe('reactions', () => {
  it('go to every peer whose channel is open, without the server', async () => {
    const all = enter([peer('a'), peer('b')]);
    await settled();
    all.rtc.made[0]?.channel?.open();
    const before = all.server.latest.sent.length;
    expect(all.room.react('👏')).toBe(true);
    expect(all.rtc.made.map((pc) => pc.channel?.sent)).toEqual([['{"reaction":"👏"}'], []]);
    expect(all.server.latest.sent).toHaveLength(before);
  });

  it('have 1 to 64 characters, and are limited in rate', async () => {
    const all = enter([peer('a')]);
    await connect(all);
    for (const text of ['', 'x'.repeat(65)]) expect(() => all.room.react(text)).toThrow(RangeError);
    const sent = Array.from({ length: 20 }, () => all.room.react('x'));
    expect(sent.filter(Boolean)).toHaveLength(8);
  });

  it('of others are emitted, except malformed ones and a flood', async () => {
    const all = enter([peer('a'), peer('b')]);
    all.record('reaction');
    await connect(all);
    const [a, b] = all.rtc.made.map(({ channel }) => channel);
    for (const data of ['{"reaction":7}', '{"reaction":""}', '{', 'null', `{"reaction":"${'x'.repeat(65)}"}`])
      a?.onmessage?.({ data });
    expect(all.emitted).toEqual([]);
    for (let count = 0; count < 50; count++) a?.onmessage?.({ data: '{"reaction":"x"}' });
    b?.onmessage?.({ data: '{"reaction":"y"}' });
    expect(all.emitted.filter((one) => JSON.stringify(one).includes('"a"'))).toHaveLength(8);
    expect(all.emitted.at(-1)).toEqual(['reaction', { from: 'b', text: 'y' }]);
  });
});

describe('the paths to other peers', () => {
  const look = { statsInterval: 1_000 };

  it('are sampled every few seconds; a new level updates the peer', async () => {
    const all = enter([peer('a')], { timing: look });
    all.record('quality');
    all.record('peer-updated');
    await connect(all);
    all.emitted.length = 0;
    const { statistics: stats } = all.rtc.latest;
    const pass = async (change: Partial<typeof stats>) => {
      stats.at += 1_000;
      stats.bytes += 12_500;
      stats.arrived += 100;
      Object.assign(stats, change);
      await all.clock.pass(1_000);
    };
    await pass({});
    expect(all.emitted).toEqual([]);
    await pass({});
    const quality = { level: 'good', rtt: 50, bitrateOut: 100_000, bitrateIn: 200_000, relayed: false };
    expect(all.emitted[0]).toMatchObject(['quality', { peer: 'a', quality }]);
    expect(all.room.peers[0]?.quality).toMatchObject(quality);
    all.emitted.length = 0;
    await pass({ rtt: 1 });
    await pass({ rtt: 1 });
    const levels = () =>
      all.emitted.map((one) => {
        const [name, value] = one as ['quality' | 'peer-updated', { quality: { level: string } }];
        return `${name} ${value.quality.level}`;
      });
    expect(levels()).toEqual(['quality good', 'quality poor', 'peer-updated poor']);
  });

  it('are not sampled while there is none', async () => {
    const all = enter([], { timing: look });
    const before = all.clock.pending;
    all.server.latest.say({ type: 'peer-joined', seq: 1, peer: peer('a', { initiator: false }) });
    expect(all.clock.pending).toBeGreaterThan(before);
    all.server.latest.say({ type: 'peer-left', seq: 2, peer: 'a', reason: 'left' });
    await all.clock.pass(2_000);
    expect(all.clock.pending).toBe(before);
  });

  const encodings = ({ rtc }: Entered) => rtc.made.map((pc) => pc.sender('video')?.encoding);

  it('carry less video with every peer that joins, and more when one leaves; audio has priority', async () => {
    const all = enter([peer('a')]);
    await connect(all);
    expect(encodings(all)).toEqual([{ maxBitrate: 1_700_000, scaleResolutionDownBy: 1 }]);
    expect(all.rtc.latest.sender('audio')?.encoding).toEqual({ priority: 'high', networkPriority: 'high' });
    all.server.latest.say({ type: 'peer-joined', seq: 1, peer: peer('b') });
    expect(encodings(all)[0]).toMatchObject({ maxBitrate: 900_000, scaleResolutionDownBy: 720 / 540 });
    await connect(all);
    expect(encodings(all)[1]).toEqual(encodings(all)[0]);
    all.server.latest.say({ type: 'peer-left', seq: 2, peer: 'b', reason: 'left' });
    await all.clock.pass(2_000);
    expect(encodings(all)[0]).toMatchObject({ maxBitrate: 1_700_000 });
  });

  it('carry less video where the path loses packets, and only there', async () => {
    const all = enter([peer('a'), peer('b')], { timing: look });
    await connect(all);
    const [bad, good] = all.rtc.made;
    for (let count = 1; count <= 3; count++) {
      for (const pc of [bad, good]) if (pc) Object.assign(pc.statistics, { at: count * 1_000, arrived: count * 100 });
      if (bad) bad.statistics.lossOut = 0.3;
      await all.clock.pass(1_000);
    }
    expect(encodings(all).map((encoding) => encoding?.maxBitrate)).toEqual([500_000, 900_000]);
  });

  it('restart ICE at once on another network, and working ones are not replaced', async () => {
    const all = enter([peer('a'), peer('b')]);
    await connect(all);
    const [works, broken] = all.rtc.made;
    broken?.become('disconnected');
    all.room.networkChanged();
    expect([works?.restarts, broken?.restarts]).toEqual([1, 1]);
    expect(all.server.latest.sent.at(-1)).toEqual({ type: 'ping' });
    all.server.latest.say({ type: 'pong' });
    expect(all.room.peers.map(({ connectionState: link }) => link)).toEqual(['connected', 'reconnecting']);
  });
});

it('another camera, or a screen, replaces the track and its media state is sent', async () => {
  const all = enter([peer('a')]);
  await connect(all);
  const { offers } = all.rtc.latest;
  const screen = Object.assign(fakeTrack('video', 'screen'), {
    getSettings: () => ({ width: 2560, height: 1440, displaySurface: 'monitor' }),
  });
  all.room.setMedia({ getAudioTracks: () => [], getVideoTracks: () => [screen] } as unknown as MediaStream);
  await settled();
  expect([all.rtc.latest.sends('video'), all.rtc.latest.sends('audio'), all.rtc.latest.offers]).toEqual([
    screen,
    null,
    offers,
  ]);
  expect(all.rtc.latest.sender('video')?.encoding).toMatchObject({ scaleResolutionDownBy: 1 });
  expect(all.server.latest.sent.at(-1)).toMatchObject({ type: 'update', media: { audio: false, video: true } });
});

it('after leave() no connection, channel, timer or handler is left', async () => {
  const all = enter([peer('a'), peer('b', { initiator: false })]);
  await connect(all);
  all.rtc.latest.become('disconnected');
  all.room.leave();
  await settled();
  expect(all.clock.pending).toBe(0);
  expect(all.server.sockets.every(({ closed }) => closed)).toBe(true);
  for (const pc of all.rtc.made) {
    expect([pc.connectionState, pc.channel?.readyState]).toEqual(['closed', 'closed']);
    expect([pc.onicecandidate, pc.onnegotiationneeded, pc.ontrack, pc.onconnectionstatechange]).toEqual(
      Array(4).fill(null),
    );
    const { onopen, onmessage, onclose, onbufferedamountlow } = pc.channel ?? {};
    expect([onopen, onmessage, onclose, onbufferedamountlow]).toEqual(Array(4).fill(null));
  }
  expect(all.room.peers).toEqual([]);
  expect(all.room.react('x')).toBe(true);
});
