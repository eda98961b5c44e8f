/** From uwsgi variables to a request's head: what is passed on, what is dropped, what is refused. */
import { describe, expect, test } from 'vitest';
import { type RequestHead, readHead, type VarsFault } from '../../../app/listener/uwsgi/vars.ts';
import { requestVariables, type UwsgiRequestOptions } from './client.ts';

const limitPost = 1000;
const read = (options: UwsgiRequestOptions = {}): RequestHead | VarsFault =>
  readHead(requestVariables(options), limitPost);
const headOf = (options: UwsgiRequestOptions = {}): RequestHead => {
  const head = read(options);
  if (head.kind === 'fault') throw new Error(`${head.variable}: ${head.reason}`);
  return head;
};
const faultOf = (vars: Record<string, string>): VarsFault => {
  const head = read({ vars });
  if (head.kind === 'head') throw new Error('not refused');
  return head;
};
/** Every value of a header, in order. */
const values = (head: RequestHead, name: string): string[] =>
  head.rawHeaders.filter((_, at, all) => at % 2 === 1 && all[at - 1] === name);
const names = (head: RequestHead): string[] => head.rawHeaders.filter((_, at) => at % 2 === 0);

describe('the request line', () => {
  test('is read from its variables, with the raw URL', () => {
    const head = headOf({ method: 'GET', url: '/a%20b/../c?x=1', vars: { PATH_INFO: '/c' } });
    expect(head).toMatchObject({ method: 'GET', url: '/a%20b/../c?x=1', httpVersion: '1.1', upgrade: false });
  });

  test('may be OPTIONS *, and * only with OPTIONS', () => {
    expect(headOf({ method: 'OPTIONS', url: '*' }).url).toBe('*');
    expect(faultOf({ REQUEST_URI: '*' })).toMatchObject({ status: 400, variable: 'REQUEST_URI' });
  });

  test('has the protocol version', () => {
    expect(headOf({ vars: { SERVER_PROTOCOL: 'HTTP/1.0' } }).httpVersion).toBe('1.0');
    expect(headOf({ vars: { SERVER_PROTOCOL: 'HTTP/2.0' } }).httpVersion).toBe('2.0');
    expect(headOf({ vars: { SERVER_PROTOCOL: '' } }).httpVersion).toBe('1.1');
  });

  test.each([
    ['REQUEST_URI', ''],
    ['REQUEST_URI', 'a'],
    ['REQUEST_URI', 'http://example.org/'],
    ['REQUEST_URI', '/a b'],
    ['REQUEST_URI', '/a\tb'],
    ['REQUEST_URI', '/a\r\nx: y'],
    ['REQUEST_METHOD', ''],
    ['REQUEST_METHOD', 'GET /'],
    ['REQUEST_METHOD', 'GE\0T'],
    ['SERVER_PROTOCOL', 'HTTP/one'],
    ['SERVER_PROTOCOL', 'HTTP/1.1\n'],
  ])('is refused for %s %j', (variable, value) => {
    expect(faultOf({ [variable]: value })).toMatchObject({ status: 400, variable });
  });

  test('is refused if a variable is missing', () => {
    for (const absent of ['REQUEST_METHOD', 'REQUEST_URI', 'REMOTE_ADDR']) {
      const vars = requestVariables().filter(([name]) => name !== absent);
      expect(readHead(vars, limitPost)).toMatchObject({ kind: 'fault', status: 400, variable: absent });
    }
  });
});

describe('headers', () => {
  test('get their names back, in lower case and in order', () => {
    const head = headOf({ headers: { 'X-Some-Thing': '1', Accept: 'text/html' } });
    expect(head.rawHeaders.slice(0, 6)).toEqual(['host', 'example.org', 'x-some-thing', '1', 'accept', 'text/html']);
  });

  test('that are repeated stay separate', () => {
    const head = headOf({ headers: { Cookie: ['a=1', 'b=2'] } });
    expect(values(head, 'cookie')).toEqual(['a=1', 'b=2']);
  });

  test('about the body have variables of their own', () => {
    const head = headOf({
      method: 'POST',
      body: 'hello',
      headers: { 'Content-Type': 'text/plain' },
      vars: { HTTP_CONTENT_TYPE: 'text/forged', HTTP_CONTENT_LENGTH: '99' },
    });
    expect(values(head, 'content-type')).toEqual(['text/plain']);
    expect(values(head, 'content-length')).toEqual(['5']);
    expect(head.contentLength).toBe(5);
  });

  test('that are hop-by-hop are dropped', () => {
    const hop = [
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Expect',
      'Upgrade',
    ];
    const head = headOf({ headers: Object.fromEntries(hop.map((name) => [name, 'x'])) });
    for (const name of hop) expect(names(head)).not.toContain(name.toLowerCase());
  });

  test('never include Proxy (httpoxy)', () => {
    expect(names(headOf({ headers: { Proxy: 'http://evil.example' } }))).not.toContain('proxy');
  });

  test.each(['HTTP_', 'HTTP_A B', 'HTTP_A\r\nB', 'HTTP_A:', 'HTTP_É'])('the name %j is refused', (variable) => {
    expect(faultOf({ [variable]: '1' })).toMatchObject({ status: 400 });
    expect(faultOf({ [variable]: '1' }).variable).toMatch(/^[A-Z_…]+$/);
  });

  test.each(['a\rb', 'a\nb', 'a\0b', '\r\n'])('the value %j is refused', (value) => {
    expect(faultOf({ HTTP_X_THING: value })).toMatchObject({ status: 400, variable: 'HTTP_X_THING' });
    expect(faultOf({ CONTENT_TYPE: value })).toMatchObject({ status: 400, variable: 'CONTENT_TYPE' });
  });

  test('may contain other control characters and bytes above 7f, unchanged', () => {
    expect(values(headOf({ headers: { 'X-Thing': 'a\tb é' } }), 'x-thing')).toEqual(['a\tb é']);
  });

  test('a second, different Host is refused; a repeated one is accepted', () => {
    const twice = (second: string): RequestHead | VarsFault => read({ headers: { Host: ['example.org', second] } });
    expect(twice('evil.example')).toMatchObject({ kind: 'fault', status: 400, variable: 'HTTP_HOST' });
    expect(names(headOf({ headers: { Host: ['a', 'a'] } })).filter((name) => name === 'host')).toHaveLength(1);
  });

  test('unused variables are not validated', () => {
    expect(headOf({ vars: { DOCUMENT_ROOT: 'a\nb', X: '\0' } }).kind).toBe('head');
  });

  test('any number of unknown names is converted', () => {
    for (let at = 0; at < 2000; at++) {
      expect(values(headOf({ headers: { [`x-new-${at}`]: 'v' } }), `x-new-${at}`)).toEqual(['v']);
    }
  });
});

describe('the client', () => {
  test('is the one in the variables', () => {
    const head = headOf({ vars: { REMOTE_ADDR: '2001:db8::7', REMOTE_PORT: '4711', REQUEST_SCHEME: 'https' } });
    expect(head).toMatchObject({ remoteAddress: '2001:db8::7', remotePort: 4711, scheme: 'https' });
    expect(values(head, 'x-forwarded-for')).toEqual(['2001:db8::7']);
    expect(values(head, 'x-forwarded-proto')).toEqual(['https']);
    expect(values(head, 'x-forwarded-host')).toEqual(['example.org']);
  });

  test('cannot set its own forwarded headers', () => {
    const head = headOf({
      headers: {
        'X-Forwarded-For': '198.51.100.1',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Port': '1',
        'X-Forwarded': 'for=1',
        Forwarded: 'for=198.51.100.1',
        'X-Real-IP': '198.51.100.1',
      },
    });
    expect(values(head, 'x-forwarded-for')).toEqual(['203.0.113.7']);
    expect(values(head, 'x-forwarded-proto')).toEqual(['http']);
    expect(values(head, 'x-forwarded-host')).toEqual(['example.org']);
    const rest = names(head).filter((name) => /forwarded|real/.test(name));
    expect(rest.sort()).toEqual(['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']);
  });

  test('uses https if HTTPS is on and no scheme is given', () => {
    expect(headOf({ vars: { REQUEST_SCHEME: '', HTTPS: 'on' } }).scheme).toBe('https');
    expect(headOf({ vars: { REQUEST_SCHEME: '', HTTPS: 'off' } }).scheme).toBe('http');
    expect(headOf({ vars: { REQUEST_SCHEME: '', HTTPS: '' } }).scheme).toBe('http');
    expect(headOf({ vars: { REQUEST_SCHEME: 'http', HTTPS: 'on' } }).scheme).toBe('http');
  });

  test.each([
    ['8081', 'http', ['8081']],
    ['80', 'http', []],
    ['443', 'https', []],
    ['80', 'https', ['80']],
    ['', 'http', []],
    ['0', 'http', []],
    ['65536', 'http', []],
    ['unix', 'http', []],
  ])('connects to SERVER_PORT %j, by %s: x-forwarded-port %j', (port, scheme, forwardedPort) => {
    const head = headOf({ vars: { SERVER_PORT: port, REQUEST_SCHEME: scheme, HTTP_X_FORWARDED_PORT: '1' } });
    expect(values(head, 'x-forwarded-port')).toEqual(forwardedPort);
  });

  test('may have no Host and no port, and may reach nginx over a unix socket', () => {
    const head = headOf({ vars: { HTTP_HOST: '', REMOTE_PORT: '', REMOTE_ADDR: 'unix:' } });
    expect(names(head)).not.toContain('x-forwarded-host');
    expect(head).not.toHaveProperty('remotePort');
    expect(head.remoteAddress).toBe('unix:');
  });

  test.each([
    ['REMOTE_ADDR', ''],
    ['REMOTE_ADDR', '1.2.3.4, 5.6.7.8'],
    ['REMOTE_ADDR', 'localhost'],
    ['REMOTE_PORT', 'x'],
    ['REMOTE_PORT', '65536'],
    ['REQUEST_SCHEME', 'ftp'],
  ])('is refused for %s %j', (variable, value) => {
    expect(faultOf({ [variable]: value })).toMatchObject({ status: 400, variable });
  });
});

describe('CONTENT_LENGTH', () => {
  test('missing or empty is 0, without a header', () => {
    const absent = requestVariables().filter(([name]) => name !== 'CONTENT_LENGTH');
    for (const head of [headOf(), readHead(absent, limitPost)]) {
      expect(head).toMatchObject({ kind: 'head', contentLength: 0 });
      if (head.kind === 'head') expect(names(head)).not.toContain('content-length');
    }
  });

  test('up to the limit is accepted', () => {
    expect(headOf({ vars: { CONTENT_LENGTH: '1000' } }).contentLength).toBe(1000);
  });

  test.each(['1001', '99999999999999999999999999'])('%s is too large', (value) => {
    expect(faultOf({ CONTENT_LENGTH: value })).toMatchObject({ status: 413, variable: 'CONTENT_LENGTH' });
  });

  test.each(['-1', '+1', '1.5', '0x10', '1e3', ' 1', '1,1', 'x', '1\n'])('%j is not a length', (value) => {
    expect(faultOf({ CONTENT_LENGTH: value })).toMatchObject({ status: 400, variable: 'CONTENT_LENGTH' });
  });

  test('may be repeated only with the same value', () => {
    const twice = (second: string): RequestHead | VarsFault =>
      readHead([...requestVariables({ body: 'hello' }), ['CONTENT_LENGTH', second]], limitPost);
    expect(twice('5')).toMatchObject({ contentLength: 5 });
    expect(twice('6')).toMatchObject({ status: 400, variable: 'CONTENT_LENGTH' });
  });
});

describe('a WebSocket handshake', () => {
  const handshake = { Connection: 'Upgrade', Upgrade: 'websocket' };

  test('keeps Connection and Upgrade', () => {
    const head = headOf({ headers: handshake });
    expect(head.upgrade).toBe(true);
    expect(values(head, 'connection')).toEqual(['Upgrade']);
    expect(values(head, 'upgrade')).toEqual(['websocket']);
  });

  test.each([
    [{ Connection: 'keep-alive, Upgrade', Upgrade: 'WebSocket' }],
    [{ Connection: ['keep-alive', 'upgrade'], Upgrade: 'websocket' }],
  ])('is recognised as %j', (headers) => {
    expect(headOf({ headers }).upgrade).toBe(true);
  });

  test.each([
    [{ headers: { Connection: 'Upgrade', Upgrade: 'h2c' } }],
    [{ headers: { Upgrade: 'websocket' } }],
    [{ headers: { Connection: 'upgraded', Upgrade: 'websocket' } }],
    [{ method: 'POST', headers: handshake }],
    [{ headers: handshake, body: 'x' }],
  ])('is not %j', (options) => {
    const head = headOf(options);
    expect(head.upgrade).toBe(false);
    expect(names(head)).not.toContain('upgrade');
    expect(names(head)).not.toContain('connection');
  });
});
