/** A stub for the app behind nginx, by uwsgi or HTTP: it responds with what it received. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { securityHeaders } from '../../app/web/security-headers.ts';

/** What a backend received, under the same names for both protocols; what was not sent is missing. */
export type ForwardedRequest = Record<string, string>;
export type Backend = { address: string; count(): number; stop(): Promise<void> };

export const startBackend = async (kind: 'uwsgi' | 'http', over: 'TCP' | 'a unix socket' = 'TCP'): Promise<Backend> => {
  let count = 0;
  const received = (forwarded: ForwardedRequest, socket: Socket) => {
    count++;
    answer(forwarded, socket);
  };
  const server: Server =
    kind === 'uwsgi'
      ? createServer((socket) => readUwsgi(socket, (forwarded) => received(forwarded, socket)))
      : createHttpServer((message) => readHttp(message, (forwarded) => received(forwarded, message.socket)));
  const directory = mkdtempSync(join(tmpdir(), 'genkan-backend-'));
  const path = join(directory, 'app.sock');
  const listening = once(server, 'listening');
  if (over === 'TCP') server.listen(0, '127.0.0.1');
  else server.listen(path);
  await listening;
  const bound = server.address();
  const stop = async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(directory, { recursive: true });
  };
  return { address: typeof bound === 'object' ? `127.0.0.1:${bound?.port}` : path, count: () => count, stop };
};

/** Responds with what it received and with the app's security headers; /slow sends an event and never ends, /unavailable has status 503. */
const answer = (forwarded: ForwardedRequest, socket: Socket) => {
  const own = Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
  const status = forwarded.url?.endsWith('/unavailable') ? '503 Service Unavailable' : '200 OK';
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\n${own.join('')}`;
  socket.on('error', () => socket.destroy());
  if (forwarded.url?.endsWith('/slow')) {
    socket.write(`${head}content-type: text/event-stream\r\n\r\ndata: first\n\n`);
    return;
  }
  const body = JSON.stringify(forwarded);
  socket.end(`${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};

const readUwsgi = (socket: Socket, done: (forwarded: ForwardedRequest) => void) => {
  let bytes = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt16LE(1)) return;
    const end = 4 + bytes.readUInt16LE(1);
    const vars = readVariables(bytes.subarray(4, end));
    const body = bytes.subarray(end);
    if (body.length < Number(vars.CONTENT_LENGTH || 0)) return;
    socket.off('data', onData);
    const forwarded = { method: vars.REQUEST_METHOD, url: vars.REQUEST_URI, body: body.toString() };
    done(
      named(
        {
          ...forwarded,
          type: vars.CONTENT_TYPE,
          length: vars.CONTENT_LENGTH,
          prefix: vars.SCRIPT_NAME,
          port: vars.SERVER_PORT,
        },
        (name) => vars[`HTTP_${name}`],
      ),
    );
  };
  socket.on('data', onData);
};

const readVariables = (bytes: Buffer): ForwardedRequest => {
  const vars: ForwardedRequest = {};
  let at = 0;
  const text = () => {
    const start = at + 2;
    at = start + bytes.readUInt16LE(at);
    return bytes.toString('latin1', start, at);
  };
  while (at < bytes.length) vars[text()] = text();
  return vars;
};

const readHttp = async (message: IncomingMessage, done: (forwarded: ForwardedRequest) => void) => {
  let body = '';
  for await (const chunk of message.setEncoding('utf8')) body += chunk;
  const { headers, method, url } = message;
  const header = (name: string) => headers[name.toLowerCase().replaceAll('_', '-')]?.toString();
  done(
    named(
      {
        method,
        url,
        body,
        type: header('CONTENT_TYPE'),
        length: header('CONTENT_LENGTH'),
        prefix: header('X_FORWARDED_PREFIX'),
        port: header('X_FORWARDED_PORT'),
      },
      header,
    ),
  );
};

const named = (
  forwarded: Record<string, string | undefined>,
  header: (name: string) => string | undefined,
): ForwardedRequest => {
  const all = {
    ...forwarded,
    host: header('HOST'),
    forwardedFor: header('X_FORWARDED_FOR'),
    forwardedProto: header('X_FORWARDED_PROTO'),
    forwardedHost: header('X_FORWARDED_HOST'),
    forwardedPrefix: header('X_FORWARDED_PREFIX'),
    realIp: header('X_REAL_IP'),
    requestId: header('X_REQUEST_ID'),
    forwarded: header('FORWARDED'),
    proxy: header('PROXY'),
    transferEncoding: header('TRANSFER_ENCODING'),
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
};
