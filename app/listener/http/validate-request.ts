/** What a request's head must be before anyone answers it: rules that node:http does not know. */
import type { IncomingMessage } from 'node:http';
import type { IsServed } from '../allowed-hosts.ts';
import type { RefusalCode } from '../error-response.ts';
import { hostForm } from '../header-names.ts';

/** Why a request is refused; `reason` is for the log and holds nothing the client wrote. */
export type RequestFault = { code: RefusalCode; reason: string };

/**
 * Bytes of a head, with one space behind each colon, as all write it. node:http's own limit counts names, values and URL alone.
 * To be asked before anything of the request is changed.
 */
export const headSize = ({ method, url, httpVersion, rawHeaders }: IncomingMessage): number => {
  // "GET / HTTP/1.1" and CRLF, a line for each header with ": " and CRLF, CRLF.
  let size = `${method} ${url} HTTP/${httpVersion}`.length + 4 + 2 * rawHeaders.length;
  for (const text of rawHeaders) size += text.length;
  return size;
};

/** Checks a request whose forwarding headers are settled, and makes an absolute URL (RFC 9112 §3.2.2) a plain one. */
export const validateRequest = (
  request: IncomingMessage,
  { limitPost, answersFor, isBarred }: HeadRules,
): RequestFault | undefined =>
  checkClient(request, isBarred) ??
  checkFraming(request, limitPost) ??
  checkHost(request) ??
  checkServed(request, answersFor);

/** `limitPost`: bytes of body that may be announced. `isBarred`: whether requests of a client address are refused. */
type HeadRules = { limitPost: number; answersFor: IsServed; isBarred: (client: string) => boolean };

const checkFraming = ({ headers, httpVersion }: IncomingMessage, limitPost: number): RequestFault | undefined => {
  // RFC 9112 §6.1: someone between has changed the version or the framing.
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && httpVersion === '1.0') return bad('chunks in HTTP/1.0');
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    return bad('a Transfer-Encoding that is not chunked');
  if (Number(headers['content-length'] ?? 0) <= limitPost) return undefined;
  return { code: 'body-too-large', reason: `Content-Length is more than ${limitPost}` };
};

const checkHost = (request: IncomingMessage): RequestFault | undefined => {
  const { headers, httpVersion, rawHeaders } = request;
  // node:http keeps the first of several; RFC 9112 §3.2 wants them refused, like an HTTP/1.1 request without any.
  if (countHosts(rawHeaders) > 1) return bad('more than one Host');
  if (headers.host === undefined && httpVersion !== '1.0') return bad('no Host');
  if (headers.host !== undefined && headers.host !== '' && !hostForm.test(headers.host)) return bad('Host is no host');
  return unwrapUrl(request);
};

const countHosts = (rawHeaders: string[]): number => {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
};

const unwrapUrl = (request: IncomingMessage): RequestFault | undefined => {
  const url = request.url ?? '';
  // RFC 9112 §3.2: no form of a target has a fragment. Who takes it for one and who for a part of the path go to two places.
  if (url.includes('#')) return bad('the URL has a fragment');
  if (url.startsWith('/') || (url === '*' && request.method === 'OPTIONS')) return undefined;
  const [, authority, path] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) return bad('the URL does not begin with "/"');
  if (authority.toLowerCase() !== request.headers.host?.toLowerCase()) return bad('the URL and Host name two hosts');
  request.url = path?.startsWith('/') ? path : `/${path ?? ''}`;
  return undefined;
};

const checkClient = (request: IncomingMessage, isBarred: HeadRules['isBarred']): RequestFault | undefined =>
  isBarred(clientOf(request))
    ? { code: 'rate-limited', reason: 'too many requests of this client were refused' }
    : undefined;

const checkServed = (request: IncomingMessage, answersFor: IsServed): RequestFault | undefined => {
  const { headers } = request;
  const host = text(headers['x-forwarded-host']) ?? headers.host;
  return answersFor(host, clientOf(request))
    ? undefined
    : { code: 'unknown-host', reason: 'a host that is not served' };
};

const clientOf = ({ headers, socket }: IncomingMessage): string =>
  text(headers['x-forwarded-for']) ?? socket.remoteAddress ?? 'unix';

const text = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined;

const bad = (reason: string): RequestFault => ({ code: 'bad-request', reason });
