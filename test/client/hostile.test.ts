/** The cost of one hostile peer for a page: each limit of app/client/README.md, and that honest peers stay below them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Allowance, ChatAllowance, chatLimit, floodLimit, rateLimits } from '../../app/client/allowance.ts';
import { Channel, read } from '../../app/client/channel.ts';
import { Connection } from '../../app/client/connection.ts';
import { Emitter } from '../../app/client/events.ts';
import { bounds, readSignal } from '../../app/client/link-signal.ts';
import { Mesh, type MeshEvents } from '../../app/client/mesh.ts';
import { mediaBounds } from '../../app/client/remote-media.ts';
import { limitSdp, payloadBounds, sdpBounds } from '../../app/client/remote-sdp.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeChannel, FakePc, FakeRtc } from './fake-rtc.ts';
import { FakeServer, peer } from './fake-server.ts';
import { end, newer, pair } from './link-pair.ts';

const time = { now: 0 };
beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => time.now);
});
afterEach(() => vi.restoreAllMocks());

const offer = (link: number, sdp = `a=ice-ufrag:${link}\r\n`) => ({ link, description: { type: 'offer', sdp } });
const candidateLine = (index: number) => `a=candidate:${index} 1 udp 1 192.0.2.1 ${index} typ host\r\n`;
const candidateLines = (count: number) => Array.from({ length: count }, (_, index) => candidateLine(index)).join('');
const live = ({ made }: FakeRtc) => made.filter(({ connectionState }) => connectionState !== 'closed').length;

type Media = { size?: { width: number; height: number }; stats?: object[] };
const received = (frameWidth: number, frameHeight: number) => ({ type: 'inbound-rtp', frameWidth, frameHeight });
const remotes = (count: number) => Array.from({ length: count }, () => ({ type: 'remote-candidate' }));

describe('new connections', () => {
  it('are created only for the next generation, and a limited number a minute', async () => {
    const { rtc, link } = end(false, new FakeClock());
    link.receive(offer(2));
    expect(rtc.made).toHaveLength(0);
    for (let generation = 1; generation <= 380; generation += 1) link.receive(offer(generation));
    await settled();
    expect([rtc.made.length, live(rtc)]).toEqual([rateLimits.connection[0], 0]);
    time.now += 60_000;
    for (let generation = 381; generation <= 500; generation += 1) link.receive(offer(generation));
    expect(rtc.made).toHaveLength(rateLimits.connection[0] + 60_000 / rateLimits.connection[1]);
  });

  it('that are refused are requested later, and then created', async () => {
    const { a, b, clock, connect, deliver } = pair();
    await connect();
    for (let index = 0; index < 20; index += 1) {
      a.link.receive({ link: index + 1, renew: true });
      await deliver();
    }
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([rateLimits.connection[0], rateLimits.connection[0]]);
    time.now += 60_000;
    await clock.pass(15_000);
    await deliver();
    a.rtc.latest.become('connected');
    b.rtc.latest.become('connected');
    expect([a.link.state, b.link.state]).toEqual(['connected', 'connected']);
    expect([...a.troubles, ...b.troubles]).toEqual([]);
  });

  it('that the browser refuses are retried until both sides connect', async () => {
    const refuse = vi.spyOn(FakeRtc.prototype, 'connection').mockImplementation(() => {
      throw new Error('Cannot create so many PeerConnections');
    });
    const { a, b, clock, connect } = pair();
    await clock.pass(10_000);
    expect([a.troubles.length, a.link.state, b.link.state]).toEqual([2, 'connecting', 'connecting']);
    refuse.mockRestore();
    await clock.pass(15_000);
    await connect();
    expect([a.link.state, b.link.state]).toEqual(['connected', 'connected']);
  });

  it('that fail as soon as they connect are not replaced without limit', async () => {
    const { a, clock } = pair();
    for (let index = 0; index < 100; index += 1) {
      a.rtc.latest.become('connected');
      a.rtc.latest.become('failed');
    }
    await settled();
    expect([a.rtc.made.length, live(a.rtc), a.link.state]).toEqual([rateLimits.connection[0], 1, 'reconnecting']);
    time.now += 60_000;
    await clock.pass(20_000);
    expect(a.rtc.made).toHaveLength(rateLimits.connection[0] + 1);
  });

  it.each([
    ['a picture of more than 16 megapixels', true, { size: { width: 4_097, height: 4_096 } }],
    ['the same picture, known from the statistics', true, { stats: [received(4_097, 4_096)] }],
    ['addresses beyond those of signals', true, { stats: remotes(mediaBounds.candidates + 1) }],
    ['a picture of a large screen', false, { size: { width: 5_120, height: 2_880 }, stats: [received(5_120, 2_880)] }],
    ['many addresses', false, { stats: remotes(mediaBounds.candidates) }],
  ])('to a peer that sends %s end for good: %s', async (_, ends, { size, stats = [] }: Media) => {
    const { a, clock, connect } = pair();
    await connect();
    const track = a.rtc.latest.transceivers.find(({ receiver }) => receiver.track.kind === 'video')?.receiver.track;
    if (size && track) track.getSettings = () => size;
    a.rtc.latest.getStats = async () => new Map(stats.map((each, index) => [`${index}`, each]));
    await a.link.stats();
    await clock.pass(300);
    expect([a.troubles.length, live(a.rtc)]).toEqual(ends ? [1, 0] : [0, 1]);
    time.now += 600_000;
    await clock.pass(600_000);
    a.link.retry();
    await clock.pass(600_000);
    expect([a.link.state, a.rtc.made.length]).toEqual([ends ? 'failed' : 'connected', 1]);
  });

  it('survive every failure in the browser', async () => {
    const { a, connect } = pair();
    await connect();
    const methods = ['setConfiguration', 'restartIce', 'getStats', 'setRemoteDescription', 'addIceCandidate'];
    for (const method of [...methods, 'setLocalDescription'])
      Object.assign(a.rtc.latest, {
        [method]: () => {
          throw new Error(method);
        },
      });
    Object.assign(a.rtc.latest.sender('video') ?? {}, {
      replaceTrack: () => {
        throw new Error('replaceTrack');
      },
    });
    a.link.setIce(newer);
    a.link.networkChanged();
    a.link.setTracks({ audio: null, video: null });
    a.link.receive(offer(1));
    a.link.receive({ link: 1, restart: true });
    a.rtc.latest.renegotiate();
    await settled();
    const messages = a.troubles.map((error) => (error instanceof Error ? error.message : ''));
    expect(new Set(messages)).toEqual(
      new Set([
        'setConfiguration',
        'getStats',
        'restartIce',
        'replaceTrack',
        'setRemoteDescription',
        'setLocalDescription',
      ]),
    );
  });

  it.each(['addTransceiver', 'createDataChannel'] as const)(
    'survive that %s throws while one is created',
    async (method) => {
      const fails = vi.spyOn(FakePc.prototype, method).mockImplementation(() => {
        throw new Error(method);
      });
      const { a, clock, connect } = pair();
      await settled();
      expect(a.troubles).toEqual([new Error(method)]);
      fails.mockRestore();
      await clock.pass(10_000);
      await connect();
      expect([a.link.state, live(a.rtc)]).toEqual(['connected', 1]);
    },
  );
});

describe('signals', () => {
  it('that are expensive are handled a limited number of times, whatever their content', async () => {
    const { a, b, connect } = pair();
    await connect();
    const [most] = rateLimits.description;
    for (let index = 0; index < 1_000; index += 1) a.link.receive({ link: 1, restart: true });
    // The answer was one too.
    expect(a.rtc.latest.restarts).toBe(most - 1);
    const described = vi.spyOn(b.rtc.latest, 'setRemoteDescription');
    for (let index = 0; index < 1_000; index += 1) b.link.receive(offer(1));
    await settled();
    expect(described.mock.calls.length).toBeLessThanOrEqual(most);
    b.sent.length = 0;
    for (let index = 0; index < 1_000; index += 1) b.link.receive({ link: 9, keep: true });
    expect(b.sent).toEqual([]);
    time.now += 1_000 * rateLimits.description[1];
    for (let index = 0; index < 1_000; index += 1) b.link.receive({ link: 9, keep: true });
    expect(b.sent).toHaveLength(most);
  });

  it.each([
    ['an SDP that is too long', offer(1, ' '.repeat(bounds.sdp + 1))],
    ['too many media sections', offer(1, 'm=audio 9\r\n'.repeat(bounds.sections + 1))],
    ['a rollback', { link: 1, description: { type: 'rollback', sdp: '' } }],
    ['generation 0', offer(0)],
    ['a candidate that is too long', { link: 1, candidate: { candidate: 'x'.repeat(bounds.text + 1) } }],
    ['a candidate that is not a string', { link: 1, candidate: { candidate: {} } }],
    ['an sdpMLineIndex that is not a primitive', { link: 1, candidate: { sdpMLineIndex: { toString: 1 } } }],
    ['an sdpMLineIndex that is not a number', { link: 1, candidate: { candidate: '', sdpMLineIndex: [] } }],
  ])('with %s are ignored', (_, data) => expect(readSignal(data)).toBeUndefined());

  it('create no more media sections than a browser has', () => {
    const full = { link: 3, description: { type: 'answer', sdp: 'm=audio\r\n'.repeat(bounds.sections), x: 1 }, y: 2 };
    const { x: _, ...description } = full.description;
    expect(readSignal(full)).toEqual({ link: 3, description });
    const candidate = { candidate: 'x', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null };
    expect(readSignal({ link: 3, candidate: { ...candidate, foundation: 'x' } })).toEqual({ link: 3, candidate });
    expect(readSignal({ link: 3, candidate: {} })).toEqual({ link: 3, candidate: {} });
  });

  it('have a limited number of candidates for each ICE search, within the SDP and after it', async () => {
    const { rtc, link } = end(false, new FakeClock());
    const { candidates: most } = bounds;
    const trickle = (ufrag: string, count: number) => {
      for (let index = 0; index < count; index += 1)
        link.receive({ link: 1, candidate: { candidate: `candidate:${index}`, usernameFragment: ufrag } });
    };
    link.receive(offer(1, `a=ice-ufrag:one\r\n${candidateLines(40)}a=end\r\n`));
    const described = vi.spyOn(rtc.latest, 'setRemoteDescription');
    await settled();
    trickle('one', 60);
    await settled();
    expect(rtc.latest.candidates).toHaveLength(most - 40);
    link.receive(offer(1, `a=ice-ufrag:two\r\n${candidateLines(600)}a=end\r\n`));
    await settled();
    expect(described.mock.lastCall?.[0].sdp).toBe(`a=ice-ufrag:two\r\n${candidateLines(most)}a=end\r\n`);
    // The limit of candidates for all ICE searches together.
    const left = 20 + rateLimits.candidate[0] - 2 * most;
    time.now += 20 * rateLimits.candidate[1];
    link.receive(offer(1, `a=ice-ufrag:three\r\n${candidateLines(600)}`));
    await settled();
    expect(described.mock.lastCall?.[0].sdp).toBe(`a=ice-ufrag:three\r\n${candidateLines(left)}`);
    time.now += 10 * rateLimits.candidate[1];
    trickle('three', 60);
    await settled();
    expect(rtc.latest.candidates).toHaveLength(most - 40 + 10);
  });
});

describe('the SDP of a peer', () => {
  const lines = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => `${line(index)}\r\n`).join('');
  /** The lines that are left of a section with these. */
  const left = (added: string) =>
    limitSdp(`v=0\r\nm=video 9 x 96\r\n${added}`, () => true)
      .split('\r\n')
      .slice(2, -1);

  it.each([
    ['rtcp-fb of a payload type', (index: number) => `a=rtcp-fb:96 x${index}`, payloadBounds['rtcp-fb']],
    ['rtcp-fb of every payload type', (index: number) => `a=rtcp-fb:* x${index}`, payloadBounds['rtcp-fb']],
    ['rtcp-fb, however its number is written', (i: number) => `a=rtcp-fb:${'0'.repeat(i % 2)}96 x${i}`, 12],
    ['fmtp of a payload type', (index: number) => `a=fmtp:96 p${index}=1`, payloadBounds.fmtp],
    ['rtpmap of a payload type', (index: number) => `a=rtpmap:96 X${index}/90000`, payloadBounds.rtpmap],
    ['any other attribute', (index: number) => `a=ssrc:${index} cname:x`, sdpBounds.attribute],
    ['an attribute without a value', () => 'a=x', sdpBounds.attribute],
    ['another type', (index: number) => `b=AS:${index}`, sdpBounds.attribute],
    ['a malformed attribute', () => 'a= rtcp-fb:96 x', 0],
    ['a malformed payload type', (index: number) => `a=rtcp-fb:+96 x${index}`, 0],
    ['a name in another case', (index: number) => `a=RTCP-FB:96 x${index}`, payloadBounds['rtcp-fb']],
    ['a candidate behind a space', () => 'a= candidate:1', 0],
    ['all payload types together', (index: number) => `a=rtcp-fb:${index % 128} x${index}`, sdpBounds.payload],
    ['a layer of simulcast', (index: number) => `a=rid:${index} recv`, 0],
    ['simulcast', () => 'a=simulcast:recv 0;1;2', 0],
  ])('has a limited number of lines of %s', (_, line, most) => {
    expect(left(lines(1_000, line))).toHaveLength(most);
  });

  it('has these limits in each section, for each payload type', () => {
    const section = lines(24, (index) => `a=rtcp-fb:${96 + (index % 2)} x${index}`);
    const sdp = `m=video 9 x 96 97\r\n${section}`.repeat(3);
    expect(limitSdp(sdp, () => true)).toBe(sdp);
  });

  it('has no long lines, and only line ends of the standard', () => {
    expect(left(`a=fmtp:96 ${'p=1;'.repeat(300)}\r\na=x\r\n`)).toEqual(['a=x']);
    expect(limitSdp('a=x\ra=y\na=z\r\n', () => true)).toBe('a=x\r\na=y\r\na=z\r\n');
    expect(left(lines(1_000, (index) => `a=rtcp-fb:96 x${index}`).replaceAll('\r\n', '\r'))).toHaveLength(12);
  });

  it.each(['offer', 'answer'])('is limited before the browser reads it: %s', async (type) => {
    const { a, b, connect } = pair();
    await connect();
    const side = type === 'offer' ? b : a;
    const described = vi.spyOn(side.rtc.latest, 'setRemoteDescription');
    side.link.receive({ link: 1, description: { type, sdp: lines(800, (index) => `a=rtcp-fb:* x${index}`) } });
    await settled();
    expect(described.mock.lastCall?.[0].sdp).toBe(lines(12, (index) => `a=rtcp-fb:* x${index}`));
  });
});

describe('the data channel', () => {
  it.each([
    'x',
    '"a text is an object of characters"',
    '["a list"]',
    '7',
    'null',
    `{"x":"${'x'.repeat(4_096)}"}`,
    `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
    7,
    undefined,
    new Blob(),
  ])('accepts only objects, as text, and bytes: %s is ignored', (data) =>
    expect(read(data, new Allowance())).toBeUndefined(),
  );

  it('parses no text that is too long, and a limited number of texts', () => {
    const parse = vi.spyOn(JSON, 'parse');
    const allowance = new Allowance();
    for (let index = 0; index < 10; index += 1) read(`"${'x'.repeat(250_000)}"`, allowance);
    expect(parse).not.toHaveBeenCalled();
    for (let index = 0; index < 5_000; index += 1) read('{}', allowance);
    expect(parse).toHaveBeenCalledTimes(rateLimits.text[0] - 10);
    expect(read(new ArrayBuffer(1), allowance)).toBeInstanceOf(ArrayBuffer);
  });

  it('limits the frames of one peer, however small; those of other peers are not affected', () => {
    const [hostile, honest] = [new Allowance(), new Allowance()];
    const frame = new ArrayBuffer(5);
    const taken = (count: number) => Array.from({ length: count }, () => read(frame, hostile)).filter(Boolean).length;
    expect(taken(50_000)).toBe(rateLimits.frame[0]);
    expect(read(frame, honest)).toBe(frame);
    time.now += 1_000;
    expect(taken(50_000)).toBe(1_000 / rateLimits.frame[1]);
  });

  it('stops sending to a peer that does not read, and survives refusals of the browser', () => {
    const far = new FakeChannel();
    const pc = { createDataChannel: () => far as unknown as RTCDataChannel };
    const channel = new Channel(pc, { opened: () => {}, heard: () => {} });
    far.open();
    far.bufferedAmount = 9_000_000;
    expect([channel.send('x'), far.sent]).toEqual([false, []]);
    far.bufferedAmount = 0;
    far.send = () => {
      throw new Error('the queue is full');
    };
    expect(channel.send('x')).toBe(false);
  });

  const openForeign = (pc: FakePc) => {
    const channel = new FakeChannel();
    (pc as unknown as RTCPeerConnection).ondatachannel?.({ channel } as unknown as RTCDataChannelEvent);
    return channel;
  };

  it('is the only one: others that a peer opens are closed', async () => {
    const { a, connect } = pair();
    await connect();
    expect(openForeign(a.rtc.latest).readyState).toBe('closed');
    expect(a.link.state).toBe('connected');
  });

  it('that opens too many others loses its connection, and gets another one within its limits', async () => {
    const { a, clock, connect } = pair();
    await connect();
    const [pc] = a.rtc.made;
    for (let index = 0; index < 100 && pc; index += 1) openForeign(pc);
    expect([pc?.connectionState, a.link.state, a.troubles.length]).toEqual(['closed', 'reconnecting', 1]);
    await clock.pass(15_000);
    expect([a.rtc.made.length, live(a.rtc)]).toEqual([2, 1]);
    openForeign(a.rtc.latest);
    openForeign(a.rtc.latest);
    expect(live(a.rtc)).toBe(0);
  });

  it.each(['{}', new ArrayBuffer(1), 'x'.repeat(250_000)])('that is flooded is closed: case %#', async (data) => {
    // A mock would remember each call.
    vi.restoreAllMocks();
    const { a, connect } = pair();
    await connect();
    const { channel } = a.rtc.latest;
    const [allowed] = data instanceof ArrayBuffer ? rateLimits.frame : rateLimits.text;
    let count = 0;
    while (channel?.onmessage && count < 1_000_000) {
      count += 1;
      channel.onmessage({ data });
    }
    expect(count).toBeGreaterThan(allowed + floodLimit[0]);
    expect([live(a.rtc), a.link.state]).toEqual([0, 'reconnecting']);
  });
});

describe('the chat', () => {
  const [own] = rateLimits.chat;
  const [all] = chatLimit;
  /** @returns how many of the messages are within the limits */
  const send = (chat: ChatAllowance, sender: string, count: number, length = 1) =>
    Array.from({ length: count }, () => chat.take(sender, length)).filter(Boolean).length;

  it('is limited by the length of messages', () => {
    expect(send(new ChatAllowance(), 'a', 1_000, 100)).toBe(own);
    expect(send(new ChatAllowance(), 'a', 1_000, 4_000)).toBe((own * 100) / 4_000 - 0.5);
    expect(send(new ChatAllowance(), 'a', 1_000, 8_388_608)).toBe(0);
  });

  it('is limited for all together, also for those who leave and rejoin, while others can still send', () => {
    const chat = new ChatAllowance();
    let sent = 0;
    for (let index = 0; index < 200; index += 1) {
      chat.joined(`rejoined ${index}`);
      sent += send(chat, `rejoined ${index}`, 1_000);
    }
    expect(sent).toBeGreaterThan(all / 2);
    expect(sent).toBeLessThanOrEqual((all * 3) / 4);
    expect(send(chat, 'honest', 50)).toBe(50);
    time.now += 1_000;
    chat.joined('rejoined again');
    expect(send(chat, 'rejoined again', 1_000)).toBeLessThanOrEqual(1_000 / chatLimit[1]);
    expect(send(chat, 'honest', 50)).toBe(50);
  });

  it('of one peer leaves the share of others, whether it joins again under its id or not', () => {
    const chat = new ChatAllowance();
    expect(send(chat, 'hostile', 10_000)).toBe(own);
    chat.joined('hostile');
    expect(send(chat, 'hostile', 10_000)).toBe(0);
    expect([send(chat, 'a', own / 2), send(chat, 'b', own / 4)]).toEqual([own / 2, own / 4]);
  });

  it('has the whole allowance of a newcomer after a while', () => {
    const chat = new ChatAllowance();
    chat.joined('a');
    time.now += (own / 2) * rateLimits.chat[1];
    expect(send(chat, 'a', own)).toBe(own);
  });
});

describe('a room', () => {
  const enter = (count: number) => {
    const [clock, server, rtc] = [new FakeClock(), new FakeServer(), new FakeRtc('me')];
    const connection = new Connection({ url: 'ws://host', join: {}, open: server.open, clock });
    const emitter = new Emitter<MeshEvents>();
    const mesh = new Mesh(connection, { emitter, tracks: { audio: null, video: null }, rtc, clock });
    const changes: (string | undefined)[] = [];
    emitter.on('peer-updated', ({ name }) => changes.push(name));
    server.admit({ peers: Array.from({ length: count }, (_, index) => peer(`p${index}`)), seq: 1 });
    return { clock, server, rtc, mesh, changes };
  };

  it('of five hundred has links to the first peers, and to others when those have left', () => {
    const { mesh, rtc, server } = enter(500);
    expect([mesh.peers.length, rtc.made.length]).toEqual([64, 64]);
    server.latest.say({ type: 'peer-joined', seq: 2, peer: peer('new') });
    expect(mesh.peers).toHaveLength(64);
    server.latest.say({ type: 'peer-left', seq: 3, peer: 'p0', reason: 'left' });
    server.latest.say({ type: 'peer-joined', seq: 4, peer: peer('newer') });
    expect(mesh.peers.at(-1)?.id).toBe('newer');
  });

  it("reports only the last of a peer's frequent updates", async () => {
    const { server, clock, changes, mesh } = enter(2);
    for (let seq = 2; seq < 500; seq += 1) server.latest.say({ type: 'peer-updated', seq, peer: 'p0', name: `${seq}` });
    server.latest.say({ type: 'peer-updated', seq: 500, peer: 'p1', name: 'honest' });
    expect(changes).toHaveLength(rateLimits.update[0] + 1);
    expect(changes.at(-1)).toBe('honest');
    expect(mesh.peers[0]?.name).toBe('499');
    time.now += 1_000;
    await clock.pass(1_000);
    expect(changes.slice(rateLimits.update[0] + 1)).toEqual(['499']);
    mesh.close();
  });

  it('limits the ICE restarts for a peer that repeatedly returns', () => {
    const { server, rtc } = enter(1);
    rtc.latest.become('connected');
    rtc.latest.become('disconnected');
    for (let seq = 2; seq < 500; seq += 2) {
      server.latest.say({ type: 'peer-away', seq, peer: 'p0' });
      server.latest.say({ type: 'peer-back', seq: seq + 1, peer: 'p0' });
    }
    expect(rtc.latest.restarts).toBe(rateLimits.description[0]);
  });
});

it('the limits are those of the README', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../app/client/README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| `(\w+)` +\| +([\d ]+?) +\| +([\d.]+) (ms|s) +\|/gm)].map(
    ([, kind = '', burst = '', every, unit]) => [
      kind,
      [Number(burst.replace(' ', '')), Number(every) * (unit === 's' ? 1_000 : 1)],
    ],
  );
  expect(Object.fromEntries(rows)).toEqual(rateLimits);
  for (const number of [
    bounds.sdp,
    bounds.sections,
    bounds.candidates,
    4_096,
    64,
    8,
    sdpBounds.line,
    sdpBounds.attribute,
    12,
    '4; 2',
    sdpBounds.payload,
    mediaBounds.candidates,
  ])
    expect(readme).toMatch(new RegExp(`\\| +${number.toLocaleString('en').replace(',', ' ')} `));
});
