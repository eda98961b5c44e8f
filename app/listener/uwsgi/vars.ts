/** Variables of a uwsgi packet (CGI names, as in nginx's uwsgi_params) → the head of an HTTP request. */
import { dropped, headerName, hostForm, invalid, isPort, own, token } from '../header-names.ts';
import { belowPrefix, isSamePlace, readPrefix } from '../url-path.ts';
import type { Variable } from './packet.ts';

export type RequestHead = {
  kind: 'head';
  method: string;
  /** REQUEST_URI as the client sent it, neither decoded nor normalised, without the prefix SCRIPT_NAME. */
  url: string;
  /** Without "HTTP/": "1.1", "2.0". */
  httpVersion: string;
  /** name, value, name, value … as in IncomingMessage, with lower-case names, in packet order. */
  rawHeaders: string[];
  remoteAddress: string;
  remotePort?: number;
  scheme: 'http' | 'https';
  /** The Host header, with its port. */
  host?: string;
  /** Body bytes after the packet. */
  contentLength: number;
  /** A WebSocket handshake: after 101 the connection is a tunnel. */
  upgrade: boolean;
};

/** Refused: the response status, the invalid variable, and the reason (never its value). */
export type VarsFault = { kind: 'fault'; status: 400 | 413; variable: string; reason: string };

/**
 * Reads the head of a request. Hop-by-hop headers are dropped, except Connection and Upgrade on a WebSocket handshake; nginx
 * passes them on, even `Transfer-Encoding: chunked` of a body it has already decoded. The client's forwarding headers are replaced
 * by values from nginx: x-forwarded-for, -proto and -host, -port from SERVER_PORT unless it is the scheme's default, and -prefix
 * from SCRIPT_NAME.
 * @param limitPost maximum bytes of a body
 */
export const readHead = (vars: readonly Variable[], limitPost: number): RequestHead | VarsFault => {
  const fields = collect(vars);
  if ('kind' in fields) return fields;
  const fault = checkRequestLine(fields) ?? checkPath(fields) ?? checkClient(fields) ?? checkBody(fields, limitPost);
  return fault ?? assemble(fields);
};

/** The variables that are used; empty when absent. */
type Fields = {
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

const collect = (vars: readonly Variable[]): Fields | VarsFault => {
  const fields: Fields = {
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
    const reason = name.startsWith('HTTP_') ? addHeader(fields, name, value) : setVariable(fields, name, value);
    if (reason !== undefined) return bad(name, reason);
  }
  return fields;
};

/** The last of repeated variables wins, as in uWSGI, so that nginx directives can override those of an `include`. */
const setVariable = (fields: Fields, name: string, value: string): string | undefined => {
  switch (name) {
    case 'REQUEST_METHOD':
      fields.method = value;
      break;
    case 'REQUEST_URI':
      fields.url = value;
      break;
    case 'PATH_INFO':
      // Decoded, so it may contain any byte; it is only compared, never passed on.
      fields.pathInfo = value;
      return undefined;
    case 'SCRIPT_NAME':
      fields.scriptName = value === '/' ? '' : value;
      break;
    case 'SERVER_PROTOCOL':
      fields.protocol = value;
      break;
    case 'REQUEST_SCHEME':
      fields.scheme = value;
      break;
    case 'HTTPS':
      fields.https = value;
      break;
    case 'REMOTE_ADDR':
      fields.address = value;
      break;
    case 'REMOTE_PORT':
      fields.port = value;
      break;
    case 'SERVER_PORT':
      fields.serverPort = value;
      break;
    case 'CONTENT_TYPE':
      fields.contentType = value;
      break;
    case 'CONTENT_LENGTH':
      // With two different lengths, the end of the body is ambiguous.
      if (fields.contentLength !== '' && fields.contentLength !== value)
        return 'it is given twice with different values';
      fields.contentLength = value;
      break;
    default:
      return undefined; // Not used, so not checked either.
  }
  return forbidden.test(value) ? 'it contains CR, LF or NUL' : undefined;
};

const addHeader = (fields: Fields, variable: string, value: string): string | undefined => {
  const name = headerName(variable);
  if (name === dropped) return undefined;
  if (name === invalid) return 'it is not the name of a header';
  if (forbidden.test(value)) return 'it contains CR, LF or NUL';
  if (name === 'connection') fields.connection = append(fields.connection, value);
  else if (name === 'upgrade') fields.upgrade = append(fields.upgrade, value);
  else {
    if (name === 'host') {
      // RFC 9112 §3.2 requires 400 for more than one Host.
      if (fields.host !== '' && fields.host !== value) return 'it is given twice with different values';
      if (fields.host !== '') return undefined;
      fields.host = value;
    }
    fields.headers.push(name, value);
  }
  return undefined;
};

const append = (earlier: string, value: string): string => (earlier === '' ? value : `${earlier}, ${value}`);

const forbidden = /[\0\r\n]/;
const protocol = /^HTTP\/\d\.\d$/;
const visible = /^[^\0-\x20\x7f]+$/;
const address = /^[0-9A-Fa-f:.]+$|^unix:$/;
const digits = /^\d+$/;

const checkRequestLine = (fields: Fields): VarsFault | undefined => {
  if (!token.test(fields.method)) return bad('REQUEST_METHOD', fields.method === '' ? absent : 'it is not a token');
  if (fields.url === '') return bad('REQUEST_URI', absent);
  const known = fields.url.startsWith('/') || (fields.url === '*' && fields.method === 'OPTIONS');
  if (!known) return bad('REQUEST_URI', 'it does not begin with "/"');
  if (!visible.test(fields.url)) return bad('REQUEST_URI', 'it contains spaces or control characters');
  // RFC 9112 §3.2: no request target has a fragment.
  if (fields.url.includes('#')) return bad('REQUEST_URI', 'it contains a fragment');
  if (fields.protocol !== '' && !protocol.test(fields.protocol)) return bad('SERVER_PROTOCOL', 'it is not HTTP/x.y');
  return undefined;
};

/**
 * The front end chose a location by the decoded path; the app routes by the raw one. If the two differ, a front-end rule such as
 * "/stats is private" could be bypassed.
 */
const checkPath = ({ url, pathInfo, scriptName }: Fields): VarsFault | undefined => {
  if (scriptName !== '' && readPrefix(scriptName) === undefined) return bad('SCRIPT_NAME', 'it is not a path');
  if (pathInfo === '' || url === '*' || isSamePlace(url, pathInfo, scriptName)) return undefined;
  return bad('PATH_INFO', 'it does not match REQUEST_URI');
};

const checkClient = (fields: Fields): VarsFault | undefined => {
  if (!address.test(fields.address)) return bad('REMOTE_ADDR', fields.address === '' ? absent : 'it is not an address');
  if (fields.port !== '' && !(digits.test(fields.port) && Number(fields.port) <= 65_535)) {
    return bad('REMOTE_PORT', 'it is not a port');
  }
  if (fields.host !== '' && !hostForm.test(fields.host)) return bad('HTTP_HOST', 'it is not a host');
  if (fields.scheme !== '' && fields.scheme !== 'http' && fields.scheme !== 'https') {
    return bad('REQUEST_SCHEME', 'it is neither http nor https');
  }
  return undefined;
};

const checkBody = (fields: Fields, limitPost: number): VarsFault | undefined => {
  if (fields.contentLength === '') return undefined;
  if (!digits.test(fields.contentLength)) return bad('CONTENT_LENGTH', 'it is not a decimal number');
  if (Number(fields.contentLength) <= limitPost) return undefined;
  return { kind: 'fault', status: 413, variable: 'CONTENT_LENGTH', reason: `it is more than ${limitPost}` };
};

const assemble = (fields: Fields): RequestHead => {
  const contentLength = Number(fields.contentLength);
  const upgrade = isHandshake(fields, contentLength);
  const scheme = schemeOf(fields);
  const headers = fields.headers;
  // Budgets keep it for minutes.
  const remoteAddress = own(fields.address);
  const prefix = fields.scriptName === '' ? undefined : readPrefix(fields.scriptName);
  const url = prefix === undefined ? fields.url : belowPrefix(fields.url, prefix);
  if (fields.contentType !== '') headers.push('content-type', fields.contentType);
  if (fields.contentLength !== '') headers.push('content-length', fields.contentLength);
  if (upgrade) headers.push('connection', fields.connection, 'upgrade', fields.upgrade);
  headers.push('x-forwarded-for', remoteAddress, 'x-forwarded-proto', scheme);
  if (fields.host !== '') headers.push('x-forwarded-host', fields.host);
  // Empty if nginx listens on a unix socket.
  if (isPort(fields.serverPort) && fields.serverPort !== defaultPorts[scheme])
    headers.push('x-forwarded-port', fields.serverPort);
  if (prefix !== undefined) headers.push('x-forwarded-prefix', prefix);
  return {
    kind: 'head',
    method: fields.method,
    // The request of a handshake lives as long as its tunnel, and slices would retain the whole packet.
    url: upgrade ? own(url) : url,
    httpVersion: fields.protocol === '' ? '1.1' : fields.protocol.slice('HTTP/'.length),
    rawHeaders: upgrade ? headers.map(own) : headers,
    remoteAddress,
    ...(fields.port === '' ? {} : { remotePort: Number(fields.port) }),
    scheme,
    ...(fields.host === '' ? {} : { host: fields.host }),
    contentLength,
    upgrade,
  };
};

/** RFC 6455 §4.1. A handshake with a body is treated as a plain request. */
const isHandshake = (fields: Fields, contentLength: number): boolean =>
  fields.upgrade !== '' &&
  fields.method === 'GET' &&
  contentLength === 0 &&
  fields.upgrade.toLowerCase() === 'websocket' &&
  /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(fields.connection);

const schemeOf = (fields: Fields): 'http' | 'https' => {
  if (fields.scheme !== '') return fields.scheme === 'https' ? 'https' : 'http';
  return fields.https.toLowerCase() === 'on' || fields.https === '1' ? 'https' : 'http';
};

const defaultPorts = { http: '80', https: '443' };

const absent = 'it is absent';

const bad = (variable: string, reason: string): VarsFault => ({
  kind: 'fault',
  status: 400,
  variable: /^\w{1,64}$/.test(variable) ? variable : 'HTTP_…',
  reason,
});
