/** Every request: the listener it came by, its id, and what is counted and logged once it is answered. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ListenerLog } from '../listener/error-response.ts';
import { type Counts, countAnswer, countRefusal, countStatus, type Listener } from '../stats/counters.ts';
import { HandshakeResponse } from './websocket-handshake.ts';

/** Hands what comes to a listener over to the app. */
export const attach = (server: Server, app: FastifyInstance, listener: Listener): void => {
  server.on('request', (request: Marked, response) => {
    request[cameBy] = listener;
    app.server.emit('request', request, response);
  });
  server.on('upgrade', (request: Marked, socket: Socket, head) => {
    request[cameBy] = listener;
    app.routing(request, new HandshakeResponse(request, socket, head));
  });
};

/** On the request itself: a WeakMap of all requests is dear to collect. */
const cameBy = Symbol('the listener that a request came by');
type Marked = IncomingMessage & { [cameBy]?: Listener; [unroutable]?: Error };

const unroutable = Symbol('why the router could not read the URL');

/**
 * The router answers some errors (a broken escape, a very long parameter) before any hook. Routed once more, under a URL that
 * can be read, the request passes all hooks, and one of them refuses it.
 */
export const refuseUnroutable = (
  app: FastifyInstance,
  request: Marked,
  response: ServerResponse,
  error: Error,
): void => {
  const { url } = request;
  app.routing(Object.assign(request, { originalUrl: url, url: '/', [unroutable]: error }), response);
};

/** What nobody has told of counts as public. */
export const listenerOf = (request: Marked): Listener => request[cameBy] ?? 'http';

/** A listener's log, counting the answers that it gives by itself: those have a code. */
export const countRefusals = (log: ListenerLog, counts: Counts, listener: Listener): ListenerLog => ({
  warn(fields, message) {
    if ('code' in fields && typeof fields.code === 'string') countRefusal(counts, listener, fields.code);
    // Lines for requests that are refused because there are so many would be as many.
    if (!('code' in fields) || fields.code !== 'rate-limited') log.warn(fields, message);
  },
});

/** Behind a front end the id is the front end's, so that both logs have the same; a browser's own word counts for nothing. */
export const requestId = (request: IncomingMessage): string => {
  const given = listenerOf(request) === 'http' ? undefined : request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:+/=-]{1,128}$/.test(given) ? given : randomUUID();
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Its URL as the program names it; `none` when it leads nowhere. */
    route: string;
  }
}

const streamType = 'text/event-stream';

/** Begins an answer that is an event stream: whoever writes it tells of its end. */
export const beginStream = (request: FastifyRequest, reply: FastifyReply, counts: Counts): ServerResponse => {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
  reply.raw.setHeader('content-type', streamType);
  // A front end hands on what comes as it comes: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
  reply.raw.setHeader('x-accel-buffering', 'no');
  // Its end is the connection's: one that is kept would hold up a server that drains.
  reply.raw.setHeader('connection', 'close');
  reply.raw.writeHead(200);
  countStatus(counts, listenerOf(request.raw), 200);
  return reply.raw;
};

/** A request that was answered. */
export type Answered = {
  reqId: string;
  method: string;
  url: string;
  status: number;
  /** µs */
  us: number;
  ip: string;
  host: string;
  /** Of the body; undefined when its length was not told beforehand. */
  bytes: number | undefined;
  protocol: string;
  agent: string | undefined;
  referer: string | undefined;
  room: string | undefined;
};

/** Who is told of answers, if it wants to be: a description costs more than a small answer. */
export type RequestLog = { wants(status: number, us: number): boolean; answered(entry: Answered): void };

export type RequestWatch = {
  counts: Counts;
  access: RequestLog;
  /** @param route as in FastifyRequest */
  took(route: string, seconds: number): void;
  /** Told of each refusal that a client at this address has caused. */
  refusedTo(address: string): void;
};

/** As nginx has it: the client left before the answer. */
const gone = 499;

/** WebSockets and event streams are told of by those who have them. */
export const watchRequests = (app: FastifyInstance, { counts, access, took, refusedTo }: RequestWatch): void => {
  const done = (request: FastifyRequest, reply: FastifyReply, status: number): void => {
    if (reply.raw.getHeader('content-type') === streamType) return;
    const bytes = reply.raw.writableFinished ? bytesOf(request, reply) : undefined;
    const us = Math.round(reply.elapsedTime * 1000);
    countAnswer(counts, listenerOf(request.raw), status, us, bytes ?? 0);
    if (status >= 400 && status < gone) refusedTo(request.ip);
    took(request.route, us / 1e6);
    if (access.wants(status, us)) access.answered(describe(request, status, us, bytes));
  };
  // By each route's own hook, because what Fastify tells of a route is put together anew whenever it is asked for.
  app.decorateRequest('route', 'none');
  app.addHook('onRoute', (route) => {
    const { onRequest = [], url } = route;
    route.onRequest = [
      ...[onRequest].flat(),
      (request, _reply, next) => {
        request.route = url;
        next();
      },
    ];
  });
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id);
    reply.raw.on('close', () => {
      const { writableFinished, headersSent, statusCode } = reply.raw;
      if (!writableFinished) done(request, reply, headersSent || statusCode >= 400 ? statusCode : gone);
    });
    const { [unroutable]: fault }: Marked = request.raw;
    next(fault);
  });
  app.addHook('onResponse', (request, reply, next) => {
    done(request, reply, reply.statusCode);
    next();
  });
};

const describe = (request: FastifyRequest, status: number, us: number, bytes: number | undefined): Answered => {
  const { 'user-agent': agent, referer } = request.headers;
  return {
    reqId: request.id,
    method: request.method,
    url: request.originalUrl,
    status,
    us,
    ip: request.ip,
    host: request.host,
    bytes,
    protocol: `HTTP/${request.raw.httpVersion}`,
    agent,
    referer,
    room: roomIn(request.params),
  };
};

const roomIn = (params: unknown): string | undefined =>
  typeof params === 'object' && params !== null && 'room' in params ? String(params.room) : undefined;

const bytesOf = ({ method }: FastifyRequest, reply: FastifyReply): number | undefined => {
  if (method === 'HEAD' || reply.statusCode === 204 || reply.statusCode === 304) return 0;
  const length = Number(reply.getHeader('content-length') ?? Number.NaN);
  return Number.isNaN(length) ? undefined : length;
};
