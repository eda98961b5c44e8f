/** The Fastify app: plugins, headers, error handlers and routes. It does not listen itself. */
import fastifyWebsocket from '@fastify/websocket';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { ServerOptions } from 'ws';
import { errorSentence } from '../listener/error-response.ts';
import { type ErrorCode, errors } from '../protocol/errors.ts';
import { binaryProtocolVersion, protocolVersion } from '../protocol/messages.ts';
import { closeTimeout, hardLimit } from '../signaling/transports/websocket.ts';
import { countRefusal } from '../stats/counters.ts';
import { originPolicy } from './allowed-origins.ts';
import { handshakeAcceptor } from './direct-handshake.ts';
import { type Operations, operations } from './health.ts';
import { type Pages, pages } from './pages.ts';
import { listenerOf, type RequestWatch, refuseUnroutable, requestId, watchRequests } from './request-log.ts';
import { requestCheck } from './room-request.ts';
import { webSocketOpener, webSocketUrl } from './room-websocket.ts';
import { type RoomRoutes, roomRoutes } from './rooms.ts';
import { securityHeaders } from './security-headers.ts';
import { HandshakeResponse } from './websocket-handshake.ts';

type AppOptions = RoomRoutes &
  Operations &
  RequestWatch &
  Pages & {
    logger: FastifyBaseLogger;
  };

export const buildApp = async (options: AppOptions): Promise<FastifyInstance> => {
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger per request would cost more than most requests; log entries add the request id themselves.
    childLoggerFactory: (logger) => logger,
    requestIdHeader: false,
    genReqId: requestId,
    bodyLimit: options.limitPost,
    // For room names in any script, percent-encoded.
    routerOptions: { maxParamLength: 1024, ignoreTrailingSlash: true },
    // The listeners have removed untrusted forwarding headers, so the nearest hop can be trusted.
    trustProxy: (_address, hop) => hop === 0,
    // No route has a JSON schema, so the compilers, Ajv among them, need not be loaded.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    frameworkErrors: (error, request, reply) => refuseUnroutable(app, request.raw, reply.raw, error),
  });
  await app.register(fastifyWebsocket, { options: webSocketOptions(options) });
  const check = requestCheck(originPolicy(options.allowedOrigins));
  const open = webSocketOpener(app.log, { ...options, check });
  app.decorate('acceptHandshake', handshakeAcceptor(app.websocketServer, open, options.ready));
  // Hooks of every request use callbacks: promises would cost a fifth of the time of a request.
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(securityHeaders);
    // Otherwise keep-alive connections would delay draining.
    if (!options.ready()) reply.header('connection', 'close');
    next();
  });
  watchRequests(app, options);
  app.addHook('onRequest', (request, reply, next) => {
    if (!(reply.raw instanceof HandshakeResponse) || request.routeOptions.url === webSocketUrl) return next();
    reply.code(404).send(errorBody('not-found', `There is no WebSocket at ${request.url}.`));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    const code = codeOf(error, status);
    if (code === 'bad-request') countRefusal(options.counts, listenerOf(request.raw), code);
    else options.counts.refused[code] += 1;
    if (status >= 500) {
      options.counts.answers.failed += 1;
      options.logger.error({ err: error, reqId: request.id }, 'a request failed');
    }
    const message = code === 'bad-request' ? errorSentence(code) : errors[code].message;
    return reply.code(status).send(errorBody(code, status >= 500 ? message : `${message} (${error.message})`));
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send(errorBody('not-found', `There is no ${request.method} ${request.url}.`)),
  );
  await app.register(pages, options);
  await app.register(roomRoutes, options);
  await app.register(operations, options);
  await app.ready();
  return app;
};

const noSchemas = (): never => {
  throw new Error('a route has a JSON schema, but its compiler is not loaded');
};

/** `closeTimeout`: ms for the peer to answer a close frame before its connection is destroyed; missing in the types of ws. */
const webSocketOptions = ({
  messageBytes,
}: AppOptions): Omit<ServerOptions, 'WebSocket'> & {
  closeTimeout: number;
  maxFragments: number;
  maxBufferedChunks: number;
} => ({
  maxPayload: hardLimit(messageBytes),
  // A fragment keeps the chunk that it arrived in, up to 64 KiB, until the message is complete.
  maxFragments: 32,
  maxBufferedChunks: 512,
  perMessageDeflate: false,
  clientTracking: false,
  // `SocketWire` sends pongs, so that they count as unsent bytes like everything else.
  autoPong: false,
  closeTimeout,
  handleProtocols: (offered) =>
    [binaryProtocolVersion, protocolVersion].find((version) => offered.has(version)) ?? false,
});

/** Maps Fastify's own errors to codes: those of the protocol for errors about bodies, else those of the listeners. */
const codeOf = ({ code }: FastifyError, status: number): ErrorCode | 'bad-request' => {
  if (status >= 500) return 'internal';
  if (status === 413) return 'too-long';
  return code?.startsWith('FST_ERR_CTP') ? 'bad-json' : 'bad-request';
};

const errorBody = (code: string, message: string) => ({ type: 'error', code, message });
