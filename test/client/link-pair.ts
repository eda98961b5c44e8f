/** Both ends of a link over fake WebRTC; the test delivers their signals. */
import { Allowance } from '../../app/client/allowance.ts';
import { read } from '../../app/client/channel.ts';
import { ConnectionQueue } from '../../app/client/connection-queue.ts';
import { Link } from '../../app/client/link.ts';
import type { LinkSignal } from '../../app/client/link-signal.ts';
import { usualLinkTiming } from '../../app/client/link-watchdog.ts';
import type { Ice } from '../../app/client/rtc.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { FakeRtc, fakeTrack, type Make } from './fake-rtc.ts';

export const newer: Ice = { iceServers: [{ urls: ['turn:new'] }], iceTransportPolicy: 'relay' };
export const silence = { audio: null, video: null };

/** One end of a link; what it sends is kept until the test delivers it. */
export const end = (initiator: boolean, clock: FakeClock, make?: Make, queue = new ConnectionQueue(clock)) => {
  const rtc = new FakeRtc(initiator ? 'a' : 'b', make);
  const sent: LinkSignal[] = [];
  const epochs: number[] = [];
  const troubles: unknown[] = [];
  const reachable = { now: true };
  const tracks = { audio: fakeTrack('audio'), video: fakeTrack('video') };
  const allowance = new Allowance();
  const link = new Link({
    allowance,
    queue,
    pair: { epoch: 1, initiator, polite: initiator },
    ice: { iceServers: [], iceTransportPolicy: 'all' },
    tracks,
    rtc,
    clock,
    timing: usualLinkTiming,
    send: (signal, epoch) => {
      sent.push(structuredClone(signal));
      epochs.push(epoch);
    },
    reachable: () => reachable.now,
    changed: () => {},
    opened: () => {},
    heard: (data) => void read(data, allowance),
    warning: (error) => troubles.push(error),
  });
  return { rtc, sent, epochs, troubles, reachable, tracks, link };
};

export const pair = (makes: { a?: Make; b?: Make } = {}) => {
  const clock = new FakeClock();
  const [a, b] = [end(true, clock, makes.a), end(false, clock, makes.b)];
  const deliver = async () => {
    await settled();
    while (a.sent.length + b.sent.length > 0) {
      for (const signal of a.sent.splice(0)) b.link.receive(signal);
      for (const signal of b.sent.splice(0)) a.link.receive(signal);
      await settled();
    }
  };
  const connect = async () => {
    await deliver();
    a.rtc.latest.become('connected');
    b.rtc.latest.become('connected');
  };
  return { clock, a, b, deliver, connect };
};

export const kindsOf = (signals: LinkSignal[]) =>
  signals.map((signal) => ('description' in signal ? signal.description.type : Object.keys(signal)[1]));
