/** Limits the video sent to one peer. A mesh sends one copy to each peer, so the limit falls as the number of peers grows. */

/** Input of the policy. `rtt` in milliseconds; `available` and `rtt` are undefined if not reported; `loss`: 0 to 1. */
export type Conditions = { peers: number; available: number | undefined; loss: number; rtt: number | undefined };
/** Limits of one sender: bits per second, and the factor by which each dimension is scaled down. */
export type VideoLimits = { maxBitrate: number; scaleResolutionDownBy: number };
/** `below`: steps below the one for the number of peers, because of the path. `row`: consecutive good (positive) or bad samples. */
export type VideoBudget = { below: number; row: number; patience: number };

/** From best to worst: bits per second, and lines on the shorter side of the video. */
const steps = [
  { bitrate: 1_700_000, lines: 720 },
  { bitrate: 900_000, lines: 540 },
  { bitrate: 500_000, lines: 360 },
  { bitrate: 250_000, lines: 240 },
  { bitrate: 120_000, lines: 180 },
] as const;
const lastStep = steps.length - 1;
/** Maximum number of peers for each step except the last. */
const maxPeers = [1, 3, 5, 8];

/** Minimum bitrate of a shared screen; it is never scaled down, because text must stay readable. */
const screenBitrate = 500_000;
/** Consecutive bad samples before a step down, and good ones before a step up; the latter doubles with each step down. */
const badSamples = 2;
const goodSamples = { least: 3, most: 48 };

export const freshBudget: VideoBudget = { below: 0, row: 0, patience: goodSamples.least };

/** The budget after another sample. It falls quickly and rises slowly, more slowly each time, so that it does not oscillate. */
export const adapt = (budget: VideoBudget, conditions: Conditions): VideoBudget => {
  const step = stepOf(budget, conditions.peers);
  const row = nextRow(budget.row, verdict(steps[step].bitrate, conditions));
  if (row <= -badSamples && step < lastStep)
    return { below: budget.below + 1, row: 0, patience: Math.min(goodSamples.most, 2 * budget.patience) };
  if (row < budget.patience) return { ...budget, row };
  return budget.below > 0 ? { ...budget, below: budget.below - 1, row: 0 } : freshBudget;
};

/** @param lines shorter side of the captured video */
export const limitsOf = (budget: VideoBudget, peers: number, lines: number, screen: boolean): VideoLimits => {
  const step = steps[stepOf(budget, peers)];
  if (screen) return { maxBitrate: Math.max(screenBitrate, step.bitrate), scaleResolutionDownBy: 1 };
  return { maxBitrate: step.bitrate, scaleResolutionDownBy: Math.max(1, lines / step.lines) };
};

/** Changes how `sender` encodes its track. Only the first encoding: remote-sdp.ts refuses simulcast. */
export const setEncoding = async (
  sender: RTCRtpSender | undefined,
  change: Partial<RTCRtpEncodingParameters>,
): Promise<void> => {
  const parameters = sender?.getParameters();
  const [encoding] = parameters?.encodings ?? [];
  if (!sender || !parameters || !encoding) return;
  Object.assign(encoding, change);
  await sender.setParameters(parameters);
};

const stepOf = ({ below }: VideoBudget, peers: number): 0 | 1 | 2 | 3 | 4 => {
  const best = maxPeers.filter((limit) => peers > limit).length;
  return Math.min(lastStep, best + below) as 0 | 1 | 2 | 3 | 4;
};

/** Between good and bad nothing changes. */
const verdict = (bitrate: number, { available = bitrate, loss, rtt = 0 }: Conditions): 'good' | 'bad' | 'neither' => {
  if (loss > 0.1 || rtt > 800 || available < bitrate / 2) return 'bad';
  return loss < 0.03 && rtt < 400 && available >= bitrate * 0.8 ? 'good' : 'neither';
};

const nextRow = (row: number, verdict: 'good' | 'bad' | 'neither'): number => {
  if (verdict === 'neither') return 0;
  return verdict === 'good' ? Math.max(0, row) + 1 : Math.min(0, row) - 1;
};
