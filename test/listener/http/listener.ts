/** One listener of any kind for one test, and requests to it: the same test uses HTTP or uwsgi. */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FrontedServerOptions, frontedServer, publicServer } from '../../../app/listener/http/server.ts';
import {
  type Address,
  addressOf,
  connectTo,
  encodePacket,
  readAll,
  readAnswer,
  requestVariables,
  type UwsgiRequestOptions,
} from '../uwsgi/client.ts';
import { atEnd } from '../uwsgi/finish.ts';
import { type Family, type Listener, type LogLine, socketPath, listen as uwsgiListen } from '../uwsgi/listener.ts';

/** Named like the settings. */
export const kinds = ['http', 'http-socket', 'socket'] as const;
export type Kind = (typeof kinds)[number];
export type Options = Partial<Omit<FrontedServerOptions, 'log'>>;

const defaults: Omit<FrontedServerOptions, 'log'> = {
  bufferSize: 65_535,
  limitPost: 64 * 1024 * 1024,
  headerTimeout: 5000,
  bodyTimeout: 5000,
  idleTimeout: 5000,
  keepAliveTimeout: 5000,
  harakiri: 0,
  allowFrom: () => true,
  isProxy: () => false,
  admit: () => true,
  isBarred: () => false,
  refusedTo: () => {},
  answersFor: () => true,
};

/** Listens until the test is over; then all connections are ended and the server closed. */
export const listenAs = async (kind: Kind, options: Options = {}, family: Family = 'tcp'): Promise<Listener> => {
  if (kind === 'socket') {
    const { keepAliveTimeout: _, isProxy: __, ...uwsgi } = options;
    return uwsgiListen(family, uwsgi);
  }
  const lines: LogLine[] = [];
  const log = { warn: (fields: object, message: string) => void lines.push({ fields: { ...fields }, message }) };
  const make = kind === 'http' ? publicServer : frontedServer;
  const server: Server = make({ ...defaults, ...options, log });
  if (family === 'tcp') server.listen(0, '127.0.0.1');
  else server.listen(socketPath());
  await once(server, 'listening');
  atEnd(async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  return { server, address: addressOf(server), lines };
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
export const serveAs = async (kind: Kind, handler: Handler, options: Options = {}, family: Family = 'tcp') => {
  const listener = await listenAs(kind, options, family);
  listener.server.on('request', handler);
  return listener;
};

/**
 * The bytes of a request's head, which closes its connection after the response over HTTP too. Over HTTP, of `vars` only CONTENT_LENGTH is
 * used.
 */
export const headOf = (kind: Kind, options: UwsgiRequestOptions = {}): Buffer =>
  kind === 'socket' ? encodePacket(requestVariables(options)) : httpHead(options);

const httpHead = ({ method = 'GET', url = '/', headers = {}, body, vars = {} }: UwsgiRequestOptions): Buffer => {
  const length = vars.CONTENT_LENGTH ?? (body === undefined ? undefined : String(Buffer.byteLength(body)));
  const all = Object.entries({ Host: 'example.org', Connection: 'close', ...headers });
  if (length !== undefined) all.push(['Content-Length', length]);
  const lines = all.flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
  return Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
};

/** Sends one request over a connection of its own; → everything until the server closes. */
export const exchange = async (kind: Kind, address: Address, options: UwsgiRequestOptions = {}): Promise<Buffer> => {
  const socket = connectTo(address);
  socket.write(headOf(kind, options));
  if (options.body !== undefined) socket.write(options.body);
  return readAll(socket);
};

/** Everything received so far, for sockets whose other end may be cut. */
export const collect = (socket: Socket): (() => string) => {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return () => text;
};

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Status and code of a refusal. */
export const codeOf = (raw: Buffer): [number, string] => {
  const { status, body } = readAnswer(raw);
  return [status, JSON.parse(body.toString()).code];
};

/** The head of a POST with so many bytes of body. */
export const post = (kind: Kind, length: number): Buffer =>
  headOf(kind, { method: 'POST', vars: { CONTENT_LENGTH: String(length) } });
