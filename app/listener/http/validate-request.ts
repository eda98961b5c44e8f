/** Validates request heads, by rules that node:http does not check. */
import type { IncomingMessage } from 'node:http';
import type { IsServed } from '../allowed-hosts.ts';
import type { RefusalCode } from '../error-response.ts';
import { hostForm } from '../header-names.ts';
import { isCrossSite } from '../refused-addresses.ts';

/** Why a request is refused; `reason` is for the log and contains nothing from the client. */
export type RequestFault = { code: RefusalCode; reason: string };

/**
 * Bytes of a head, assuming the usual one space after each colon. node:http's own limit counts only names, values and the URL.
 * Call this before the request is modified.
 */
export const headSize = ({ method, url, httpVersion, rawHeaders }: IncomingMessage): number => {
  // "GET / HTTP/1.1" and CRLF, one line per header with ": " and CRLF, final CRLF.
  let size = `${method} ${url} HTTP/${httpVersion}`.length + 4 + 2 * rawHeaders.length;
  for (const text of rawHeaders) size += text.length;
  return size;
};

/** Checks a request after its forwarding headers were filtered, and reduces an absolute URL (RFC 9112 §3.2.2) to its path. */
export const validateRequest = (
  request: IncomingMessage,
  { limitPost, answersFor, isBarred }: HeadRules,
): RequestFault | undefined =>
  checkFraming(request, limitPost) ??
  checkHost(request) ??
  checkClient(request, isBarred) ??
  checkServed(request, answersFor);

/** `limitPost`: maximum Content-Length in bytes. `isBarred`: whether to refuse all requests of a client address. */
type HeadRules = { limitPost: number; answersFor: IsServed; isBarred: (client: string, crossSite: boolean) => boolean };

const checkFraming = ({ headers, httpVersion }: IncomingMessage, limitPost: number): RequestFault | undefined => {
  // RFC 9112 §6.1: an intermediary has changed the version or the framing.
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && httpVersion === '1.0') return bad('chunked encoding in HTTP/1.0');
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    return bad('a Transfer-Encoding that is not chunked');
  if (Number(headers['content-length'] ?? 0) <= limitPost) return undefined;
  return { code: 'body-too-large', reason: `Content-Length is more than ${limitPost}` };
};

const checkHost = (request: IncomingMessage): RequestFault | undefined => {
  const { headers, httpVersion, rawHeaders } = request;
  // node:http keeps the first of several; RFC 9112 §3.2 requires 400 for them and for an HTTP/1.1 request without Host.
  if (countHosts(rawHeaders) > 1) return bad('more than one Host');
  if (headers.host === undefined && httpVersion !== '1.0') return bad('no Host');
  if (headers.host !== undefined && headers.host !== '' && !hostForm.test(headers.host)) return bad('Host is invalid');
  return reduceUrl(request);
};

const countHosts = (rawHeaders: string[]): number => {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
};

const reduceUrl = (request: IncomingMessage): RequestFault | undefined => {
  const url = request.url ?? '';
  // RFC 9112 §3.2: no request target has a fragment. Implementations differ in whether they treat "#" as part of the path.
  if (url.includes('#')) return bad('the URL has a fragment');
  if (url.startsWith('/') || (url === '*' && request.method === 'OPTIONS')) return undefined;
  const [, authority, path] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) return bad('the URL does not begin with "/"');
  if (authority.toLowerCase() !== request.headers.host?.toLowerCase())
    return bad('the URL and Host name different hosts');
  request.url = path?.startsWith('/') ? path : `/${path ?? ''}`;
  return undefined;
};

const checkClient = (request: IncomingMessage, isBarred: HeadRules['isBarred']): RequestFault | undefined =>
  isBarred(clientOf(request), isCrossSite(request.headers['sec-fetch-site']))
    ? { code: 'rate-limited', reason: 'too many requests from this client were refused' }
    : undefined;

const checkServed = (request: IncomingMessage, answersFor: IsServed): RequestFault | undefined => {
  const { headers } = request;
  const host = text(headers['x-forwarded-host']) ?? headers.host;
  return answersFor(host, clientOf(request)) ? undefined : { code: 'unknown-host', reason: 'the host is not allowed' };
};

/** The client's address, after the forwarding headers were filtered. */
export const clientOf = ({ headers, socket }: IncomingMessage): string =>
  text(headers['x-forwarded-for']) ?? socket.remoteAddress ?? 'unix';

const text = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined;

const bad = (reason: string): RequestFault => ({ code: 'bad-request', reason });
