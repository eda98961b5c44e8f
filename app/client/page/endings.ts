/** How a call ended, or why it did not begin, in the words of the page. */
import type { ErrorCode } from '../../protocol/errors.ts';

/** `next` is what is offered first. */
export type Ending = { title: string; text: string; next: 'again' | 'new-room' };

const brokenPage: Ending = {
  title: 'Something does not fit',
  text: 'This page and the server did not understand each other. Joining again usually helps; if not, reload the page.',
  next: 'again',
};

export const endings: Record<ErrorCode, Ending> = {
  left: { title: 'You left the call', text: 'Your camera and microphone are off.', next: 'again' },
  replaced: {
    title: 'You are here in another place',
    text: 'This call goes on in another tab or window. Close this one, or come back into the call here.',
    next: 'again',
  },
  'room-full': {
    title: 'The room is full',
    text: 'Nobody else fits in right now. Try again when someone has left, or open a room of your own.',
    next: 'new-room',
  },
  'bad-room-name': {
    title: 'This room name does not work',
    text: 'A room name has 1 to 64 letters, digits, “-” or “_”, and no spaces.',
    next: 'new-room',
  },
  'room-locked': {
    title: 'The room is locked',
    text: 'Nobody else may come in for now. Ask a host who is inside to unlock it, then join again.',
    next: 'again',
  },
  'passcode-needed': {
    title: 'This room has a passcode',
    text: 'Ask whoever invited you for it, and join again with it.',
    next: 'again',
  },
  'wrong-passcode': {
    title: 'That is not the passcode',
    text: 'Check it with whoever invited you, and try again.',
    next: 'again',
  },
  'lobby-full': {
    title: 'Too many are waiting',
    text: 'So many people wait to be let in that there is no place for more. Please try again in a while.',
    next: 'again',
  },
  denied: {
    title: 'You were not let in',
    text: 'A host of this room declined. Ask them if that was meant, then knock again.',
    next: 'again',
  },
  kicked: {
    title: 'You were removed from the call',
    text: 'A host of the room decided that. Ask them if it was meant, or open a room of your own.',
    next: 'new-room',
  },
  'room-ended': {
    title: 'The call has ended',
    text: 'A host ended it for everyone, or everyone has left.',
    next: 'new-room',
  },
  'too-many-rooms': {
    title: 'No place for another room',
    text: 'The server has as many rooms as it can keep. Please try again in a while.',
    next: 'again',
  },
  'origin-refused': {
    title: 'This address may not call',
    text: 'The server does not accept calls from the address that you opened. Ask whoever runs it for the right one.',
    next: 'again',
  },
  'token-missing': {
    title: 'You need an invitation',
    text: 'This server lets in only who comes by a personal link. Ask whoever invited you for yours.',
    next: 'again',
  },
  'token-expired': {
    title: 'Your link has expired',
    text: 'It was valid for a limited time. Ask whoever invited you for a new one.',
    next: 'again',
  },
  'token-not-yet-valid': {
    title: 'You are early',
    text: 'Your link does not work yet. Try again when the call is due to begin.',
    next: 'again',
  },
  'token-invalid': {
    title: 'Your link does not work',
    text: 'It may have been cut off on its way. Open it again, all of it, or ask for a new one.',
    next: 'again',
  },
  'token-wrong-room': {
    title: 'Your link is for another room',
    text: 'Open the link as you got it, or ask for one to this room.',
    next: 'again',
  },
  'token-used': {
    title: 'Your link has been used',
    text: 'It lets somebody in once. Ask whoever invited you for a new one.',
    next: 'again',
  },
  'store-unavailable': {
    title: 'The server is out of order for a moment',
    text: 'It cannot reach the rooms it keeps. It tries again by itself; please join again in a while.',
    next: 'again',
  },
  'session-lost': {
    title: 'The server lost your place',
    text: 'Something behind it was restarted. Join again to be back.',
    next: 'again',
  },
  draining: {
    title: 'The server is restarting',
    text: 'It should be back in a moment. Please join again then.',
    next: 'again',
  },
  internal: {
    title: 'The server made a mistake',
    text: 'It was not you. Joining again usually helps.',
    next: 'again',
  },
  'rate-limited': {
    title: 'That was too fast',
    text: 'Too much was sent in too short a time. Wait a moment, then join again.',
    next: 'again',
  },
  'slow-consumer': {
    title: 'Your connection could not keep up',
    text: 'Too much was waiting to reach you. Join again, with a better network if you can.',
    next: 'again',
  },
  'join-timeout': {
    title: 'Joining took too long',
    text: 'The server waited for this page in vain. Please join again.',
    next: 'again',
  },
  'too-long': {
    title: 'That message was too long',
    text: 'The server closed the call because of a message that was far too long. Please join again.',
    next: 'again',
  },
  'unknown-session': {
    title: 'You were away too long',
    text: 'The room has let your place go. Join again to be back.',
    next: 'again',
  },
  'events-gone': {
    title: 'You were away too long',
    text: 'What you missed is no longer kept. Join again to be back.',
    next: 'again',
  },
  'unknown-peer': { title: 'That person has left', text: 'They are no longer in the room.', next: 'again' },
  'not-allowed': brokenPage,
  'last-host': brokenPage,
  waiting: brokenPage,
  'stale-epoch': brokenPage,
  'bad-json': brokenPage,
  'unknown-type': brokenPage,
  'bad-message': brokenPage,
  'not-joined': brokenPage,
  'upgrade-lost': brokenPage,
  'already-joined': brokenPage,
  'out-of-order': brokenPage,
};
