/** Texts for errors and for the end of a call. */
import type { ErrorCode } from '../../../protocol/errors.ts';
import type { Kind, MediaProblem } from '../devices/devices.ts';
import type { Browser } from '../ui/browser.ts';
import { words } from './i18n.ts';

const { failures } = words;

/** Codes that only a page incompatible with the server receives. */
type IncompatibleCode =
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

/** `next`: the primary action. */
export type Ending = { title: string; text: string; next: 'again' | 'new-room' };

const terminal: readonly ErrorCode[] = ['room-full', 'bad-room-name', 'kicked', 'room-ended'];

/** How a call ended, or why it did not start. */
export const endingOf = (code: ErrorCode): Ending => {
  const endings: Record<Exclude<ErrorCode, IncompatibleCode>, Omit<Ending, 'next'>> = failures.endings;
  const texts = code in endings ? endings[code as Exclude<ErrorCode, IncompatibleCode>] : failures.unfit;
  return { ...texts, next: terminal.includes(code) ? 'new-room' : 'again' };
};

/** Why a device, or both, are not on, and what to do. */
export const problemOf = (kind: Kind | 'both', problem: MediaProblem, browser: Browser = 'other'): string => {
  const text = failures.problems[problem][kind];
  return problem === 'denied' ? `${text} ${failures.permissions[browser]}` : text;
};

/** Why joining is delayed. Undefined for other codes. */
export const delayOf = (code: ErrorCode): string | undefined => {
  const delays: Partial<Record<ErrorCode, string>> = failures.delays;
  return delays[code];
};

/** Why an action of the user was refused. */
export const refusalOf = (code: ErrorCode): string => {
  const refusals: Partial<Record<ErrorCode, string>> = failures.refusals;
  return refusals[code] ?? failures.refusals.other;
};
