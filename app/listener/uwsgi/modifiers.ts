/** modifier1, the first byte of a uwsgi packet: its type. Source: uwsgi-docs, "The uwsgi Protocol", and uWSGI's plugins. */

/** A web request. */
export const webRequest = 0;
/** A health check, answered by four bytes. */
export const ping = 100;
/** The response to a ping: modifier1 100, no block, modifier2 1. uWSGI would append a warning if one is configured. */
export const pong = Buffer.from([ping, 0, 0, 1]);

/** What modifier1 means to uWSGI, for the log. */
export const modifierName = (modifier1: number): string => {
  // The first letter of an HTTP method, or the first byte of TLS.
  if (otherProtocols.includes(modifier1))
    return `${names.get(modifier1) ?? 'unknown'}, or HTTP, which belongs on --http-socket`;
  return names.get(modifier1) ?? 'unknown';
};

const otherProtocols = [...Buffer.from('CDGHOPT'), 0x16];

const names = new Map([
  [5, 'Perl, PSGI'],
  [6, 'Lua, WSAPI'],
  [7, 'Ruby, Rack'],
  [8, 'JVM'],
  [9, 'CGI'],
  [10, 'management'],
  [14, 'PHP'],
  [15, 'Mono'],
  [17, 'spooler'],
  [18, 'a call of a C symbol'],
  [19, 'SSI'],
  [22, 'evaluation of code, or TLS'],
  [23, 'XSLT'],
  [24, 'V8'],
  [25, 'GridFS'],
  [26, 'GlusterFS'],
  [27, 'FastFuncs'],
  [30, 'a web request with SCRIPT_NAME taken off PATH_INFO: modifier 0 does that here'],
  [31, 'a message'],
  [32, 'an array'],
  [33, 'a marshalled object'],
  [48, 'SNMP'],
  [72, 'a raw HTTP response'],
  [73, 'an announcement'],
  [74, 'multicast'],
  [95, 'cluster membership'],
  [96, 'remote logging'],
  [97, 'brutal reload'],
  [98, 'graceful reload'],
  [99, 'configuration'],
  [101, 'echo'],
  [109, 'legion'],
  [110, 'a signal'],
  [111, 'the cache'],
  [173, 'a remote procedure call'],
  [200, 'the end of a persistent connection'],
  [224, 'a subscription'],
  [255, 'a response'],
]);
