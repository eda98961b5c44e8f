/** Texts for errors and for the end of a call. */
import type { ErrorCode } from '../../../protocol/errors.ts';
import type { DeviceKind, MediaProblem } from '../devices/devices.ts';
import type { Browser } from '../ui/browser.ts';
import { entryOf } from './entry-of.ts';
import { words } from './i18n.ts';

const { closing, failures } = words;

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
  | 'room-exists'
  | 'out-of-order';

/** `next`: the primary action; `again`: the text of the button that joins the same room. */
export type Ending = { title: string; text: string; next: 'again' | 'new-room'; again: string };

const terminal: readonly ErrorCode[] = ['room-full', 'bad-room-name', 'kicked', 'room-ended'];

/** Codes that end a call; with the others the user may never have joined. */
const endCalls: readonly ErrorCode[] = [
  'left',
  'replaced',
  'kicked',
  'room-ended',
  'session-lost',
  'slow-consumer',
  'too-long',
  'unknown-session',
  'events-gone',
];

/** How a call ended, or why it did not start. */
export const endingOf = (code: ErrorCode): Ending => {
  const endings: Record<Exclude<ErrorCode, IncompatibleCode>, Pick<Ending, 'title' | 'text'>> = failures.endings;
  return {
    ...(entryOf(endings, code) ?? failures.unfit),
    next: terminal.includes(code) ? 'new-room' : 'again',
    again: endCalls.includes(code) ? closing.again : closing.retry,
  };
};

/** Why a device, or both, are not on, and what to do. */
export const problemOf = (kind: DeviceKind | 'both', problem: MediaProblem, browser: Browser = 'other'): string => {
  const text = failures.problems[problem][kind];
  return problem === 'denied' ? `${text} ${failures.permissions[browser]}` : text;
};

/** Why joining is delayed. Undefined for other codes. */
export const delayOf = (code: ErrorCode): string | undefined => entryOf<string>(failures.delays, code);

/** Why an action of the user was refused. */
export const refusalOf = (code: ErrorCode): string =>
  entryOf<string>(failures.refusals, code) ?? failures.refusals.other;
