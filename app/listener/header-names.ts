/** Names of headers: from variables, which have lost the case and the difference between "-" and "_", and which end here. */

/** A token as RFC 9110 §5.6.2 has it: methods and names of headers. */
export const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** host or host:port as RFC 9110 §7.2 has it: a name, an IPv4 address, an IPv6 address in brackets. */
export const hostForm = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-fA-F:.]+\])(?::\d{0,5})?$/;

/** Of TCP or UDP, in decimal. */
export const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

/** A copy that does not keep the whole packet in memory, which a string cut out of it does. */
export const own = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

/** Not passed on: silently, or with an answer 400. Neither can be the name of a header. */
export const dropped = '';
export const invalid = ' ';

/**
 * Headers that end here. The hop-by-hop ones (RFC 9110 §7.6.1) and Expect concern the connection between the client and
 * nginx; content-type and -length have variables of their own; `Proxy` is httpoxy (CVE-2016-5385); the forwarding ones
 * are the client's word about itself.
 */
const ended = new Set([
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

/** Names once worked out. Clients choose names, so what is learnt is bounded. */
const learnt = new Map<string, string>();
const learntLimit = 512;

/** `HTTP_USER_AGENT` → `user-agent`, or one of the two words above. */
export const headerName = (variable: string): string => {
  const name = learnt.get(variable);
  if (name !== undefined) return name;
  const worked = workOut(own(variable));
  if (learnt.size < learntLimit) learnt.set(own(variable), worked);
  return worked;
};

const workOut = (variable: string): string => {
  const name = variable.slice('HTTP_'.length).toLowerCase().replaceAll('_', '-');
  if (!token.test(name)) return invalid;
  return ended.has(name) || name.startsWith('x-forwarded') ? dropped : name;
};

// The common ones are learnt before anybody can fill the table with names of their own.
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
