/** Every word that the page shows or says, but for the endings. */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Access } from '../genkan.ts';
import type { Browser } from './browser.ts';
import type { Kind, MediaProblem } from './devices.ts';
import { type Ending, endings } from './endings.ts';

/** Why a camera, a microphone or both are not on. */
const problems: Record<MediaProblem, Record<Kind | 'both', string>> = {
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
const permissions: Record<Browser, string> = {
  chrome: 'Click the icon at the left of the address bar, allow it there, then turn it on here.',
  firefox: 'Click the crossed-out sign at the left of the address bar, remove the block, then turn it on here.',
  safari:
    'Open the page menu at the left of the address bar (or Safari › Settings for This Website), allow it there, then turn it on here.',
  other: 'Allow it in the address bar or in the settings of your browser, then turn it on here.',
};

/** Why the server does not let us in at once, and that the page tries again by itself. */
const delays: Partial<Record<ErrorCode, string>> = {
  draining: 'The server is restarting. You will be back in a moment…',
  'lobby-full': 'Too many are waiting to be let in. Trying again in a moment…',
  'too-many-rooms': 'The server has no place for another room. Trying again in a moment…',
  'rate-limited': 'Too many attempts in a short time. Trying again in a moment…',
  internal: 'The server made a mistake. Trying again…',
};

/** Why something that a person asked for was not done. */
const refusals: Partial<Record<ErrorCode, string>> = {
  'not-allowed': 'Only a host may do that.',
  'last-host': 'The last host stays host. Make somebody else a host first.',
  'unknown-peer': 'That person is no longer here.',
  'rate-limited': 'That was too much at once. Wait a moment.',
};

export const words = {
  product: 'Genkan',
  someone: 'Guest',
  cancel: 'Cancel',
  close: 'Close',

  landing: {
    title: 'Talk face to face',
    text: 'Open a room, send the link, and you are in a call: nothing to install, no account.',
    newRoom: 'New room',
    or: 'or go to a room by its name',
    room: 'Room name',
    go: 'Go to room',
    missing: 'Write the name of a room, such as “garden”.',
    invalid: 'Only letters, digits, “-” and “_”, and no spaces.',
    tooLong: 'A room name has at most 64 letters.',
    options: 'Who may come into a new room',
    recent: 'Rooms you were in',
    forget: 'Forget these rooms',
  },

  lobby: {
    title: 'Ready to join?',
    room: (room: string) => `Room ${room}`,
    name: 'Your name',
    nameHint: 'The others see it. You can leave it empty.',
    preview: 'Your camera',
    previewOff: 'Camera is off',
    previewAsking: 'Your browser is asking whether this page may use your camera and microphone.',
    join: 'Join',
    withoutMedia: 'You can join without camera and microphone: you will see and hear the others.',
    tooOld: 'This browser is too old for calls. Please open this page in a current Chrome, Edge, Firefox or Safari.',
    check: 'Check my connection',
  },

  devices: {
    title: 'Devices',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    level: 'Microphone level',
    test: 'Play a sound',
    testing: 'Playing…',
    replaced: (label: string) => `${label} is used now.`,
  },

  passcode: {
    title: 'This room has a passcode',
    text: 'Ask whoever invited you for it.',
    label: 'Passcode',
    wrong: 'That is not the passcode. Check it, and try again.',
    missing: 'Write the passcode.',
    enter: 'Join',
    back: 'Back',
  },

  waiting: {
    title: 'Somebody will let you in',
    host: 'A host is here and sees that you are waiting.',
    noHost: 'No host is here yet. You stay in line until one comes.',
    stay: 'You can leave this page open. Nobody sees or hears you yet.',
    leave: 'Stop waiting',
  },

  call: {
    title: (room: string) => `Call in ${room}`,
    people: 'People in the call',
    controls: 'Call controls',
    you: 'You',
    youNamed: (name: string) => `${name} (you)`,
    camera: 'Camera',
    microphone: 'Microphone',
    screen: 'Share screen',
    hand: 'Raise hand',
    chat: 'Chat',
    unread: (count: number) => (count === 1 ? '1 new message' : `${count} new messages`),
    everyone: 'People',
    more: 'More',
    invite: 'Invite',
    leave: 'Leave',
    alone: 'You are the first one here',
    aloneText: 'Send the link to whoever should come.',
    joining: 'Joining the room…',
    unreachable: 'The server does not answer. Trying again…',
    reconnecting: 'The connection to the server is lost. Reconnecting… You still see and hear each other.',
    blocked: 'Tap to see and hear everyone',
    joined: (name: string) => `${name} joined`,
    left: (name: string) => `${name} left`,
    lost: (name: string) => `${name} lost the connection`,
    kicked: (name: string) => `${name} was removed by a host`,
    raised: (name: string) => `${name} raised a hand`,
    letIn: 'You were let in',
    back: 'You are back in your seat',
    nowHost: 'You are a host now: you can let people in, and decide who stays.',
    nowGuest: 'You are a guest now.',
    access: {
      open: 'The room is open to everyone.',
      knock: 'Newcomers have to be let in now.',
      locked: 'The room is locked now: nobody else comes in.',
    } satisfies Record<Access, string>,
    badge: { open: '', knock: 'Newcomers knock', locked: 'Locked' } satisfies Record<Access, string>,
    talking: 'You are heard while you hold the space bar',
  },

  screen: {
    yours: 'You are sharing your screen',
    stop: 'Stop sharing',
    theirs: (name: string) => `${name} shares a screen`,
    of: (name: string) => `Screen of ${name}`,
    failed: 'The screen could not be shared. Your system may have to allow that to this browser.',
    began: (name: string) => `${name} began to share a screen`,
  },

  tile: {
    microphoneOff: 'Microphone off',
    cameraOff: 'Camera off',
    connecting: 'Connecting…',
    reconnecting: 'Connection lost, trying again…',
    failed: 'No connection to this person',
    retry: 'Try again',
    away: 'Away: reconnecting…',
    hand: 'Hand raised',
    speaking: 'Speaking',
    pin: (name: string) => `Pin ${name}`,
    unpin: (name: string) => `Unpin ${name}`,
  },

  chat: {
    title: 'Chat',
    messages: 'Messages',
    empty: 'No messages yet. What you write is seen by everyone in the room, and by who joins a little later.',
    message: 'Message',
    send: 'Send',
    close: 'Close chat',
    you: 'You',
    sending: 'Sending…',
    notSent: 'Not sent',
    said: (name: string, text: string) => `${name}: ${text}`,
  },

  people: {
    title: 'People',
    close: 'Close people',
    list: 'Who is here',
    waiting: 'Waiting to come in',
    waitingCount: (count: number) => `${count} waiting`,
    knocks: (name: string) => `${name} wants to come in`,
    knock: (count: number) => `${count} people want to come in`,
    show: 'Show',
    admit: 'Let in',
    deny: 'Decline',
    admitAll: 'Let everyone in',
    admitNamed: (name: string) => `Let ${name} in`,
    denyNamed: (name: string) => `Decline ${name}`,
    away: 'Away',
    host: 'Host',
    actions: (name: string) => `Decide about ${name}`,
    mute: 'Ask to mute',
    muteCamera: 'Ask to turn off the camera',
    muteScreen: 'Ask to stop sharing',
    muteSent: (name: string) => `${name} was asked`,
    makeHost: 'Make host',
    makeGuest: 'Make guest',
    kick: 'Remove…',
    kickTitle: (name: string) => `Remove ${name}?`,
    kickText: 'They leave the call at once and are told that a host removed them.',
    kickBan: 'Also keep this visitor from coming back',
    kickDo: 'Remove',
  },

  room: {
    title: 'The room',
    access: 'Who may come in',
    open: 'Everyone who has the link',
    knock: 'Whom a host lets in',
    locked: 'Nobody more',
    passcode: 'Passcode',
    passcodeSet: 'Newcomers need a passcode.',
    passcodeNone: 'Newcomers need none.',
    set: 'Set',
    change: 'Change',
    clear: 'Remove passcode',
    passcodeIsSet: 'The passcode is set',
    passcodeIsGone: 'The passcode is removed',
    noPasscode: 'Leave it empty for none.',
    end: 'End the call for everyone…',
    endTitle: 'End the call for everyone?',
    endText: 'Everyone leaves, and the room forgets what was said and set.',
    endDo: 'End for everyone',
  },

  asked: {
    audio: (name: string) => `${name} asks you to mute your microphone.`,
    video: (name: string) => `${name} asks you to turn off your camera.`,
    screen: (name: string) => `${name} asks you to stop sharing your screen.`,
    do: { audio: 'Mute', video: 'Turn off', screen: 'Stop sharing' },
    not: 'Not now',
  },

  leaving: {
    title: 'Leave the call?',
    text: 'You are the only host. When you leave, the one who has been here longest becomes host.',
    leave: 'Leave',
    stay: 'Stay',
  },

  invite: {
    title: 'Invite people',
    text: 'Whoever has this link can come to the door of this room.',
    link: 'Link to this room',
    copy: 'Copy link',
    share: 'Share…',
    copied: 'Link copied',
    notCopied: 'The link could not be copied. Take it from the address bar.',
    passcode: 'Newcomers also need the passcode.',
    knock: 'A host has to let newcomers in.',
    locked: 'The room is locked: nobody can come in until a host changes that.',
  },

  more: {
    fullScreen: 'Full screen',
    endFullScreen: 'End full screen',
    picture: 'Picture in picture',
    devices: 'Devices…',
    keys: 'Keyboard shortcuts…',
    invite: 'Invite…',
    hand: 'Raise hand',
    lowerHand: 'Lower hand',
    screen: 'Share screen',
  },

  keys: {
    title: 'Keyboard shortcuts',
    on: 'Use single keys as shortcuts',
    space: 'Space bar',
    what: {
      microphone: 'Microphone on or off',
      camera: 'Camera on or off',
      hand: 'Raise or lower your hand',
      screen: 'Share your screen, or stop',
      chat: 'Chat',
      people: 'People',
      fullScreen: 'Full screen',
      keys: 'This list',
      talk: 'Talk while you hold it, when you are muted',
    },
  },

  check: {
    title: 'Connection check',
    again: 'Check again',
    running: 'Checking…',
    parts: {
      camera: 'Camera',
      microphone: 'Microphone',
      websocket: 'Fast connection to the server (WebSocket)',
      http: 'Spare connection to the server (HTTP)',
      stun: 'Direct way to others (STUN)',
      'turn-udp': 'Way round a firewall (TURN, UDP)',
      'turn-tcp': 'Way round a strict firewall (TURN, TCP)',
    },
    good: 'Works',
    off: 'Is off',
    none: 'The server offers none',
    unknown: 'Can be told only inside the call',
    bad: {
      camera: 'Does not work. Others will not see you; what to do stands below the picture.',
      microphone: 'Does not work. Others will not hear you; what to do stands below the picture.',
      websocket: 'Is blocked on your network. Calls still work by the spare connection, a little slower.',
      http: 'The server cannot be reached. Check your network, or try another one.',
      stun: 'Got no answer. Calls need a way round: in a strict network ask for UDP to be allowed.',
      'turn-udp': 'Got no answer. UDP seems to be blocked here; the TCP way may still do.',
      'turn-tcp': 'Got no answer. If nothing above works either, try another network, such as that of your phone.',
    },
    verdict: {
      good: 'You are ready for a call.',
      fair: 'Calls should work, with a spare way where something is blocked.',
      bad: 'A call will probably not work from here. Try another network, or turn off a VPN.',
    },
  },

  closing: { again: 'Join again', newRoom: 'New room', start: 'Start page' },

  problem: (kind: Kind | 'both', problem: MediaProblem, browser: Browser = 'other'): string =>
    problem === 'denied' ? `${problems.denied[kind]} ${permissions[browser]}` : problems[problem][kind],
  ending: (code: ErrorCode): Ending => endings[code],
  delay: (code: ErrorCode): string | undefined => delays[code],
  refusal: (code: ErrorCode): string => refusals[code] ?? 'That was not possible just now. Try again.',
} as const;
