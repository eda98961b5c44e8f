/** A uwsgi client for tests: it encodes packets, sends one request over a connection of its own and reads the response. */
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';

/** The path of a unix socket, or a TCP port on 127.0.0.1. */
export type Address = string | number;
export type Variables = Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];

export type UwsgiRequestOptions = {
  method?: string;
  url?: string;
  /** Sent as HTTP_…; an array is sent as a repeated variable. Content-Type becomes CONTENT_TYPE. */
  headers?: Record<string, string | readonly string[]>;
  body?: string | Buffer;
  /** Overrides any variable, for example REMOTE_ADDR or a wrong CONTENT_LENGTH. */
  vars?: Record<string, string>;
};

/** `headers` have lower-case names; repeated ones are joined by ", ". `raw` is everything received. */
export type UwsgiAnswer = { status: number; headers: Record<string, string>; body: Buffer; raw: Buffer };

/** The packet of these variables: head, then length-prefixed names and values, as latin1. */
export const encodePacket = (vars: Variables, modifier1 = 0): Buffer => {
  const pairs: readonly (readonly [string, string])[] = Array.isArray(vars) ? vars : Object.entries(vars);
  const block = Buffer.concat(pairs.flat().map(encodeText));
  const head = Buffer.alloc(4);
  head.writeUInt8(modifier1, 0);
  head.writeUInt16LE(block.length, 1);
  return Buffer.concat([head, block]);
};

const encodeText = (text: string): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(Buffer.byteLength(text, 'latin1'));
  return Buffer.concat([length, Buffer.from(text, 'latin1')]);
};

/** The variables that nginx with its stock uwsgi_params sends for a request. */
export const requestVariables = (options: UwsgiRequestOptions = {}): [string, string][] => {
  const { method = 'GET', url = '/', headers = {}, body, vars = {} } = options;
  const length = body === undefined ? '' : String(Buffer.byteLength(body));
  const standard: Record<string, string> = {
    QUERY_STRING: url.split('?')[1] ?? '',
    REQUEST_METHOD: method,
    CONTENT_TYPE: '',
    CONTENT_LENGTH: length,
    REQUEST_URI: url,
    PATH_INFO: decoded(url.split('?')[0] ?? ''),
    DOCUMENT_ROOT: '/usr/share/nginx/html',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_SCHEME: 'http',
    REMOTE_ADDR: '203.0.113.7',
    REMOTE_PORT: '51234',
    SERVER_PORT: '80',
    SERVER_NAME: 'example.org',
    HTTP_HOST: 'example.org',
  };
  const repeated: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    const variable = name.toUpperCase().replaceAll('-', '_');
    if (variable === 'CONTENT_TYPE') standard[variable] = String(value);
    else for (const one of [value].flat()) repeated.push([`HTTP_${variable}`, one]);
  }
  const named = new Set([...repeated.map(([name]) => name), ...Object.keys(vars)]);
  const kept = Object.entries(standard).filter(([name]) => !named.has(name));
  return [...kept, ...repeated, ...Object.entries(vars)];
};

/** Like nginx decodes a path without dots and double slashes; invalid escapes are kept. */
const decoded = (path: string): string =>
  path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));

export const connectTo = (address: Address): Socket =>
  typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address);

/** Sends one request and resolves when the server has closed; rejects if the connection is reset. */
export const uwsgiRequest = async (address: Address, options: UwsgiRequestOptions = {}): Promise<UwsgiAnswer> => {
  const socket = connectTo(address);
  socket.write(encodePacket(requestVariables(options)));
  if (options.body !== undefined) socket.write(options.body);
  return readAnswer(await readAll(socket));
};

/** Everything until the server closes. */
export const readAll = (socket: Socket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });

/** Splits an HTTP response: the head, and everything after it as the body. */
export const readAnswer = (raw: Buffer): UwsgiAnswer => {
  const end = raw.indexOf('\r\n\r\n');
  if (end < 0) throw new Error(`no HTTP answer but ${raw.length} bytes: ${raw.toString('latin1', 0, 200)}`);
  const [statusLine = '', ...lines] = raw.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    const value = line.slice(line.indexOf(':') + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  return { status, headers, body: raw.subarray(end + 4), raw };
};

/** The address of a listening server. */
export const addressOf = (server: Server): Address => {
  const address = server.address();
  if (address === null) throw new Error('the server does not listen');
  return typeof address === 'string' ? address : address.port;
};

// ── a WebSocket by hand ─────────────────────────────────────────────────────────────────────────────────────────────

/** With the key of the example in RFC 6455 §1.3. */
export const handshake = (url: string): Buffer =>
  encodePacket(
    requestVariables({
      url,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version': '13',
      },
    }),
  );

/** A masked text frame of at most 125 bytes; the mask is zero. */
export const frame = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

export const readHandshake = async (socket: Socket): Promise<{ head: string; rest: Buffer }> => {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end >= 0) return { head: bytes.toString('latin1', 0, end + 2), rest: bytes.subarray(end + 4) };
    const [chunk]: Buffer[] = await once(socket, 'data');
    bytes = Buffer.concat([bytes, chunk ?? Buffer.alloc(0)]);
  }
};

/** Returns the text of the next unmasked frame of at most 125 bytes. */
export const frameReader = (socket: Socket, rest: Buffer): (() => Promise<string>) => {
  let bytes = rest;
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  return async () => {
    while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt8(1)) await once(socket, 'data');
    const end = 2 + bytes.readUInt8(1);
    const text = bytes.toString('utf8', 2, end);
    bytes = bytes.subarray(end);
    return text;
  };
};
