/** All errors of the protocol: a stable code with its sentence, HTTP status, close code and delay before a retry. */

/**
 * How an error is reported to the client.
 * - `message`: a sentence for developers.
 * - `status`: the HTTP status, on plain HTTP and at the WebSocket handshake.
 * - `close`: the WebSocket close code, if the error ends the connection. 4000–4499: the client may reconnect, after `bye.retry`
 *   milliseconds. 4500–4999: it must not reconnect automatically. An error that refuses one message leaves the connection open.
 * - `retry`: milliseconds after which the client may send the message again, or reconnect; the number `n` of the message stays open.
 *   Without it, the refusal is final and settles `n`.
 */
export type Fate = { message: string; status: number; close?: number; retry?: number };

export const errors = {
  // Invalid messages.
  'bad-json': { message: 'A message must be one JSON object.', status: 400, close: 4500 },
  'too-long': { message: 'The message exceeds the size limit.', status: 413, close: 4501 },
  'unknown-type': { message: 'The message type is unknown.', status: 400 },
  'bad-message': { message: 'The message does not match the schema of its type.', status: 400 },
  // Messages in the wrong state, or to the wrong endpoint or peer.
  'not-joined': { message: 'Join the room first.', status: 401 },
  'already-joined': { message: 'This connection has already joined.', status: 409 },
  'unknown-session': { message: 'The session does not exist or has ended; join again.', status: 401 },
  'unknown-peer': { message: 'The peer is not in this room.', status: 404 },
  'stale-epoch': {
    message: 'The signal is for an earlier connection: one of the two peers has joined again.',
    status: 409,
  },
  'out-of-order': { message: 'Messages must be numbered 1, 2, 3 … without gaps.', status: 409, retry: 0 },
  waiting: { message: 'A host must admit you first.', status: 409, retry: 1000 },
  'not-allowed': { message: 'Only a host may do this.', status: 403 },
  'last-host': { message: 'The last host stays host until there is another one.', status: 409 },
  'rate-limited': { message: 'The rate limit is exceeded.', status: 429, close: 4002, retry: 1000 },
  'events-gone': {
    message: 'The requested events are no longer available; join again with this session.',
    status: 410,
  },
  'upgrade-lost': { message: 'This endpoint is for WebSockets, but the request has no Upgrade header.', status: 426 },
  // Rejected joins.
  'bad-room-name': { message: 'A room name must have 1 to 64 letters, digits, "-" or "_".', status: 400, close: 4504 },
  'room-full': { message: 'The room is full.', status: 409, close: 4503 },
  'room-exists': { message: 'The room exists already.', status: 409 },
  'room-locked': { message: 'The room is locked.', status: 403, close: 4508 },
  'passcode-needed': { message: 'A passcode is required.', status: 401, close: 4509 },
  'wrong-passcode': { message: 'The passcode is wrong.', status: 403, close: 4510 },
  'lobby-full': { message: 'The lobby is full.', status: 503, close: 4006, retry: 10_000 },
  'too-many-rooms': { message: 'The room limit is reached.', status: 503, close: 4004, retry: 10_000 },
  'token-missing': { message: 'A token is required.', status: 401, close: 4520 },
  'token-expired': { message: 'The token has expired.', status: 401, close: 4521 },
  'token-not-yet-valid': { message: 'The token is not valid yet.', status: 401, close: 4522 },
  'token-invalid': { message: 'The token is invalid.', status: 401, close: 4523 },
  'token-wrong-room': { message: 'The token is for another room.', status: 403, close: 4524 },
  'token-used': { message: 'The token is for a single use and has been used.', status: 403, close: 4525 },
  'origin-refused': { message: 'Pages of this origin are not allowed to use this server.', status: 403, close: 4505 },
  // Decisions of a host.
  denied: { message: 'A host denied the request to join.', status: 403, close: 4511 },
  kicked: { message: 'A host removed you from the room.', status: 403, close: 4512 },
  'room-ended': { message: 'The room has ended.', status: 410, close: 4513 },
  // Timeouts, limits and failures of the server.
  'join-timeout': { message: 'The client did not join in time.', status: 408, close: 4001, retry: 1000 },
  'slow-consumer': { message: 'The client reads too slowly.', status: 503, close: 4003, retry: 500 },
  replaced: { message: 'A newer connection has taken over this session.', status: 409, close: 4506 },
  left: { message: 'The peer has left the room.', status: 200, close: 4507 },
  'store-unavailable': {
    message: 'The room store is unavailable; retrying.',
    status: 503,
    close: 4007,
    retry: 1000,
  },
  'keys-unavailable': {
    message: 'The keys that verify tokens are unavailable; retrying.',
    status: 503,
    close: 4009,
    retry: 5000,
  },
  'session-lost': { message: 'The server has lost this session; join again.', status: 503, close: 4008, retry: 500 },
  draining: { message: 'The server is restarting.', status: 503, close: 4000, retry: 1000 },
  internal: { message: 'Internal error; it has been logged.', status: 500, close: 4005, retry: 2000 },
} as const satisfies Record<string, Fate>;

export type ErrorCode = keyof typeof errors;

/** The entry of a code, with its optional fields. */
export const fateOf = (code: ErrorCode): Fate => errors[code];

/** Errors with a status of 4xx that a host, another peer, a newer connection of the same client, or a restart has caused. */
const decidedByOthers = new Set<ErrorCode>([
  'denied',
  'kicked',
  'room-ended',
  'replaced',
  'unknown-peer',
  'stale-epoch',
  'events-gone',
  'unknown-session',
  'room-exists',
  'room-full',
  'room-locked',
  'passcode-needed',
]);

/** Whether the client sent something invalid, or too much. */
export const isCausedByClient = (code: ErrorCode): boolean => {
  const { status } = errors[code];
  return status >= 400 && status < 500 && !decidedByOthers.has(code);
};

/** A refusal. `detail` says what is wrong in this case, and where; `retry` (ms) overrides that of the table. */
export type Refusal = { refused: ErrorCode; detail?: string; retry?: number };

export const refuse = (refused: ErrorCode, detail?: string): Refusal =>
  detail === undefined ? { refused } : { refused, detail };

/** Milliseconds until a retry; undefined = the refusal is final. */
export const retryOf = ({ refused, retry }: Refusal): number | undefined => retry ?? fateOf(refused).retry;

/** The sentence of the table, followed by the detail in parentheses. */
export const sentence = ({ refused, detail }: Refusal): string =>
  detail === undefined ? errors[refused].message : `${errors[refused].message} (${detail})`;
