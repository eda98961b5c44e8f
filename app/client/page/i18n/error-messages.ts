/** What went wrong or came to an end, in words. */
import type { ErrorCode } from '../../../protocol/errors.ts';
import type { Kind, MediaProblem } from '../devices/devices.ts';
import type { Browser } from '../ui/browser.ts';
import { words } from './i18n.ts';

const { failures } = words;

/** Only a page that does not fit the server comes to these. */
type Unfit =
  | 'not-allowed'
  | 'last-host'
  | 'waiting'
  | 'stale-epoch'
  | 'bad-json'
  | 'unknown-type'
  | 'bad-message'
  | 'not-joined'
  | 'upgrade-lost'
  | 'already-joined'
  | 'out-of-order';

/** `next` is what is offered first. */
export type Ending = { title: string; text: string; next: 'again' | 'new-room' };

const final: readonly ErrorCode[] = ['room-full', 'bad-room-name', 'kicked', 'room-ended'];

/** How a call ended, or why it did not begin. */
export const endingOf = (code: ErrorCode): Ending => {
  const endings: Record<Exclude<ErrorCode, Unfit>, Omit<Ending, 'next'>> = failures.endings;
  const told = code in endings ? endings[code as Exclude<ErrorCode, Unfit>] : failures.unfit;
  return { ...told, next: final.includes(code) ? 'new-room' : 'again' };
};

/** Why a device, or both, are not on, and what to do. */
export const problemOf = (kind: Kind | 'both', problem: MediaProblem, browser: Browser = 'other'): string => {
  const text = failures.problems[problem][kind];
  return problem === 'denied' ? `${text} ${failures.permissions[browser]}` : text;
};

/** Why the server does not let us in at once. */
export const delayOf = (code: ErrorCode): string | undefined => {
  const delays: Partial<Record<ErrorCode, string>> = failures.delays;
  return delays[code];
};

/** Why something that a person asked for was not done. */
export const refusalOf = (code: ErrorCode): string => {
  const refusals: Partial<Record<ErrorCode, string>> = failures.refusals;
  return refusals[code] ?? failures.refusals.other;
};
