/** How good the path to a peer is, from two looks at its connection's statistics. https://www.w3.org/TR/webrtc-stats/ */
import { pairOf } from './rtc.ts';

export type Level = 'good' | 'fair' | 'poor';
/** As measured over the last few seconds. */
export type Quality = Readonly<{
  level: Level;
  /** Round trip, in milliseconds; undefined where the browser does not say. */
  rtt: number | undefined;
  /** Shares of packets that were lost, 0 to 1: on the way here, and on the way there as the peer reports it. */
  lossIn: number;
  lossOut: number;
  /** Bits per second. */
  bitrateIn: number;
  bitrateOut: number;
  /** What the browser believes could be sent, in bits per second; undefined where it does not say. */
  available: number | undefined;
  /** Whether the path goes through a TURN server, of either side. */
  relayed: boolean;
}>;

/** Counted since the connection began, but for `lossOut`, `rtt` and `available`. `at`: milliseconds. */
export type StatsSample = Omit<Quality, 'level' | 'lossIn' | 'bitrateIn' | 'bitrateOut'> & {
  at: number;
  bytesIn: number;
  bytesOut: number;
  arrived: number;
  lost: number;
};

/** undefined while no path is chosen. */
export const sampleStats = (stats: RTCStatsReport): StatsSample | undefined => {
  const pair = pairOf(stats);
  if (!pair) return undefined;
  const all = [...stats.values()];
  const inbound = all.filter(({ type }) => type === 'inbound-rtp');
  const reports = all.filter(({ type }) => type === 'remote-inbound-rtp');
  // Firefox tells the round trip of media, not of the pair.
  const seconds = pair.currentRoundTripTime ?? reports.find(({ roundTripTime }) => roundTripTime)?.roundTripTime;
  const ends = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
  return {
    at: pair.timestamp,
    rtt: seconds === undefined ? undefined : Math.round(seconds * 1000),
    available: pair.availableOutgoingBitrate,
    bytesIn: pair.bytesReceived ?? 0,
    bytesOut: pair.bytesSent ?? 0,
    arrived: sum(inbound.map(({ packetsReceived }) => packetsReceived)),
    lost: sum(inbound.map(({ packetsLost }) => packetsLost)),
    lossOut: Math.max(0, ...reports.map(({ fractionLost }) => fractionLost ?? 0)),
    relayed: ends.some((end) => end?.candidateType === 'relay'),
  };
};

export const qualityBetween = (before: StatsSample, now: StatsSample): Omit<Quality, 'level'> => {
  const { rtt, lossOut, available, relayed } = now;
  const seconds = Math.max(0.001, (now.at - before.at) / 1000);
  // What was lost may come after all, and a path that is new counts from zero.
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

/** The level that is shown, and how many looks in a row were better, or if negative worse. */
export type Shown = { level: Level; row: number };
export const unseen: Shown = { level: 'good', row: 0 };

/** Another level is shown after two looks in a row that were worse, or three that were better: it should not flicker. */
export const show = ({ level, row }: Shown, measured: Level): Shown => {
  const worse = levels.indexOf(measured) - levels.indexOf(level);
  if (worse === 0) return { level, row: 0 };
  const next = worse > 0 ? Math.min(0, row) - 1 : Math.max(0, row) + 1;
  return next <= -2 || next >= 3 ? { level: measured, row: 0 } : { level, row: next };
};

const levels = ['good', 'fair', 'poor'];

/** The delays are those of ITU-T G.114, there and back: up to 150 ms each way nobody notices, beyond 400 ms few can talk. */
export const levelOf = ({ rtt = 0, lossIn, lossOut }: Pick<Quality, 'rtt' | 'lossIn' | 'lossOut'>): Level => {
  const loss = Math.max(lossIn, lossOut);
  if (rtt > 800 || loss > 0.1) return 'poor';
  return rtt > 300 || loss > 0.03 ? 'fair' : 'good';
};

const sum = (numbers: (number | undefined)[]): number => numbers.reduce<number>((all, one = 0) => all + one, 0);
