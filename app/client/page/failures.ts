/** Why something does not work, in the words of the page: devices, the way to the server, what was asked of the room. */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Browser } from './browser.ts';
import type { Kind, MediaProblem } from './devices.ts';

/** Why a camera, a microphone or both are not on. */
export const problems: Record<MediaProblem, Record<Kind | 'both', string>> = {
  denied: {
    camera: 'This page may not use your camera.',
    microphone: 'This page may not use your microphone.',
    both: 'This page may not use your camera and microphone.',
  },
  missing: {
    camera: 'No camera was found.',
    microphone: 'No microphone was found.',
    both: 'No camera and no microphone were found.',
  },
  busy: {
    camera: 'The camera is in use by another program. Close that one, then try again.',
    microphone: 'The microphone is in use by another program. Close that one, then try again.',
    both: 'Camera and microphone are in use by another program. Close that one, then try again.',
  },
  gone: {
    camera: 'The camera was unplugged, or taken away from this page.',
    microphone: 'The microphone was unplugged, or taken away from this page.',
    both: 'Camera and microphone were unplugged, or taken away from this page.',
  },
  insecure: {
    camera: 'Browsers give the camera only to secure pages. Open this one with https://.',
    microphone: 'Browsers give the microphone only to secure pages. Open this one with https://.',
    both: 'Browsers give camera and microphone only to secure pages. Open this one with https://.',
  },
  unsupported: {
    camera: 'This browser cannot use a camera. A current one can.',
    microphone: 'This browser cannot use a microphone. A current one can.',
    both: 'This browser cannot use a camera or a microphone. A current one can.',
  },
  broken: {
    camera: 'The camera did not start. Try again, or choose another.',
    microphone: 'The microphone did not start. Try again, or choose another.',
    both: 'Camera and microphone did not start. Try again, or choose others.',
  },
};

/** How a refused camera or microphone is allowed again. */
export const permissions: Record<Browser, string> = {
  chrome: 'Click the icon at the left of the address bar, allow it there, then turn it on here.',
  firefox: 'Click the crossed-out sign at the left of the address bar, remove the block, then turn it on here.',
  safari:
    'Open the page menu at the left of the address bar (or Safari › Settings for This Website), allow it there, then turn it on here.',
  other: 'Allow it in the address bar or in the settings of your browser, then turn it on here.',
};

/** Why the server does not let us in at once, and that the page tries again by itself. */
export const delays: Partial<Record<ErrorCode, string>> = {
  draining: 'The server is restarting. You will be back in a moment…',
  'lobby-full': 'Too many are waiting to be let in. Trying again in a moment…',
  'too-many-rooms': 'The server has no place for another room. Trying again in a moment…',
  'rate-limited': 'Too many attempts in a short time. Trying again in a moment…',
  'store-unavailable': 'The server cannot reach its store. Trying again in a moment…',
  internal: 'The server made a mistake. Trying again…',
};

/** Why something that a person asked for was not done. */
export const refusals: Partial<Record<ErrorCode, string>> = {
  'not-allowed': 'Only a host may do that.',
  'last-host': 'The last host stays host. Make somebody else a host first.',
  'unknown-peer': 'That person is no longer here.',
  'rate-limited': 'That was too much at once. Wait a moment.',
};
