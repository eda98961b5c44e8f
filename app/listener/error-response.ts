/** Error responses sent by the listeners themselves, the same for HTTP and uwsgi: JSON with a code and a message. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { errors } from '../protocol/errors.ts';
import { securityHeaders } from '../web/security-headers.ts';

const refusals = {
  'bad-request': { status: 400, message: 'The request could not be understood.' },
  'request-timeout': { status: 408, message: 'The request did not arrive in time.' },
  'body-too-large': { status: 413, message: 'The body is longer than this server accepts.' },
  'unknown-host': { status: 421, message: 'This server does not serve that host.' },
  'rate-limited': { status: 429, message: 'Too many requests from this address were refused.' },
  'header-too-large': { status: 431, message: 'The headers are longer than this server accepts.' },
  harakiri: { status: 503, message: 'The request took too long.' },
} as const;
export type RefusalCode = keyof typeof refusals;

/** Milliseconds, as in the protocol. */
const { retry } = errors['rate-limited'];

/**
 * Whether the client sent what is refused. Not so: `unknown-host`, because a page can choose the host name under which its visitors'
 * browsers connect (DNS rebinding); `rate-limited`, which would never end; and `harakiri`.
 */
export const isClientFault = (code: RefusalCode): boolean => clientFaults.has(code);
const clientFaults = new Set<RefusalCode>(['bad-request', 'request-timeout', 'body-too-large', 'header-too-large']);

/** Where listeners log refusals and their reasons. */
export type ListenerLog = { warn(fields: object, message: string): void };

/**
 * Status, headers for node:http, and body. Every error but `rate-limited` closes the connection: a front end that had to reconnect
 * after each of those would run out of ports.
 */
export const errorResponseOf = (
  code: RefusalCode,
): { status: number; headers: Record<string, string>; body: string } => {
  const { status, message } = refusals[code];
  // Without `retry` the error would be final.
  const body = JSON.stringify({ type: 'error', code, message, ...(code === 'rate-limited' ? { retry } : {}) });
  const headers = {
    ...securityHeaders,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(body.length),
    ...(code === 'rate-limited' ? { 'Retry-After': String(retry / 1000) } : { Connection: 'close' }),
  };
  return { status, headers, body };
};

/** The message of a code, for callers that extend it. */
export const errorSentence = (code: RefusalCode): string => refusals[code].message;

/** The complete response as sent on the wire, of a connection that ends with it. @param method of the request, if known */
export const errorResponseText = (code: RefusalCode, method?: string): string => {
  const { status, headers, body } = errorResponseOf(code);
  // Always closed: a front end that kept the connection would send the next request of another client on it.
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${method === 'HEAD' ? '' : body}`;
};

/**
 * The error of a request whose connection closed before its body was complete: that of node:http. None if it was answered already, because
 * its reader could only try to answer it once more.
 */
export const abortError = ({ writableEnded }: ServerResponse): Error | undefined =>
  writableEnded ? undefined : Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
