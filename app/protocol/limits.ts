/** What one message may hold, apart from its size in bytes; the same on every server. Lengths are in UTF-16 code units, as `String.length` counts. */
export const most = {
  name: 64,
  text: 4000,
  passcode: 256,
  token: 8192,
  /** JSON text of a signal's `data`. An offer of a browser with a camera, a screen and all its codecs has about 15 000. */
  signal: 32_768,
  /** Objects and lists inside each other, the message itself included. */
  depth: 32,
} as const;

/** The form of a peer's id. */
export const peerIdForm = /^[\w-]{1,32}$/;
