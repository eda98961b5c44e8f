/** English: messages for errors, the end of a call, and the connection check. */

export const failures = {
  /** Why a camera, a microphone or both are not on. */
  problems: {
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
  },

  /** How to allow a blocked camera or microphone; menus as the browsers name them in this language. */
  permissions: {
    chrome: 'Click the icon at the left of the address bar, allow it there, then turn it on here.',
    firefox: 'Click the crossed-out sign at the left of the address bar, remove the block, then turn it on here.',
    safari:
      'Open the page menu at the left of the address bar (or Safari › Settings › Websites), allow it there, then turn it on here.',
    other: 'Allow it in the address bar or in the settings of your browser, then turn it on here.',
  },

  /** Why joining is delayed, and that the page retries by itself. */
  delays: {
    draining: 'The server is restarting. You will be back in a moment…',
    'lobby-full': 'Too many are waiting to be let in. Trying again in a moment…',
    'too-many-rooms': 'The server has no place for another room. Trying again in a moment…',
    'rate-limited': 'Too many attempts in a short time. Trying again in a moment…',
    'store-unavailable': 'The server cannot reach its store. Trying again in a moment…',
    'keys-unavailable': 'The server cannot check invitations right now. Trying again in a moment…',
    internal: 'The server made a mistake. Trying again…',
  },

  /** Why an action of the user was refused. */
  refusals: {
    'not-allowed': 'Only a host may do that.',
    'last-host': 'The last host stays host. Make somebody else a host first.',
    'unknown-peer': 'That person is no longer here.',
    'rate-limited': 'That was too much at once. Wait a moment.',
    other: 'That was not possible just now. Try again.',
  },

  /** How a call ended, or why it did not start. */
  endings: {
    left: { title: 'You left the call', text: 'Your camera and microphone are off.' },
    replaced: {
      title: 'You are here in another place',
      text: 'This call goes on in another tab or window. Close this one, or come back into the call here.',
    },
    'room-full': {
      title: 'The room is full',
      text: 'Nobody else fits in right now. Try again when someone has left, or open a room of your own.',
    },
    'bad-room-name': {
      title: 'This room name does not work',
      text: 'A room name has 1 to 64 letters, digits, “-” or “_”, and no spaces.',
    },
    'room-locked': {
      title: 'The room is locked',
      text: 'Nobody else may come in for now. Ask a host who is inside to unlock it, then join again.',
    },
    'passcode-needed': {
      title: 'This room has a passcode',
      text: 'Ask whoever invited you for it, and join again with it.',
    },
    'wrong-passcode': { title: 'That is not the passcode', text: 'Check it with whoever invited you, and try again.' },
    'lobby-full': {
      title: 'Too many are waiting',
      text: 'So many people wait to be let in that there is no place for more. Please try again in a while.',
    },
    denied: {
      title: 'You were not let in',
      text: 'A host of this room declined. Ask them if that was meant, then knock again.',
    },
    kicked: {
      title: 'You were removed from the call',
      text: 'A host of the room decided that. Ask them if it was meant, or open a room of your own.',
    },
    'room-ended': { title: 'The call has ended', text: 'A host ended it for everyone, or everyone has left.' },
    'too-many-rooms': {
      title: 'No place for another room',
      text: 'The server has as many rooms as it can keep. Please try again in a while.',
    },
    'origin-refused': {
      title: 'This address may not call',
      text: 'The server does not accept calls from the address that you opened. Ask whoever runs it for the right one.',
    },
    'token-missing': {
      title: 'You need an invitation',
      text: 'This server lets in only who comes by a personal link. Ask whoever invited you for yours.',
    },
    'token-expired': {
      title: 'Your link has expired',
      text: 'It was valid for a limited time. Ask whoever invited you for a new one.',
    },
    'token-not-yet-valid': {
      title: 'You are early',
      text: 'Your link does not work yet. Try again when the call is due to begin.',
    },
    'token-invalid': {
      title: 'Your link does not work',
      text: 'It may have been cut off on its way. Open it again, all of it, or ask for a new one.',
    },
    'token-wrong-room': {
      title: 'Your link is for another room',
      text: 'Open the link as you got it, or ask for one to this room.',
    },
    'token-used': {
      title: 'Your link has been used',
      text: 'It lets somebody in once. Ask whoever invited you for a new one.',
    },
    'store-unavailable': {
      title: 'The server is out of order for a moment',
      text: 'It cannot reach the rooms it keeps. It tries again by itself; please join again in a while.',
    },
    'keys-unavailable': {
      title: 'Your link cannot be checked right now',
      text: 'The server cannot reach the service that vouches for links. It tries again by itself; please join again in a while.',
    },
    'session-lost': {
      title: 'The server lost your place',
      text: 'Something behind it was restarted. Join again to be back.',
    },
    draining: { title: 'The server is restarting', text: 'It should be back in a moment. Please join again then.' },
    internal: { title: 'The server made a mistake', text: 'It was not you. Joining again usually helps.' },
    'rate-limited': {
      title: 'That was too fast',
      text: 'Too much was sent in too short a time. Wait a moment, then join again.',
    },
    'slow-consumer': {
      title: 'Your connection could not keep up',
      text: 'Too much was waiting to reach you. Join again, with a better network if you can.',
    },
    'join-timeout': {
      title: 'Joining took too long',
      text: 'The server waited for this page in vain. Please join again.',
    },
    'too-long': {
      title: 'That message was too long',
      text: 'The server closed the call because of a message that was far too long. Please join again.',
    },
    'unknown-session': {
      title: 'You were away too long',
      text: 'The room has let your place go. Join again to be back.',
    },
    'events-gone': {
      title: 'You were away too long',
      text: 'What you missed is no longer kept. Join again to be back.',
    },
    'unknown-peer': { title: 'That person has left', text: 'They are no longer in the room.' },
  },
  /** For all other codes, which only a page incompatible with the server receives. */
  unfit: {
    title: 'Something does not fit',
    text: 'This page and the server did not understand each other. Joining again usually helps; if not, reload the page.',
  },
};

/** Results of the connection check. */
export const check = {
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
  held: 'Works, but slowly: something on the way keeps answers back.',
  site: 'The server turns this page away. Tell whoever runs it; nothing you can change here helps.',
  off: 'Is off',
  none: 'The server offers none',
  unknown: 'Can be told only inside the call',
  bad: {
    camera: 'Does not work. Others will not see you; what to do stands below the picture.',
    microphone: 'Does not work. Others will not hear you; what to do stands below the picture.',
    websocket:
      'Is blocked on your network or before the server. Calls still work by the spare connection, a little slower.',
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
};
