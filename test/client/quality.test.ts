import { describe, expect, it } from 'vitest';
import {
  type Level,
  levelOf,
  qualityBetween,
  type StatsSample,
  sampleStats,
  show,
  unseen,
} from '../../app/client/quality.ts';
import { adapt, type Conditions, freshBudget, limitsOf, type VideoBudget } from '../../app/client/video-budget.ts';

const calm: Conditions = { peers: 1, available: 5_000_000, loss: 0, rtt: 40 };
const afterLooks = (budget: VideoBudget, conditions: Conditions, looks: number): VideoBudget =>
  Array.from({ length: looks }).reduce<VideoBudget>((now) => adapt(now, conditions), budget);
const bitrate = (budget: VideoBudget, peers: number) => limitsOf(budget, peers, 720, false).maxBitrate;

describe('the video budget', () => {
  it('is smaller for each peer the more peers there are', () => {
    const rates = Array.from({ length: 15 }, (_, others) => bitrate(freshBudget, others + 1));
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
    expect([rates[0], rates[2], rates[4], rates[7], rates[14]]).toEqual([
      1_700_000, 900_000, 500_000, 250_000, 120_000,
    ]);
    expect(Math.max(...rates.map((rate, index) => rate * (index + 1)))).toBeLessThanOrEqual(2_700_000);
  });

  it('scales the video down, never up, whatever the camera sends', () => {
    expect(limitsOf(freshBudget, 1, 720, false).scaleResolutionDownBy).toBe(1);
    expect(limitsOf(freshBudget, 1, 1080, false).scaleResolutionDownBy).toBe(1.5);
    expect(limitsOf(freshBudget, 4, 720, false).scaleResolutionDownBy).toBe(2);
    expect(limitsOf(freshBudget, 15, 120, false).scaleResolutionDownBy).toBe(1);
    expect(limitsOf(freshBudget, 2, 0, false).scaleResolutionDownBy).toBe(1);
  });

  it('keeps the size of a shared screen, and a readable bit rate', () => {
    expect(limitsOf(freshBudget, 15, 1440, true)).toEqual({ maxBitrate: 500_000, scaleResolutionDownBy: 1 });
    expect(limitsOf(freshBudget, 1, 1440, true).maxBitrate).toBe(1_700_000);
  });

  it.each<[string, Partial<Conditions>]>([
    ['loss', { loss: 0.2 }],
    ['a high round-trip time', { rtt: 1_500 }],
    ['too little bandwidth', { available: 300_000 }],
  ])('falls for %s that lasts, not for one sample', (_, fault) => {
    const bad = { ...calm, ...fault };
    const once = adapt(freshBudget, bad);
    expect(bitrate(once, 1)).toBe(1_700_000);
    expect(bitrate(afterLooks(once, calm, 1), 1)).toBe(1_700_000);
    expect(bitrate(adapt(adapt(once, calm), bad), 1)).toBe(1_700_000);
    expect(bitrate(adapt(once, bad), 1)).toBe(900_000);
  });

  it('stops at the minimum, and recovers after enough good samples', () => {
    const least = afterLooks(freshBudget, { ...calm, loss: 0.5 }, 100);
    expect(bitrate(least, 1)).toBe(120_000);
    expect(bitrate(afterLooks(least, calm, 47), 1)).toBe(120_000);
    expect(bitrate(afterLooks(least, calm, 48), 1)).toBe(250_000);
    expect(afterLooks(least, calm, 1_000)).toMatchObject({ below: 0, patience: 3 });
  });

  it('recovers later after each fall, so that it does not oscillate', () => {
    const bad = { ...calm, loss: 0.2 };
    const waits: number[] = [];
    let budget = freshBudget;
    for (let fall = 0; fall < 3; fall++) {
      budget = afterLooks(budget, bad, 2);
      let looks = 0;
      for (; bitrate(budget, 1) === 900_000; looks++) budget = adapt(budget, calm);
      waits.push(looks);
    }
    expect(waits).toEqual([6, 12, 24]);
  });

  it('stays where it is between good and bad, and where the browser reports nothing', () => {
    const lower = afterLooks(freshBudget, { ...calm, loss: 0.2 }, 2);
    expect(bitrate(afterLooks(lower, { ...calm, loss: 0.05 }, 100), 1)).toBe(900_000);
    const silent = { ...calm, available: undefined, rtt: undefined };
    expect(afterLooks(freshBudget, silent, 100)).toMatchObject({ below: 0, patience: 3 });
    expect(bitrate(afterLooks(lower, silent, 6), 1)).toBe(1_700_000);
  });

  it('follows joining and leaving peers at once, whatever happened to the path', () => {
    const lower = afterLooks(freshBudget, { ...calm, loss: 0.2 }, 2);
    expect([1, 2, 4, 2, 1].map((peers) => bitrate(lower, peers))).toEqual([
      900_000, 500_000, 250_000, 500_000, 900_000,
    ]);
  });
});

describe('the quality level', () => {
  it.each<[Level, object]>([
    ['good', {}],
    ['good', { rtt: undefined }],
    ['fair', { rtt: 400 }],
    ['fair', { lossOut: 0.05 }],
    ['poor', { lossIn: 0.2 }],
    ['poor', { rtt: 900 }],
  ])('is %s for %j', (level, fault) => {
    expect(levelOf({ rtt: 50, lossIn: 0, lossOut: 0, ...fault })).toBe(level);
  });

  const shown = (measured: Level[]) => {
    let now = unseen;
    return measured.map((level) => {
      now = show(now, level);
      return now.level;
    });
  };
  it('gets worse after two samples, better after three, and does not flicker', () => {
    expect(shown(['poor', 'poor', 'good', 'good', 'good'])).toEqual(['good', 'poor', 'poor', 'poor', 'good']);
    expect(shown(['poor', 'good', 'poor', 'good', 'fair', 'good'])).toEqual(Array(6).fill('good'));
    expect(shown(['fair', 'poor', 'fair', 'fair'])).toEqual(['good', 'poor', 'poor', 'poor']);
    expect(shown(['poor', 'poor', 'fair', 'good', 'fair'])).toEqual(['good', 'poor', 'poor', 'poor', 'fair']);
  });
});

describe('a stats sample', () => {
  const stats = (entries: object[]) =>
    new Map(entries.map((entry) => ['id' in entry ? entry.id : '', entry])) as unknown as RTCStatsReport;
  const transport = { id: 'T', type: 'transport', selectedCandidatePairId: 'P' };
  const pair = { id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'F', timestamp: 5_000 };

  it('reads the selected pair, and adds up its media streams', () => {
    const look = sampleStats(
      stats([
        transport,
        { id: 'Q', type: 'candidate-pair', bytesSent: 9 },
        { ...pair, bytesSent: 100, bytesReceived: 200, currentRoundTripTime: 0.0304, availableOutgoingBitrate: 7 },
        { id: 'L', type: 'local-candidate', candidateType: 'host' },
        { id: 'F', type: 'remote-candidate', candidateType: 'relay' },
        { id: 'a', type: 'inbound-rtp', packetsReceived: 10, packetsLost: 1 },
        { id: 'v', type: 'inbound-rtp', packetsReceived: 20, packetsLost: 2 },
        { id: 'r', type: 'remote-inbound-rtp', fractionLost: 0.25, roundTripTime: 9 },
        { id: 's', type: 'remote-inbound-rtp' },
      ]),
    );
    expect(look).toEqual({
      ...{ at: 5_000, rtt: 30, available: 7, relayed: true, lossOut: 0.25 },
      ...{ bytesOut: 100, bytesIn: 200, arrived: 30, lost: 3 },
    });
  });

  it('reads the reports of Firefox, which marks the pair and reports times with media', () => {
    const report = { id: 'r', type: 'remote-inbound-rtp', roundTripTime: 0.2 };
    expect(sampleStats(stats([{ ...pair, selected: true }, report]))).toMatchObject({ rtt: 200, relayed: false });
    expect(sampleStats(stats([pair]))).toBeUndefined();
    expect(sampleStats(stats([]))).toBeUndefined();
  });

  const look = (over: Partial<StatsSample>): StatsSample => ({
    ...{ at: 0, rtt: 20, available: undefined, relayed: false, lossOut: 0.1 },
    ...{ bytesIn: 0, bytesOut: 0, arrived: 0, lost: 0, ...over },
  });
  it('and the next one give rates', () => {
    const now = look({ at: 2_000, bytesIn: 1_000, bytesOut: 500, arrived: 90, lost: 10 });
    expect(qualityBetween(look({}), now)).toMatchObject({
      lossIn: 0.1,
      lossOut: 0.1,
      bitrateIn: 4_000,
      bitrateOut: 2_000,
    });
  });

  it('of a path whose counters were reset, or whose lost packets arrived, gives nothing below zero', () => {
    const before = look({ bytesIn: 9_999, bytesOut: 9_999, arrived: 50, lost: 20 });
    expect(qualityBetween(before, look({ at: 1 }))).toMatchObject({ lossIn: 0, bitrateIn: 0, bitrateOut: 0 });
  });
});
