/** A uwsgi listener for one test, on TCP or on a unix socket, with everything it logs. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import websocket from '@fastify/websocket';
import fastify, { type FastifyReply } from 'fastify';
import { TurnShares } from '../../../app/budgets/turn-shares.ts';
import { UnsentBytes } from '../../../app/budgets/unsent-bytes.ts';
import { createUwsgiServer, type UwsgiOptions } from '../../../app/listener/uwsgi/server.ts';
import { type Address, addressOf } from './client.ts';
import { atEnd } from './finish.ts';

export type Family = 'tcp' | 'unix';
export type LogLine = { fields: Record<string, unknown>; message: string };
export type Listener = { server: Server; address: Address; lines: LogLine[] };

/** Those of any listener. */
export const defaults: Omit<UwsgiOptions, 'log'> = {
  bufferSize: 65_535,
  limitPost: 64 * 1024 * 1024,
  headerTimeout: 5000,
  bodyTimeout: 5000,
  idleTimeout: 5000,
  harakiri: 0,
  allowFrom: () => true,
  admit: () => true,
  isBarred: () => false,
  refusedTo: () => {},
  answersFor: () => true,
  turns: new TurnShares(setImmediate),
  unsent: new UnsentBytes(1024 * 1024 * 1024),
};

export const listen = (family: Family = 'tcp', options: Partial<UwsgiOptions> = {}): Promise<Listener> =>
  listenUntilEnd(family, (log) => createUwsgiServer({ ...defaults, log, ...options }));

/** Listens until the test is over; then all connections are ended and the server closed. */
export const listenUntilEnd = async (
  family: Family,
  create: (log: UwsgiOptions['log']) => Server,
): Promise<Listener> => {
  const lines: LogLine[] = [];
  const server = create({ warn: (fields, message) => void lines.push({ fields: { ...fields }, message }) });
  if (family === 'tcp') server.listen(0, '127.0.0.1');
  else server.listen(socketPath());
  await once(server, 'listening');
  atEnd(async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  return { server, address: addressOf(server), lines };
};

/** A path for a unix socket in a directory of its own, removed after the test. */
export const socketPath = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'uwsgi-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'app.sock');
};

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;
export const listenWith = async (handler: Handler, options: Partial<UwsgiOptions> = {}, family: Family = 'tcp') => {
  const listener = await listen(family, options);
  listener.server.on('request', handler);
  return listener;
};

/** A Fastify app with WebSocket behind the listener, like the real one. */
export const buildApp = async (listener: Listener) => {
  const app = fastify({ trustProxy: true });
  await app.register(websocket);
  app.get('/who', (request) => ({ ip: request.ip, protocol: request.protocol, host: request.host }));
  app.get('/cookies', (request) => ({ cookie: request.headers.cookie }));
  app.post('/echo', { bodyLimit: 16 * 1024 * 1024 }, (request) => request.body);
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.get('/none', (_request, reply) => reply.code(204).send());
  app.get('/unchanged', (_request, reply) => reply.code(304).header('etag', '"1"').send());
  app.get('/stream', (_request, reply) => reply.type('text/plain').send(countingStream(100)));
  app.get('/ws', { websocket: true }, (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const refuse = async (_request: unknown, reply: FastifyReply) =>
    reply.code(403).type('text/plain').send(countingStream(100));
  app.get('/refused', { websocket: true, preHandler: refuse }, () => {});
  await app.ready();
  listener.server.on('request', (request, response) => app.server.emit('request', request, response));
  listener.server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  atEnd(() => app.close());
  return app;
};

/** "line 0\n" … as a slow web stream. */
const countingStream = (count: number): ReadableStream<Uint8Array> => {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at === count) return controller.close();
      if (at % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      controller.enqueue(Buffer.from(`line ${at++}\n`));
    },
  });
};
export const countingText = Array.from({ length: 100 }, (_, at) => `line ${at}\n`).join('');

/** The events of a request as its handler saw them. */
export const watch = (request: IncomingMessage, response: ServerResponse): string[] => {
  const events: string[] = [];
  for (const event of ['aborted', 'end', 'close']) request.on(event, () => events.push(`request ${event}`));
  for (const event of ['finish', 'close']) response.on(event, () => events.push(`response ${event}`));
  return events;
};
/** The events of a request whose connection was lost, sorted. */
export const gone = ['request aborted', 'request close', 'response close'];

/** How many connections the server has, of whatever state. */
export const connections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
