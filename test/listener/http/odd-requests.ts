/** Requests of attackers who hope that a front end and an app parse them differently. */

/** The request that must never reach the app. */
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: meet.example\r\n\r\n';
/** Requests that two parsers could read differently: a name, and the bytes. */
export const odd: [string, string][] = [
  ['two hosts', 'GET /who HTTP/1.1\r\nHost: meet.example\r\nHost: evil.example\r\n\r\n'],
  ['no host', 'GET /who HTTP/1.1\r\n\r\n'],
  ['a host that is none', 'GET /who HTTP/1.1\r\nHost: a b\r\n\r\n'],
  [
    'length and chunks',
    `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'chunks and length',
    `POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    'two lengths',
    `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  ['a list of lengths', `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\n${smuggled}`],
  ['a length with a sign', `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n${smuggled}`],
  [
    'chunks that are not the last encoding',
    'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
  ],
  ['another encoding', `POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n${smuggled}`],
  ['chunks in HTTP/1.0', `POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ['a space before the colon', `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n${smuggled}`],
  ['a folded header', 'GET /who HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n'],
  ['bare LF', 'GET /who HTTP/1.1\nHost: a\n\n'],
  ['a bare CR in a header', 'GET /who HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n'],
  ['NUL in a header', 'GET /who HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n'],
  ['a chunk size in LF', `POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`],
  [
    'a chunk size with a sign',
    `POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n`,
  ],
  ['HTTP/2 without a word', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['another version', 'GET /who HTTP/3.7\r\nHost: a\r\n\r\n'],
  ['a URL of another host', 'GET http://evil.example/who HTTP/1.1\r\nHost: meet.example\r\n\r\n'],
];
