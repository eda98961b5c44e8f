import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { settled } from './fake-clock.ts';
import { fakeTrack } from './fake-rtc.ts';
import { end, kindsOf, pair, silence } from './link-pair.ts';

it('the audio level of the other side is reported', async () => {
  const { a, b, deliver } = pair();
  expect(b.link.volume).toBeUndefined();
  await deliver();
  expect(a.link.volume).toBe(0);
  const [sound] = a.rtc.latest.getTransceivers();
  if (sound) sound.receiver.volume = 0.25;
  expect([a.link.volume, b.link.volume]).toEqual([0.25, 0]);
});

it('the audio level is 0 if no packet has arrived for half a second, whatever the peer claims', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => now.mockRestore());
  const { a, deliver } = pair();
  await deliver();
  const [sound] = a.rtc.latest.getTransceivers();
  if (sound) sound.receiver.volume = 0.25;
  const levels = [0, 500, 501].map((time) => {
    now.mockReturnValue(time);
    return a.link.volume;
  });
  if (sound) sound.receiver.timestamp += 20;
  expect([...levels, a.link.volume]).toEqual([0.25, 0.25, 0, 0.25]);
});

describe('the first offer', () => {
  it('comes only from the initiator, and the answer adds the other side’s tracks', async () => {
    const { a, b, deliver } = pair();
    await settled();
    expect(kindsOf(a.sent)).toEqual(['offer', 'candidate']);
    expect(b.rtc.made).toHaveLength(0);
    await deliver();
    expect([a.rtc.latest.offers, b.rtc.latest.offers]).toEqual([1, 0]);
    expect(b.rtc.latest.sends('audio')).toBe(b.tracks.audio);
    expect(a.rtc.latest.sends('video')).toBe(a.tracks.video);
    expect(b.rtc.latest.getTransceivers().map(({ direction }) => direction)).toEqual(['sendrecv', 'sendrecv']);
    expect(a.link.stream.getTracks()).toHaveLength(2);
    expect(b.link.stream.getTracks()).toHaveLength(2);
    expect([...a.troubles, ...b.troubles]).toEqual([]);
  });

  it('has transceivers for camera and microphone before they exist; adding the tracks needs no negotiation', async () => {
    const { a, b, connect, deliver } = pair();
    a.link.setTracks(silence);
    await connect();
    expect(a.rtc.latest.sends('video')).toBeNull();
    const camera = fakeTrack('video', 'another camera');
    a.link.setTracks({ audio: null, video: camera });
    b.link.setTracks(silence);
    await deliver();
    expect(a.rtc.latest.sends('video')).toBe(camera);
    expect(b.rtc.latest.sends('audio')).toBeNull();
    expect([a.rtc.latest.offers, b.rtc.latest.offers]).toEqual([1, 0]);
  });
});

describe('colliding offers later on', () => {
  it('the polite side rolls back its own, the impolite side ignores the other’s and its candidates', async () => {
    const { a, b, connect, deliver } = pair();
    await connect();
    a.rtc.latest.renegotiate();
    b.rtc.latest.renegotiate();
    await settled();
    expect(kindsOf(a.sent)).toEqual(['offer', 'candidate']);
    expect(kindsOf(b.sent)).toEqual(['offer', 'candidate']);
    await deliver();
    expect([a.rtc.latest.rollbacks, b.rtc.latest.rollbacks]).toEqual([1, 0]);
    expect([a.rtc.latest.signalingState, b.rtc.latest.signalingState]).toEqual(['stable', 'stable']);
    expect([...a.troubles, ...b.troubles]).toEqual([]);
  });

  it('a rejected candidate of an ignored offer is silent, even after an answer in between', async () => {
    const { a, b, connect } = pair();
    await connect();
    a.rtc.latest.renegotiate();
    b.rtc.latest.renegotiate();
    await settled();
    const [offer, candidate] = a.sent.splice(0);
    const [ownOffer] = b.sent.splice(0);
    b.link.receive(offer);
    b.link.receive(candidate);
    a.link.receive(ownOffer);
    await settled();
    for (const signal of a.sent.splice(0)) b.link.receive(signal);
    await settled();
    expect(b.troubles).toEqual([]);
  });

  it('other rejected candidates and descriptions emit a warning and break nothing', async () => {
    const { a, b, connect } = pair();
    await connect();
    b.link.receive({ link: 1, candidate: { candidate: 'x', usernameFragment: 'stranger' } });
    b.link.receive({ link: 1, description: { type: 'offer', sdp: 'nonsense' } });
    await settled();
    expect(b.troubles).toHaveLength(2);
    expect(a.link.state).toBe('connected');
  });
});

describe('the watchdog', () => {
  it('makes the initiator replace a connection that does not connect, and the other side follows', async () => {
    const { a, b, clock, deliver } = pair();
    await deliver();
    await clock.pass(10_000);
    expect(a.sent[0]).toMatchObject({ link: 2, description: { type: 'offer' } });
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([2, 2]);
    expect([a.rtc.made[0]?.connectionState, b.rtc.made[0]?.connectionState]).toEqual(['closed', 'closed']);
    a.rtc.latest.become('connected');
    b.rtc.latest.become('connected');
    expect([a.link.state, b.link.state]).toEqual(['connected', 'connected']);
    // Each side looks at the pictures that it receives.
    expect(clock.pending).toBe(2);
  });

  it('makes the other side request a replacement, once for each generation', async () => {
    const { a, b, clock, deliver } = pair();
    await deliver();
    a.rtc.latest.become('connected');
    await clock.pass(13_000);
    expect(b.sent).toEqual([{ link: 1, renew: true }]);
    a.link.receive(b.sent[0]);
    a.link.receive(b.sent[0]);
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([2, 2]);
  });

  it.each(['a', 'b'] as const)(
    'waits longer for a connection that makes progress, judging by signals of %s',
    async (side) => {
      const ends = pair();
      const { a, clock, deliver } = ends;
      await deliver();
      for (let index = 0; index < 5; index += 1) {
        await clock.pass(8_000);
        ends[side].rtc.latest.onicecandidate?.({ candidate: { toJSON: () => ({ candidate: `${index}` }) } });
        await deliver();
      }
      expect(a.rtc.made).toHaveLength(1);
      await clock.pass(10_000);
      expect(a.sent[0]).toMatchObject({ link: 2, description: { type: 'offer' } });
    },
  );

  it('waits longer each time, gives up after three attempts, and retries on request', async () => {
    const { a, clock, deliver } = pair();
    const begun: number[] = [];
    for (let made = 1; a.link.state !== 'failed'; ) {
      await clock.pass(500);
      await deliver();
      if (a.rtc.made.length > made) begun.push(clock.now);
      made = a.rtc.made.length;
    }
    // Counted from the answer to each.
    expect(begun).toEqual([10_500, 25_500, 45_500]);
    expect(clock.now).toBe(70_500);
    a.link.retry();
    expect(a.link.state).toBe('connecting');
    expect(a.rtc.made).toHaveLength(5);
  });

  it('does not count time in which signals cannot arrive', async () => {
    const { a, clock } = pair();
    a.reachable.now = false;
    await clock.pass(300_000);
    expect(a.rtc.made).toHaveLength(1);
    a.reachable.now = true;
    await clock.pass(10_000);
    expect(a.rtc.made).toHaveLength(2);
  });

  it('signals of an older generation, and of later ones without an offer, are ignored', async () => {
    const { a, b, clock, deliver } = pair();
    await settled();
    const old = a.sent.splice(0);
    await clock.pass(10_000);
    await deliver();
    for (const signal of old) b.link.receive(signal);
    b.link.receive({ link: 9, candidate: { candidate: 'x' } });
    await settled();
    expect(b.rtc.made).toHaveLength(1);
    expect(b.troubles).toEqual([]);
  });
});

describe('a new epoch of the pair', () => {
  const later = (epoch: number) => ({
    initiator: { epoch, initiator: true, polite: true },
    other: { epoch, initiator: false, polite: false },
  });

  it('keeps the connection that both sides have, even if the initiator changes', async () => {
    const { a, b, clock, connect, deliver } = pair();
    await connect();
    const { initiator, other } = later(7);
    expect([a.link.adoptEpoch(other), b.link.adoptEpoch(initiator)]).toEqual([true, true]);
    expect(b.sent).toEqual([{ link: 1, keep: true }]);
    await deliver();
    await clock.pass(60_000);
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length, a.link.state, b.link.state]).toEqual([
      1,
      1,
      'connected',
      'connected',
    ]);
    expect([...a.epochs, ...b.epochs].at(-1)).toBe(7);
    // Later they yield according to the latest roles from the server.
    a.rtc.latest.renegotiate();
    b.rtc.latest.renegotiate();
    await deliver();
    expect([a.rtc.latest.rollbacks, b.rtc.latest.rollbacks]).toEqual([0, 1]);
    expect([...a.troubles, ...b.troubles]).toEqual([]);
  });

  it('of a reloaded page brings an offer and a new connection', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    const { other } = later(7);
    const again = end(true, clock);
    expect(b.link.adoptEpoch(other)).toBe(true);
    a.link.close();
    await settled();
    for (const signal of again.sent.splice(0)) b.link.receive(signal);
    await settled();
    expect(b.rtc.made.map(({ connectionState }) => connectionState)).toEqual(['closed', 'new']);
    expect(kindsOf(b.sent)).toEqual(['answer', 'candidate']);
  });

  it('creates a new connection if the other side no longer has it', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    const { initiator } = later(7);
    const again = end(false, clock);
    expect(a.link.adoptEpoch(initiator)).toBe(true);
    b.link.close();
    for (const signal of a.sent.splice(0)) again.link.receive(signal);
    expect(again.sent).toEqual([{ link: 1, renew: true }]);
    for (const signal of again.sent.splice(0)) a.link.receive(signal);
    await settled();
    for (const signal of a.sent.splice(0)) again.link.receive(signal);
    await settled();
    expect([a.rtc.made.length, again.rtc.made.length]).toEqual([2, 1]);
    expect(kindsOf(again.sent)).toEqual(['answer', 'candidate']);
  });

  it('creates a new connection if the other side is negotiating or never had one', async () => {
    const { a, b, connect } = pair();
    expect(a.link.adoptEpoch(later(7).initiator)).toBe(false);
    await connect();
    a.rtc.latest.restartIce();
    await settled();
    expect(a.link.adoptEpoch(later(7).initiator)).toBe(false);
    b.rtc.latest.become('disconnected');
    expect(b.link.adoptEpoch(later(7).other)).toBe(false);
  });

  it('accepts a connection of another generation: the next offer counts, whatever its number', async () => {
    const { a, b, connect, deliver } = pair();
    await connect();
    const { initiator, other } = later(7);
    b.link.adoptEpoch(other);
    b.link.receive({ link: 9, keep: true });
    expect(b.sent).toEqual([{ link: 9, renew: true }]);
    a.link.adoptEpoch(initiator);
    a.link.receive({ link: 1, renew: true });
    b.sent.length = 0;
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([2, 2]);
  });
});

it.each([
  null,
  7,
  'x',
  [],
  {},
  { link: 1 },
  { link: '1', renew: true },
  { link: 1.5, renew: true },
  { link: 1, keep: 'yes' },
  { link: Number.MAX_VALUE, description: { type: 'offer', sdp: '' } },
  { link: 2, description: 'offer' },
  { link: 2, description: { type: 'offer', sdp: {} } },
  { link: 1, candidate: null },
])('a malformed signal is ignored: %j', async (data) => {
  const { b } = pair();
  b.link.receive(data);
  await settled();
  expect(b.rtc.made).toHaveLength(0);
  expect(b.troubles).toEqual([]);
});

it('close() closes everything, stops every timer, and sends nothing more', async () => {
  const { a, b, clock, connect } = pair();
  await connect();
  a.rtc.latest.renegotiate();
  a.rtc.latest.become('disconnected');
  a.link.close();
  b.link.close();
  await settled();
  a.link.receive({ link: 1, renew: true });
  b.link.receive({ link: 5, description: { type: 'offer', sdp: 'late' } });
  await settled();
  expect([...a.rtc.made, ...b.rtc.made].every((pc) => pc.connectionState === 'closed')).toBe(true);
  expect([a.rtc.made.length, b.rtc.made.length]).toEqual([1, 1]);
  expect(a.sent).toEqual([]);
  expect([...a.troubles, ...b.troubles]).toEqual([]);
  expect(clock.pending).toBe(0);
});
