/** Limits within a message, the same on every server. Lengths are in UTF-16 code units, as in `String.length`. */
export const most = {
  name: 64,
  text: 4000,
  passcode: 256,
  token: 8192,
  /** JSON text of a signal's `data`. A browser's offer with a camera, a screen and all its codecs has about 15 000 characters. */
  signal: 32_768,
  /** Nesting depth of objects and arrays, including the message itself. */
  depth: 32,
} as const;

/** The format of a peer id. */
export const peerIdForm = /^[\w-]{1,32}$/;
