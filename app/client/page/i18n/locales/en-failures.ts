/** English: messages for errors, the end of a call, and the connection check. */

export const failures = {
  /** Why a camera, a microphone or both are not on. */
  problems: {
    denied: {
      camera: 'Camera access is blocked.',
      microphone: 'Microphone access is blocked.',
      both: 'Camera and microphone access is blocked.',
    },
    missing: {
      camera: 'No camera found.',
      microphone: 'No microphone found.',
      both: 'No camera or microphone found.',
    },
    busy: {
      camera: 'Another app is using your camera. Close that app and try again.',
      microphone: 'Another app is using your microphone. Close that app and try again.',
      both: 'Another app is using your camera and microphone. Close that app and try again.',
    },
    gone: {
      camera: 'Your camera was unplugged, or this page lost access to it.',
      microphone: 'Your microphone was unplugged, or this page lost access to it.',
      both: 'Your camera and microphone were unplugged, or this page lost access to them.',
    },
    insecure: {
      camera: 'Browsers allow camera access only on secure pages. Open this page with https://.',
      microphone: 'Browsers allow microphone access only on secure pages. Open this page with https://.',
      both: 'Browsers allow camera and microphone access only on secure pages. Open this page with https://.',
    },
    unsupported: {
      camera: 'This browser can’t use a camera. Try a current browser.',
      microphone: 'This browser can’t use a microphone. Try a current browser.',
      both: 'This browser can’t use a camera or microphone. Try a current browser.',
    },
    broken: {
      camera: 'Your camera didn’t start. Try again or choose another one.',
      microphone: 'Your microphone didn’t start. Try again or choose another one.',
      both: 'Your camera and microphone didn’t start. Try again or choose other ones.',
    },
  },

  /** How to allow a blocked camera or microphone; menus as the browsers name them in this language. */
  permissions: {
    chrome: 'Click the icon at the left of the address bar and allow access, then turn it on here.',
    firefox: 'Click the crossed-out icon at the left of the address bar and remove the block, then turn it on here.',
    safari:
      'Open the page menu at the left of the address bar (or Safari › Settings › Websites) and allow access, then turn it on here.',
    other: 'Allow access in the address bar or in your browser’s settings, then turn it on here.',
  },

  /** Why joining is delayed, and that the page retries by itself. */
  delays: {
    draining: 'The server is restarting. You’ll be back in a moment…',
    'lobby-full': 'Too many people are waiting to be let in. Trying again in a moment…',
    'too-many-rooms': 'The server can’t open another room right now. Trying again in a moment…',
    'rate-limited': 'Too many attempts. Trying again in a moment…',
    'store-unavailable': 'The server can’t access its data. Trying again in a moment…',
    'keys-unavailable': 'The server can’t verify invitations right now. Trying again in a moment…',
    internal: 'Something went wrong on the server. Trying again…',
  },

  /** Why an action of the user was refused. */
  refusals: {
    'not-allowed': 'Only a host can do that.',
    'last-host': 'There must be at least one host. Make someone else a host first.',
    'unknown-peer': 'That person is no longer here.',
    'rate-limited': 'Too many requests. Wait a moment and try again.',
    other: 'That didn’t work. Try again.',
  },

  /** How a call ended, or why it did not start. */
  endings: {
    left: { title: 'You left the call', text: 'Your camera and microphone are off.' },
    replaced: {
      title: 'You joined from another tab',
      text: 'The call continues in another tab or window. Close this one, or join again here.',
    },
    'room-full': {
      title: 'The room is full',
      text: 'No one else can join right now. Try again when someone has left, or open a new room.',
    },
    'bad-room-name': {
      title: 'This room name isn’t valid',
      text: 'A room name can have 1 to 64 letters, digits, “-” or “_”, and no spaces.',
    },
    'room-locked': {
      title: 'The room is locked',
      text: 'No one else can join for now. Ask a host to unlock it, then try again.',
    },
    'passcode-needed': {
      title: 'This room has a passcode',
      text: 'Ask whoever invited you for it, then try again.',
    },
    'wrong-passcode': { title: 'Wrong passcode', text: 'Check it with whoever invited you, then try again.' },
    'lobby-full': {
      title: 'Too many people are waiting',
      text: 'The waiting room is full. Please try again in a while.',
    },
    denied: {
      title: 'You were not let in',
      text: 'A host declined your request to join. Check with them, then try again.',
    },
    kicked: {
      title: 'You were removed from the call',
      text: 'A host removed you. Check with them, or open a new room.',
    },
    'room-ended': { title: 'The call has ended', text: 'A host ended it for everyone, or everyone has left.' },
    'too-many-rooms': {
      title: 'No more rooms available',
      text: 'The server has reached its room limit. Please try again in a while.',
    },
    'origin-refused': {
      title: 'Calls aren’t allowed from this address',
      text: 'The server doesn’t accept calls from the address you opened. Ask whoever runs it for the right one.',
    },
    'token-missing': {
      title: 'You need an invitation',
      text: 'Joining requires a personal invitation link. Ask whoever invited you for yours.',
    },
    'token-expired': {
      title: 'Your link has expired',
      text: 'It was valid for a limited time. Ask whoever invited you for a new one.',
    },
    'token-not-yet-valid': {
      title: 'You’re early',
      text: 'Your link isn’t valid yet. Try again when the call is due to start.',
    },
    'token-invalid': {
      title: 'Your link doesn’t work',
      text: 'It may be incomplete. Open the full link again, or ask for a new one.',
    },
    'token-wrong-room': {
      title: 'Your link is for another room',
      text: 'Open the link exactly as you received it, or ask for a link to this room.',
    },
    'token-used': {
      title: 'Your link has already been used',
      text: 'It works only once. Ask whoever invited you for a new one.',
    },
    'store-unavailable': {
      title: 'The server is temporarily unavailable',
      text: 'It can’t access its data right now and keeps retrying. Please try again in a while.',
    },
    'keys-unavailable': {
      title: 'Your link can’t be verified right now',
      text: 'The server can’t reach the service that verifies links and keeps retrying. Please try again in a while.',
    },
    'session-lost': {
      title: 'You were disconnected',
      text: 'A part of the server was restarted. Join again to get back in.',
    },
    draining: { title: 'The server is restarting', text: 'It should be back in a moment. Please try again then.' },
    internal: { title: 'Something went wrong', text: 'The problem is on the server. Trying again usually helps.' },
    'rate-limited': {
      title: 'Too many requests',
      text: 'Too much was sent in a short time. Wait a moment, then try again.',
    },
    'slow-consumer': {
      title: 'Your connection couldn’t keep up',
      text: 'Too much data was waiting to reach you. Join again, on a better network if you can.',
    },
    'join-timeout': {
      title: 'Joining took too long',
      text: 'The server timed out waiting for this page. Please try again.',
    },
    'too-long': {
      title: 'That message was too long',
      text: 'The server disconnected you because a message was far too long. Please join again.',
    },
    'unknown-session': {
      title: 'You were away too long',
      text: 'The room no longer holds your place. Join again to get back in.',
    },
    'events-gone': {
      title: 'You were away too long',
      text: 'What you missed is no longer available. Join again to get back in.',
    },
    'unknown-peer': { title: 'That person has left', text: 'They are no longer in the room.' },
  },
  /** For all other codes, which only a page incompatible with the server receives. */
  unfit: {
    title: 'This page doesn’t match the server',
    text: 'They couldn’t understand each other. Trying again usually helps; if not, reload the page.',
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
    http: 'Fallback connection to the server (HTTP)',
    stun: 'Direct connection to others (STUN)',
    'turn-udp': 'Relay (TURN, UDP)',
    'turn-tcp': 'Relay through a strict firewall (TURN, TCP)',
  },
  good: 'Works',
  held: 'Works, but slowly: something along the way is delaying responses.',
  site: 'The server is refusing this page. Tell whoever runs it; you can’t fix this from here.',
  off: 'Off',
  none: 'Not offered by this server',
  unknown: 'Can only be checked during a call',
  bad: {
    camera: 'Not working. Others won’t see you. See below the preview for what to do.',
    microphone: 'Not working. Others won’t hear you. See below the preview for what to do.',
    websocket:
      'Blocked on your network or in front of the server. Calls still work over the fallback connection, a little slower.',
    http: 'Can’t reach the server. Check your network or try another one.',
    stun: 'No response. Calls need a relay; on a restricted network, ask for UDP to be allowed.',
    'turn-udp': 'No response. UDP seems to be blocked here; the TCP relay may still work.',
    'turn-tcp': 'No response. If nothing above works either, try another network, such as your phone’s.',
  },
  verdict: {
    good: 'You’re ready for a call.',
    fair: 'Calls should work, using a fallback where something is blocked.',
    bad: 'Calls will probably not work from here. Try another network, or turn off your VPN.',
  },
};
