/** The Fastify app: plugins, headers, error answers and the routes; it listens on nothing by itself. */
import fastifyWebsocket from '@fastify/websocket';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { errors } from '../protocol/errors.ts';
import { protocolVersion } from '../protocol/messages.ts';
import { hardLimit } from '../signaling/websocket.ts';
import { type Operations, operations } from './ops.ts';
import { type Pages, pages } from './pages.ts';
import { type RequestWatch, requestId, watchRequests } from './requests.ts';
import { type RoomRoutes, roomRoutes } from './routes.ts';
import { securityHeaders } from './security.ts';

export type AppOptions = RoomRoutes &
  Operations &
  RequestWatch &
  Pages & {
    logger: FastifyBaseLogger;
    /** Bytes of a request body. */
    limitPost: number;
    messageBytes: number;
  };

export const buildApp = async (options: AppOptions): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for each request would cost more than most requests; what is logged of one names its id by itself.
    childLoggerFactory: (logger) => logger,
    requestIdHeader: false,
    genReqId: requestId,
    bodyLimit: options.limitPost,
    // A room name in any script, in percent-encoding.
    routerOptions: { maxParamLength: 1024, ignoreTrailingSlash: true },
    // Listeners take away what a client says of itself and put in what a front end may say: the nearest hop is right.
    trustProxy: (_address, hop) => hop === 0,
  });
  await app.register(fastifyWebsocket, {
    options: {
      maxPayload: hardLimit(options.messageBytes),
      perMessageDeflate: false,
      clientTracking: false,
      // Pongs count as unsent bytes like everything else: `SocketWire` answers.
      autoPong: false,
      handleProtocols: (offered: Set<string>) => (offered.has(protocolVersion) ? protocolVersion : false),
    },
  });
  // Hooks of every request have callbacks: promises would put off all of them by turns, a fifth of what a request costs.
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(securityHeaders);
    // Otherwise a connection that is kept alive would hold up the end of a server that drains.
    if (!options.ready()) reply.header('connection', 'close');
    next();
  });
  watchRequests(app, options);
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) {
      options.counts.answers.failed += 1;
      options.logger.error({ err: error, reqId: request.id }, 'a request failed');
    }
    return reply.code(status).send(answerTo(error, status));
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ type: 'error', code: 'not-found', message: `There is no ${request.method} ${request.url}.` }),
  );
  await app.register(pages, options);
  await app.register(roomRoutes, options);
  await app.register(operations, options);
  await app.ready();
  return app;
};

/** Faults that Fastify finds before a route does, under the protocol's codes. */
const answerTo = (error: Error, status: number) => {
  if (status >= 500) return { type: 'error', code: 'internal', message: errors.internal.message };
  const code = status === 413 ? 'too-long' : 'bad-json';
  return { type: 'error', code, message: `${errors[code].message} (${error.message})` };
};
