/** The table of all errors: a stable code, its sentence, its HTTP status and its close code. */

/**
 * How an error is reported to the client that caused it.
 * - `status`: HTTP status on the plain HTTP transport and at the WebSocket handshake.
 * - `close`: WebSocket close code; if absent, the connection stays open after an `error` message, as it does after a `too-long`
 *   that settles `n`. 4000–4499: the client may reconnect (after `bye.retry` milliseconds); 4500–4999: it must not.
 * - `retry`: milliseconds after which the client may repeat the message or connect again. Without it, the refusal is final
 *   and settles the message's number `n`; with it, `n` stays open and the message can be sent again.
 */
export type Fate = { message: string; status: number; close?: number; retry?: number };

export const errors = {
  // Invalid messages.
  'bad-json': { message: 'Messages are JSON text, one object each.', status: 400, close: 4500 },
  'too-long': { message: 'The message is longer than this server accepts.', status: 413, close: 4501 },
  'unknown-type': { message: 'There is no message of this type.', status: 400 },
  'bad-message': { message: 'The message does not have the form its type asks for.', status: 400 },
  // Messages in the wrong state, or to the wrong endpoint or peer.
  'not-joined': { message: 'Join the room first.', status: 401 },
  'already-joined': { message: 'This connection has joined already.', status: 409 },
  'unknown-session': { message: 'This session is over, or never was; join again.', status: 401 },
  'unknown-peer': { message: 'No such peer is in this room.', status: 404 },
  'stale-epoch': {
    message: 'One of the two peers has joined anew since; this signal is for the connection before.',
    status: 409,
  },
  'out-of-order': { message: 'Messages are numbered 1, 2, 3 … without gaps.', status: 409, retry: 0 },
  waiting: { message: 'A host has to let you in first.', status: 409, retry: 1000 },
  'not-allowed': { message: 'Only a host may do this.', status: 403 },
  'last-host': { message: 'The last host stays host until there is another.', status: 409 },
  'rate-limited': { message: 'Too much in too short a time.', status: 429, close: 4002, retry: 1000 },
  'events-gone': { message: 'The events asked for are no longer kept; join again with this session.', status: 410 },
  'upgrade-lost': { message: 'This address is for WebSockets, and no Upgrade came with the request.', status: 426 },
  // Rejected joins.
  'bad-room-name': { message: 'A room name has 1 to 64 letters, digits, "-" or "_".', status: 400, close: 4504 },
  'room-full': { message: 'The room is full.', status: 409, close: 4503 },
  'room-locked': { message: 'The room is locked.', status: 403, close: 4508 },
  'passcode-needed': { message: 'The room has a passcode.', status: 401, close: 4509 },
  'wrong-passcode': { message: 'The passcode is wrong.', status: 403, close: 4510 },
  'lobby-full': { message: 'Too many are waiting already.', status: 503, close: 4006, retry: 10_000 },
  'too-many-rooms': { message: 'This server has no place for another room.', status: 503, close: 4004, retry: 10_000 },
  'token-missing': { message: 'This server lets in only who has a token.', status: 401, close: 4520 },
  'token-expired': { message: 'The token has expired.', status: 401, close: 4521 },
  'token-not-yet-valid': { message: 'The token is not valid yet.', status: 401, close: 4522 },
  'token-invalid': { message: 'The token is not one that this server accepts.', status: 401, close: 4523 },
  'token-wrong-room': { message: 'The token is for another room.', status: 403, close: 4524 },
  'token-used': { message: 'The token was for one entrance, and has been used.', status: 403, close: 4525 },
  'origin-refused': { message: 'Pages of this origin may not use this server.', status: 403, close: 4505 },
  // Decisions of a host.
  denied: { message: 'A host did not let you in.', status: 403, close: 4511 },
  kicked: { message: 'A host removed you from the room.', status: 403, close: 4512 },
  'room-ended': { message: 'The room has ended.', status: 410, close: 4513 },
  // Timeouts, limits and failures of the server.
  'join-timeout': { message: 'No join arrived in time.', status: 408, close: 4001, retry: 1000 },
  'slow-consumer': { message: 'Too much was waiting to be read.', status: 503, close: 4003, retry: 500 },
  replaced: { message: 'This session goes on over a newer connection.', status: 409, close: 4506 },
  left: { message: 'The peer has left the room.', status: 200, close: 4507 },
  'store-unavailable': {
    message: 'The server cannot reach what it keeps its rooms in; it keeps retrying.',
    status: 503,
    close: 4007,
    retry: 1000,
  },
  'keys-unavailable': {
    message: 'The server cannot fetch the keys that tokens are checked with; it keeps retrying.',
    status: 503,
    close: 4009,
    retry: 5000,
  },
  'session-lost': { message: 'The server has lost this session; join again.', status: 503, close: 4008, retry: 500 },
  draining: { message: 'The server is restarting.', status: 503, close: 4000, retry: 1000 },
  internal: { message: 'The server made a mistake; it has been logged.', status: 500, close: 4005, retry: 2000 },
} as const satisfies Record<string, Fate>;

export type ErrorCode = keyof typeof errors;

/** The entry of a code, with its optional fields. */
export const fateOf = (code: ErrorCode): Fate => errors[code];

/** Errors that a host or a newer connection of the same client causes. */
const decidedByOthers = new Set<ErrorCode>(['denied', 'kicked', 'room-ended', 'replaced']);

/** Whether the client sent something invalid, or too much. */
export const isCausedByClient = ({ refused }: Refusal): boolean => {
  const { status } = errors[refused];
  return status >= 400 && status < 500 && !decidedByOthers.has(refused);
};

/** `detail` names what is wrong and where in this case; `retry` (ms) overrides that of the table. */
export type Refusal = { refused: ErrorCode; detail?: string; retry?: number };

export const refuse = (refused: ErrorCode, detail?: string): Refusal =>
  detail === undefined ? { refused } : { refused, detail };

/** Milliseconds until a retry; undefined = the refusal is final. */
export const retryOf = ({ refused, retry }: Refusal): number | undefined => retry ?? fateOf(refused).retry;

/** The sentence of the table, followed by the detail in parentheses. */
export const sentence = ({ refused, detail }: Refusal): string =>
  detail === undefined ? errors[refused].message : `${errors[refused].message} (${detail})`;
