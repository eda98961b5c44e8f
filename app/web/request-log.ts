/** Per request: its listener, its id, and the counting and logging of its response. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ListenerLog } from '../listener/error-response.ts';
import { countsItself } from '../listener/limits.ts';
import { isCrossSite, type RefusedTo } from '../listener/refused-addresses.ts';
import { type Counts, countAnswer, countRefusal, countStatus, type Listener } from '../stats/counters.ts';
import { HandshakeResponse } from './websocket-handshake.ts';

/** Routes the requests and upgrades of a listener to the app. */
export const attach = (server: Server, app: FastifyInstance, listener: Listener): void => {
  server.on('request', (request: TaggedRequest, response) => {
    request[listenerKey] = listener;
    app.server.emit('request', request, response);
  });
  server.on('upgrade', (request: TaggedRequest, socket: Socket, head) => {
    request[listenerKey] = listener;
    if (!app.acceptHandshake(request, socket, head)) app.routing(request, new HandshakeResponse(request, socket, head));
  });
};

/** A property of the request, because a WeakMap of all requests would be expensive to garbage-collect. */
const listenerKey = Symbol('the listener that a request came by');
type TaggedRequest = IncomingMessage & { [listenerKey]?: Listener; [unroutable]?: Error };

const unroutable = Symbol('why the router could not read the URL');

/**
 * The router answers some errors (an invalid escape, a very long parameter) before any hook runs. Routing the request again,
 * under a valid URL, runs all hooks, one of which rejects it.
 */
export const refuseUnroutable = (
  app: FastifyInstance,
  request: TaggedRequest,
  response: ServerResponse,
  error: Error,
): void => {
  const { url } = request;
  app.routing(Object.assign(request, { originalUrl: url, url: '/', [unroutable]: error }), response);
};

/** Requests without a tag count as public. */
export const listenerOf = (request: TaggedRequest): Listener => request[listenerKey] ?? 'http';

/** Wraps a listener's log to count the errors that it sends itself, which have a code. */
export const countRefusals = (log: ListenerLog, counts: Counts, listener: Listener): ListenerLog => ({
  warn(fields, message) {
    if ('code' in fields && typeof fields.code === 'string') countRefusal(counts, listener, fields.code);
    // Not logged: one line per rate-limited request would flood the log.
    if (!('code' in fields) || fields.code !== 'rate-limited') log.warn(fields, message);
  },
});

/** Behind a front end, its request id is used, so that both logs match. Ids sent by browsers are ignored. */
export const requestId = (request: IncomingMessage): string => {
  const given = listenerOf(request) === 'http' ? undefined : request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:+/=-]{1,128}$/.test(given) ? given : randomUUID();
};

declare module 'fastify' {
  interface FastifyRequest {
    /** The URL pattern of the route; `none` if no route matches. */
    route: string;
    /** The answer has codes of the protocol, by which its refusals are already counted against the client's address. */
    isFaultCounted: boolean;
  }
}

const streamType = 'text/event-stream';

/** Begins an event-stream response; its writer logs the end. */
export const beginStream = (request: FastifyRequest, reply: FastifyReply, counts: Counts): ServerResponse => {
  reply.hijack();
  countsItself(reply.raw);
  for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
  reply.raw.setHeader('content-type', streamType);
  // Disables buffering in the front end: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
  reply.raw.setHeader('x-accel-buffering', 'no');
  // The connection closes with the stream: a keep-alive connection would delay draining.
  reply.raw.setHeader('connection', 'close');
  reply.raw.writeHead(200);
  countStatus(counts, listenerOf(request.raw), 200);
  return reply.raw;
};

/** An answered request. */
export type Answered = {
  reqId: string;
  method: string;
  url: string;
  status: number;
  /** µs */
  us: number;
  ip: string;
  host: string;
  /** Of the body; undefined without a Content-Length. */
  bytes: number | undefined;
  protocol: string;
  agent: string | undefined;
  referer: string | undefined;
  room: string | undefined;
};

/** Logs answered requests. `wants` is called first, because an entry costs more to create than a small response. */
export type RequestLog = { wants(status: number, us: number): boolean; answered(entry: Answered): void };

export type RequestWatch = {
  counts: Counts;
  access: RequestLog;
  /** Records a duration. @param route as in FastifyRequest */
  took(route: string, seconds: number): void;
  /** Called for each refused request of a client at this address. */
  refusedTo: RefusedTo;
};

/**
 * Whether the client did something wrong, or too often, as far as the status says. Where a route matched, others may have caused 401,
 * 404, 409 and 410.
 */
const isFault = (status: number, route: string): boolean =>
  status >= 400 && status < clientClosed && (route === 'none' || ![401, 404, 409, 410].includes(status));

/** As in nginx: the client closed the connection before the response. */
const clientClosed = 499;

/** Counts and logs requests, except WebSockets and event streams, which log themselves. */
export const watchRequests = (app: FastifyInstance, { counts, access, took, refusedTo }: RequestWatch): void => {
  const finish = (request: FastifyRequest, reply: FastifyReply, status: number): void => {
    if (reply.raw.getHeader('content-type') === streamType) return;
    const bytes = reply.raw.writableFinished ? bytesOf(request, reply) : undefined;
    const us = Math.round(reply.elapsedTime * 1000);
    countAnswer(counts, listenerOf(request.raw), status, us, bytes ?? 0);
    if (!request.isFaultCounted && isFault(status, request.route))
      // Browsers send no Sec-Fetch-Site with a WebSocket handshake, and any page can make them send one.
      refusedTo(request.ip, reply.raw instanceof HandshakeResponse || isCrossSite(request.headers['sec-fetch-site']));
    took(request.route, us / 1e6);
    if (access.wants(status, us)) access.answered(describe(request, status, us, bytes));
  };
  // By a hook of each route, because `request.routeOptions` is rebuilt on every access.
  app.decorateRequest('route', 'none');
  app.decorateRequest('isFaultCounted', false);
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
      if (!writableFinished) finish(request, reply, headersSent || statusCode >= 400 ? statusCode : clientClosed);
    });
    const { [unroutable]: fault }: TaggedRequest = request.raw;
    next(fault);
  });
  app.addHook('onResponse', (request, reply, next) => {
    finish(request, reply, reply.statusCode);
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
