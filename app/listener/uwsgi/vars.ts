/** The variables of a uwsgi packet (CGI names, as nginx's uwsgi_params sends them) → the head of an HTTP request. */
import { dropped, headerName, hostForm, invalid, isPort, own, token } from '../header-names.ts';
import { belowPrefix, isSamePlace, readPrefix } from '../url-path.ts';
import type { Variable } from './packet.ts';

export type RequestHead = {
  kind: 'head';
  method: string;
  /** REQUEST_URI as the client sent it, neither decoded nor normalised; what SCRIPT_NAME names is taken off. */
  url: string;
  /** Of the request, without "HTTP/": "1.1", "2.0". */
  httpVersion: string;
  /** name, value, name, value … with lower-case names, in the order of the packet, as in IncomingMessage. */
  rawHeaders: string[];
  remoteAddress: string;
  remotePort?: number;
  scheme: 'http' | 'https';
  /** As in the Host header, with its port; absent when there was none. */
  host?: string;
  /** Bytes of body that follow the packet. */
  contentLength: number;
  /** A WebSocket handshake: after the answer 101 the connection is a tunnel. */
  upgrade: boolean;
};

/** Refused: the answer's status, the variable to blame, and what is wrong with it (never its value). */
export type VarsFault = { kind: 'fault'; status: 400 | 413; variable: string; reason: string };

/**
 * Reads the head of a request. Hop-by-hop headers are dropped (nginx passes them on, `Transfer-Encoding: chunked` of a
 * body it has already taken apart among them), except Connection and Upgrade on a WebSocket handshake. What the client
 * said about proxies before nginx is replaced by what nginx says: x-forwarded-for, -proto, -host, of SERVER_PORT -port unless the
 * scheme says it already, and of SCRIPT_NAME -prefix.
 * @param limitPost The longest body accepted, in bytes.
 */
export const readHead = (vars: readonly Variable[], limitPost: number): RequestHead | VarsFault => {
  const seen = collect(vars);
  if ('kind' in seen) return seen;
  const fault = checkRequestLine(seen) ?? checkPlace(seen) ?? checkClient(seen) ?? checkBody(seen, limitPost);
  return fault ?? assemble(seen);
};

/** The variables that are used, empty when absent. */
type Seen = {
  method: string;
  url: string;
  pathInfo: string;
  scriptName: string;
  protocol: string;
  scheme: string;
  https: string;
  address: string;
  port: string;
  serverPort: string;
  contentType: string;
  contentLength: string;
  host: string;
  connection: string;
  upgrade: string;
  headers: string[];
};

const collect = (vars: readonly Variable[]): Seen | VarsFault => {
  const seen: Seen = {
    method: '',
    url: '',
    pathInfo: '',
    scriptName: '',
    protocol: '',
    scheme: '',
    https: '',
    address: '',
    port: '',
    serverPort: '',
    contentType: '',
    contentLength: '',
    host: '',
    connection: '',
    upgrade: '',
    headers: [],
  };
  for (const [name, value] of vars) {
    const reason = name.startsWith('HTTP_') ? takeHeader(seen, name, value) : takeVariable(seen, name, value);
    if (reason !== undefined) return bad(name, reason);
  }
  return seen;
};

/** Of a variable that comes twice the last one counts, as in uWSGI; an `include` can so be overridden below it. */
const takeVariable = (seen: Seen, name: string, value: string): string | undefined => {
  switch (name) {
    case 'REQUEST_METHOD':
      seen.method = value;
      break;
    case 'REQUEST_URI':
      seen.url = value;
      break;
    case 'PATH_INFO':
      // Decoded, so that it may contain anything; it is compared and goes no further.
      seen.pathInfo = value;
      return undefined;
    case 'SCRIPT_NAME':
      seen.scriptName = value === '/' ? '' : value;
      break;
    case 'SERVER_PROTOCOL':
      seen.protocol = value;
      break;
    case 'REQUEST_SCHEME':
      seen.scheme = value;
      break;
    case 'HTTPS':
      seen.https = value;
      break;
    case 'REMOTE_ADDR':
      seen.address = value;
      break;
    case 'REMOTE_PORT':
      seen.port = value;
      break;
    case 'SERVER_PORT':
      seen.serverPort = value;
      break;
    case 'CONTENT_TYPE':
      seen.contentType = value;
      break;
    case 'CONTENT_LENGTH':
      // Two different lengths are two different ideas of where the body ends.
      if (seen.contentLength !== '' && seen.contentLength !== value) return 'it is given twice, differently';
      seen.contentLength = value;
      break;
    default:
      return undefined; // Not used, so not checked either.
  }
  return broken.test(value) ? 'it contains CR, LF or NUL' : undefined;
};

const takeHeader = (seen: Seen, variable: string, value: string): string | undefined => {
  const name = headerName(variable);
  if (name === dropped) return undefined;
  if (name === invalid) return 'it is not the name of a header';
  if (broken.test(value)) return 'it contains CR, LF or NUL';
  if (name === 'connection') seen.connection = joined(seen.connection, value);
  else if (name === 'upgrade') seen.upgrade = joined(seen.upgrade, value);
  else {
    if (name === 'host') {
      // RFC 9112 §3.2: a request with more than one Host is refused.
      if (seen.host !== '' && seen.host !== value) return 'it is given twice, differently';
      if (seen.host !== '') return undefined;
      seen.host = value;
    }
    seen.headers.push(name, value);
  }
  return undefined;
};

const joined = (earlier: string, value: string): string => (earlier === '' ? value : `${earlier}, ${value}`);

const broken = /[\0\r\n]/;
const protocol = /^HTTP\/\d\.\d$/;
const visible = /^[^\0-\x20\x7f]+$/;
const address = /^[0-9A-Fa-f:.]+$|^unix:$/;
const digits = /^\d+$/;

const checkRequestLine = (seen: Seen): VarsFault | undefined => {
  if (!token.test(seen.method)) return bad('REQUEST_METHOD', seen.method === '' ? absent : 'it is not a token');
  if (seen.url === '') return bad('REQUEST_URI', absent);
  const known = seen.url.startsWith('/') || (seen.url === '*' && seen.method === 'OPTIONS');
  if (!known) return bad('REQUEST_URI', 'it does not begin with "/"');
  if (!visible.test(seen.url)) return bad('REQUEST_URI', 'it contains spaces or control characters');
  // RFC 9112 §3.2: no form of a target has a fragment.
  if (seen.url.includes('#')) return bad('REQUEST_URI', 'it contains a fragment');
  if (seen.protocol !== '' && !protocol.test(seen.protocol)) return bad('SERVER_PROTOCOL', 'it is not HTTP/x.y');
  return undefined;
};

/**
 * The front end chose a location by the decoded path; the app routes by the raw one. Where the two are not the same place, a
 * rule of the front end ("/stats is private") would not hold for what the app does.
 */
const checkPlace = ({ url, pathInfo, scriptName }: Seen): VarsFault | undefined => {
  if (scriptName !== '' && readPrefix(scriptName) === undefined) return bad('SCRIPT_NAME', 'it is not a path');
  if (pathInfo === '' || url === '*' || isSamePlace(url, pathInfo, scriptName)) return undefined;
  return bad('PATH_INFO', 'it is not where REQUEST_URI leads');
};

const checkClient = (seen: Seen): VarsFault | undefined => {
  if (!address.test(seen.address)) return bad('REMOTE_ADDR', seen.address === '' ? absent : 'it is not an address');
  if (seen.port !== '' && !(digits.test(seen.port) && Number(seen.port) <= 65_535)) {
    return bad('REMOTE_PORT', 'it is not a port');
  }
  if (seen.host !== '' && !hostForm.test(seen.host)) return bad('HTTP_HOST', 'it is not a host');
  if (seen.scheme !== '' && seen.scheme !== 'http' && seen.scheme !== 'https') {
    return bad('REQUEST_SCHEME', 'it is neither http nor https');
  }
  return undefined;
};

const checkBody = (seen: Seen, limitPost: number): VarsFault | undefined => {
  if (seen.contentLength === '') return undefined;
  if (!digits.test(seen.contentLength)) return bad('CONTENT_LENGTH', 'it is not a decimal number');
  if (Number(seen.contentLength) <= limitPost) return undefined;
  return { kind: 'fault', status: 413, variable: 'CONTENT_LENGTH', reason: `it is more than ${limitPost}` };
};

const assemble = (seen: Seen): RequestHead => {
  const contentLength = Number(seen.contentLength);
  const upgrade = isHandshake(seen, contentLength);
  const scheme = schemeOf(seen);
  const headers = seen.headers;
  const prefix = seen.scriptName === '' ? undefined : readPrefix(seen.scriptName);
  const url = prefix === undefined ? seen.url : belowPrefix(seen.url, prefix);
  if (seen.contentType !== '') headers.push('content-type', seen.contentType);
  if (seen.contentLength !== '') headers.push('content-length', seen.contentLength);
  if (upgrade) headers.push('connection', seen.connection, 'upgrade', seen.upgrade);
  headers.push('x-forwarded-for', seen.address, 'x-forwarded-proto', scheme);
  if (seen.host !== '') headers.push('x-forwarded-host', seen.host);
  // Where nginx listens on a unix socket it is empty.
  if (isPort(seen.serverPort) && seen.serverPort !== defaultPorts[scheme])
    headers.push('x-forwarded-port', seen.serverPort);
  if (prefix !== undefined) headers.push('x-forwarded-prefix', prefix);
  return {
    kind: 'head',
    method: seen.method,
    // A handshake lives as long as its tunnel, and with it everything its strings were cut from.
    url: upgrade ? own(url) : url,
    httpVersion: seen.protocol === '' ? '1.1' : seen.protocol.slice('HTTP/'.length),
    rawHeaders: upgrade ? headers.map(own) : headers,
    remoteAddress: seen.address,
    ...(seen.port === '' ? {} : { remotePort: Number(seen.port) }),
    scheme,
    ...(seen.host === '' ? {} : { host: seen.host }),
    contentLength,
    upgrade,
  };
};

/** RFC 6455 §4.1. One with a body is treated as the plain request it also is. */
const isHandshake = (seen: Seen, contentLength: number): boolean =>
  seen.upgrade !== '' &&
  seen.method === 'GET' &&
  contentLength === 0 &&
  seen.upgrade.toLowerCase() === 'websocket' &&
  /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(seen.connection);

const schemeOf = (seen: Seen): 'http' | 'https' => {
  if (seen.scheme !== '') return seen.scheme === 'https' ? 'https' : 'http';
  return seen.https.toLowerCase() === 'on' || seen.https === '1' ? 'https' : 'http';
};

const defaultPorts = { http: '80', https: '443' };

const absent = 'it is absent';

const bad = (variable: string, reason: string): VarsFault => ({
  kind: 'fault',
  status: 400,
  variable: /^\w{1,64}$/.test(variable) ? variable : 'HTTP_…',
  reason,
});
