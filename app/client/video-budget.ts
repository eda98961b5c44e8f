/** How much video may be sent to one peer. A mesh sends everything once for each peer, so the more there are the less each gets. */

/** What the policy looks at. `available` and `rtt` (milliseconds) as far as the browser tells; `loss`: 0 to 1. */
export type Conditions = { peers: number; available: number | undefined; loss: number; rtt: number | undefined };
/** Of one sender: bits per second, and by how much its picture is made smaller each way. */
export type VideoLimits = { maxBitrate: number; scaleResolutionDownBy: number };
/** `below`: steps under what so many peers allow, because of the path. `row`: looks in a row that were good, or if negative bad. */
export type VideoBudget = { below: number; row: number; patience: number };

/** From the best to the least: bits per second, and lines of the picture's shorter side. */
const steps = [
  { bitrate: 1_700_000, lines: 720 },
  { bitrate: 900_000, lines: 540 },
  { bitrate: 500_000, lines: 360 },
  { bitrate: 250_000, lines: 240 },
  { bitrate: 120_000, lines: 180 },
] as const;
const last = steps.length - 1;
/** The most peers for each of the steps but the last. */
const crowds = [1, 3, 5, 8];

/** A screen keeps its size, because it is read, and this rate at least. */
const screenBitrate = 500_000;
/** Looks in a row that must be bad before less is sent, and good before more is; the latter doubles with each fall. */
const impatience = 2;
const patience = { least: 3, most: 48 };

export const freshBudget: VideoBudget = { below: 0, row: 0, patience: patience.least };

/** The budget after another look. It falls soon and rises late, later each time, so that it does not swing. */
export const adapt = (budget: VideoBudget, conditions: Conditions): VideoBudget => {
  const step = stepOf(budget, conditions.peers);
  const row = nextRow(budget.row, verdict(steps[step].bitrate, conditions));
  if (row <= -impatience && step < last)
    return { below: budget.below + 1, row: 0, patience: Math.min(patience.most, 2 * budget.patience) };
  if (row < budget.patience) return { ...budget, row };
  return budget.below > 0 ? { ...budget, below: budget.below - 1, row: 0 } : freshBudget;
};

/** @param lines of the picture's shorter side, as the camera gives it */
export const limitsOf = (budget: VideoBudget, peers: number, lines: number, screen: boolean): VideoLimits => {
  const step = steps[stepOf(budget, peers)];
  if (screen) return { maxBitrate: Math.max(screenBitrate, step.bitrate), scaleResolutionDownBy: 1 };
  return { maxBitrate: step.bitrate, scaleResolutionDownBy: Math.max(1, lines / step.lines) };
};

const stepOf = ({ below }: VideoBudget, peers: number): 0 | 1 | 2 | 3 | 4 => {
  const best = crowds.filter((most) => peers > most).length;
  return Math.min(last, best + below) as 0 | 1 | 2 | 3 | 4;
};

/** Between good and bad is where it stays as it is. */
const verdict = (bitrate: number, { available = bitrate, loss, rtt = 0 }: Conditions): 'good' | 'bad' | 'neither' => {
  if (loss > 0.1 || rtt > 800 || available < bitrate / 2) return 'bad';
  return loss < 0.03 && rtt < 400 && available >= bitrate * 0.8 ? 'good' : 'neither';
};

const nextRow = (row: number, verdict: 'good' | 'bad' | 'neither'): number => {
  if (verdict === 'neither') return 0;
  return verdict === 'good' ? Math.max(0, row) + 1 : Math.min(0, row) - 1;
};
