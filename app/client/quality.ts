/** Quality of the path to a peer, from two samples of the connection's statistics. https://www.w3.org/TR/webrtc-stats/ */
import { pairOf } from './rtc.ts';

export type Level = 'good' | 'fair' | 'poor';
/** Measured over the last few seconds. */
export type Quality = Readonly<{
  level: Level;
  /** Round-trip time in milliseconds; undefined if the browser does not report it. */
  rtt: number | undefined;
  /** Fraction of packets lost, 0 to 1: inbound, and outbound as reported by the peer. */
  lossIn: number;
  lossOut: number;
  /** Bits per second. */
  bitrateIn: number;
  bitrateOut: number;
  /** The browser's estimate of outgoing bandwidth, in bits per second; undefined if not reported. */
  available: number | undefined;
  /** Whether the path goes through a TURN server of either side. */
  relayed: boolean;
}>;

/** Totals since the connection started, except `lossOut`, `rtt` and `available`. `at`: milliseconds. */
export type StatsSample = Omit<Quality, 'level' | 'lossIn' | 'bitrateIn' | 'bitrateOut'> & {
  at: number;
  bytesIn: number;
  bytesOut: number;
  arrived: number;
  lost: number;
};

/** @returns undefined while no candidate pair is selected */
export const sampleStats = (stats: RTCStatsReport): StatsSample | undefined => {
  const pair = pairOf(stats);
  if (!pair) return undefined;
  const all = [...stats.values()];
  const inbound = all.filter(({ type }) => type === 'inbound-rtp');
  const reports = all.filter(({ type }) => type === 'remote-inbound-rtp');
  // Firefox reports the round-trip time of the media, not of the candidate pair.
  const seconds = pair.currentRoundTripTime ?? reports.find(({ roundTripTime }) => roundTripTime)?.roundTripTime;
  const candidates = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
  return {
    at: pair.timestamp,
    rtt: seconds === undefined ? undefined : Math.round(seconds * 1000),
    available: pair.availableOutgoingBitrate,
    bytesIn: pair.bytesReceived ?? 0,
    bytesOut: pair.bytesSent ?? 0,
    arrived: sum(inbound.map(({ packetsReceived }) => packetsReceived)),
    lost: sum(inbound.map(({ packetsLost }) => packetsLost)),
    lossOut: Math.max(0, ...reports.map(({ fractionLost }) => fractionLost ?? 0)),
    relayed: candidates.some((candidate) => candidate?.candidateType === 'relay'),
  };
};

export const qualityBetween = (before: StatsSample, now: StatsSample): Omit<Quality, 'level'> => {
  const { rtt, lossOut, available, relayed } = now;
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  // Late packets reduce `packetsLost`, and the counters of a new path start from zero.
  const lost = Math.max(0, now.lost - before.lost);
  const arrived = Math.max(0, now.arrived - before.arrived);
  const rate = (first: number, last: number) => Math.max(0, Math.round((8 * (last - first)) / seconds));
  return {
    ...{ rtt, lossOut, available, relayed },
    lossIn: lost / Math.max(1, lost + arrived),
    bitrateIn: rate(before.bytesIn, now.bytesIn),
    bitrateOut: rate(before.bytesOut, now.bytesOut),
  };
};

/** The displayed level, and the number of consecutive samples that were better (positive) or worse (negative). */
export type ShownLevel = { level: Level; row: number };
export const unseen: ShownLevel = { level: 'good', row: 0 };

/** Changes the level after two consecutive worse samples or three better ones, so that it does not flicker. */
export const show = ({ level, row }: ShownLevel, measured: Level): ShownLevel => {
  const worse = levels.indexOf(measured) - levels.indexOf(level);
  if (worse === 0) return { level, row: 0 };
  const next = worse > 0 ? Math.min(0, row) - 1 : Math.max(0, row) + 1;
  return next <= -2 || next >= 3 ? { level: measured, row: 0 } : { level, row: next };
};

const levels = ['good', 'fair', 'poor'];

/** Delays are round-trip values of ITU-T G.114: up to 150 ms one way is unnoticeable, above 400 ms conversation is difficult. */
export const levelOf = ({ rtt = 0, lossIn, lossOut }: Pick<Quality, 'rtt' | 'lossIn' | 'lossOut'>): Level => {
  const loss = Math.max(lossIn, lossOut);
  if (rtt > 800 || loss > 0.1) return 'poor';
  return rtt > 300 || loss > 0.03 ? 'fair' : 'good';
};

const sum = (numbers: (number | undefined)[]): number => numbers.reduce<number>((all, one = 0) => all + one, 0);
