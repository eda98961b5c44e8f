/** CGI variables → header names, and which headers are dropped. CGI loses the case and the difference between "-" and "_". */

/** A token, RFC 9110 §5.6.2: methods and header names. */
export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** host or host:port, RFC 9110 §7.2: a name, an IPv4 address, or an IPv6 address in brackets. */
export const hostForm = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;

/** A TCP or UDP port, in decimal. */
export const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

/** A copy that does not retain the packet in memory, as a slice of its string would. */
export const own = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** Results of `headerName` that cannot be header names: drop the header silently, or answer 400. */
export const dropped = '';
export const invalid = ' ';

/**
 * Headers not passed on. Hop-by-hop headers (RFC 9110 §7.6.1) and Expect concern the connection between client and nginx;
 * content-type and -length have their own variables; `Proxy` is httpoxy (CVE-2016-5385); forwarding headers are unverified
 * claims of the client.
 */
const droppedNames = new Set([
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'expect',
  'content-type',
  'content-length',
  'proxy',
  'forwarded',
  'x-real-ip',
]);

/** Bounded, because clients choose the names. */
const cache = new Map<string, string>();
const cacheLimit = 512;

/** `HTTP_USER_AGENT` → `user-agent`, or `dropped` or `invalid`. */
export const headerName = (variable: string): string => {
  const cached = cache.get(variable);
  if (cached !== undefined) return cached;
  const name = convert(own(variable));
  if (cache.size < cacheLimit) cache.set(own(variable), name);
  return name;
};

const convert = (variable: string): string => {
  const name = variable.slice('HTTP_'.length).toLowerCase().replaceAll('_', '-');
  if (!token.test(name)) return invalid;
  return droppedNames.has(name) || name.startsWith('x-forwarded') ? dropped : name;
};

// Cache the common names first, before a client can fill the cache with its own.
for (const name of [
  'HOST CONNECTION UPGRADE USER_AGENT ACCEPT ACCEPT_ENCODING ACCEPT_LANGUAGE ACCEPT_CHARSET AUTHORIZATION COOKIE',
  'CACHE_CONTROL PRAGMA ORIGIN REFERER DNT IF_NONE_MATCH IF_MODIFIED_SINCE IF_MATCH RANGE TRANSFER_ENCODING',
  'CONTENT_TYPE CONTENT_LENGTH KEEP_ALIVE EXPECT TE X_FORWARDED_FOR X_FORWARDED_PROTO X_FORWARDED_HOST X_REAL_IP',
  'X_REQUEST_ID X_REQUESTED_WITH TRACEPARENT TRACESTATE UPGRADE_INSECURE_REQUESTS PRIORITY SEC_FETCH_SITE',
  'SEC_FETCH_MODE SEC_FETCH_DEST SEC_FETCH_USER SEC_CH_UA SEC_CH_UA_MOBILE SEC_CH_UA_PLATFORM SEC_WEBSOCKET_KEY',
  'SEC_WEBSOCKET_VERSION SEC_WEBSOCKET_PROTOCOL SEC_WEBSOCKET_EXTENSIONS LAST_EVENT_ID',
].flatMap((line) => line.split(' '))) {
  headerName(`HTTP_${name}`);
}
