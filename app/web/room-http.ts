/** The routes of a room over plain HTTP. */
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { explain } from '../protocol/decode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { HttpConversations } from '../signaling/transports/http.ts';
import { refusalAnswer } from '../signaling/transports/http-answer.ts';
import type { Counts } from '../stats/counters.ts';
import { type OriginPolicy, originRequestOf } from './allowed-origins.ts';
import { beginStream } from './request-log.ts';
import { type CheckRequest, callerOf, roomOf, type SendAnswer, sessionOf } from './room-request.ts';

export type HttpRoutes = {
  conversations: HttpConversations;
  /** Maximum bytes of a request body. */
  limitPost: number;
  ready: () => boolean;
  counts: Counts;
};

type Context = HttpRoutes & { mayUse: OriginPolicy; check: CheckRequest; send: SendAnswer };

/** To be registered below the URL of a room. */
export const httpRoutes = async (app: FastifyInstance, context: Context): Promise<void> => {
  await app.register(cors, {
    // `null` stands for many origins, so it must not be allowed to read responses.
    delegator: (request, callback) => {
      const originRequest = originRequestOf(request);
      const isOne = originRequest.origin !== undefined && originRequest.origin !== 'null';
      callback(null, { ...crossOrigin, origin: isOne && context.mayUse(originRequest) });
    },
  });
  keepBodiesAsText(app);
  checkBeforeBody(app, context);
  refundShortBodies(app, context);
  messageRoutes(app, context);
  eventsRoute(app, context);
};

/** CORS options. There are no cookies, hence no credentials. */
const crossOrigin = {
  methods: ['GET', 'POST'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id'],
  exposedHeaders: ['retry-after', 'x-request-id'],
  // Seconds for which browsers cache the preflight.
  maxAge: 600,
};

/** Maximum bytes of a body with a single message; the longest contains a token. */
const smallBody = 16_384;

/** The protocol decodes a body as it decodes a WebSocket message: to parse unknown JSON can cost a hundred times as much. */
const keepBodiesAsText = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body));
};

/** A request without a body has an empty message. */
const bodyOf = ({ body }: FastifyRequest): string => (typeof body === 'string' ? body : '{}');

/** Checks requests before the body is read, so that the body of a refused request is not. */
const checkBeforeBody = (app: FastifyInstance, { conversations, limitPost, check, send }: Context): void => {
  /** Refuses a body over the byte budget of its address, or a large one without a session in the room. */
  const refuseBody = async (request: FastifyRequest): Promise<Refusal | undefined> => {
    const bytes = bodyBytes(request, limitPost);
    const refusal = conversations.chargeBody(bytes, request.ip);
    // Routes that need no session accept only small bodies.
    if (refusal || bytes <= smallBody || request.routeOptions.bodyLimit === smallBody) return refusal;
    return conversations.refuseStranger(roomOf(request), sessionOf(request), callerOf(request));
  };
  app.addHook('onRequest', async (request, reply) => {
    const refusal = check(request) ?? (await refuseBody(request));
    if (refusal) return send(reply, refusalAnswer(refusal));
    reply.header('cache-control', 'no-store');
  });
};

/** A body of unknown length counts as `max` bytes until it has arrived. */
const bodyBytes = ({ headers }: FastifyRequest, max: number): number =>
  headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : max;

/** Refunds what a body of unknown length was charged beyond its actual length. */
const refundShortBodies = (app: FastifyInstance, { conversations, limitPost }: Context): void => {
  app.addHook('preParsing', (request, _reply, payload, next) => {
    if (request.headers['transfer-encoding'] === undefined) return next(null, payload);
    let bytes = 0;
    payload.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    payload.once('close', () => conversations.giveBackBody(Math.max(0, limitPost - bytes), request.ip));
    next(null, payload);
  });
};

const messageRoutes = (app: FastifyInstance, { conversations, ready, send }: Context): void => {
  for (const action of ['create', 'join'] as const)
    app.post(`/${action}`, { bodyLimit: smallBody }, async (request, reply) => {
      const answer = ready()
        ? conversations[action](roomOf(request), bodyOf(request), callerOf(request))
        : refusalAnswer(refuse('draining'));
      return send(reply, await answer);
    });
  app.post('/messages', async (request, reply) =>
    send(reply, await conversations.messages(roomOf(request), sessionOf(request), bodyOf(request), callerOf(request))),
  );
  app.post('/leave', { bodyLimit: smallBody }, async (request, reply) =>
    send(reply, await conversations.leave(roomOf(request), sessionOf(request), bodyOf(request), callerOf(request))),
  );
  app.get('/inside', async (request, reply) =>
    send(reply, await conversations.inside(roomOf(request), callerOf(request))),
  );
};

const eventsQuery = z.object({
  after: z.coerce.number().int().min(0),
  wait: z.coerce.number().min(0).default(0),
});

const eventsRoute = (app: FastifyInstance, { conversations, counts, send }: Context): void => {
  // No HEAD route: a HEAD request would end the pending long poll.
  app.get('/events', { exposeHeadRoute: false }, async (request, reply) => {
    const query = eventsQuery.safeParse(Object.assign({}, request.query, lastEvent(request)));
    if (!query.success) return send(reply, refusalAnswer(explain(query.error, 'query')));
    const { after, wait } = query.data;
    const [room, session] = [roomOf(request), sessionOf(request)];
    if (!wantsStream(request)) {
      const onClose = (callback: () => void) => reply.raw.once('close', callback);
      return send(reply, await conversations.events(room, session, { after, wait }, callerOf(request), onClose));
    }
    const stream = { reqId: request.id, ip: request.ip, begin: () => beginStream(request, reply, counts) };
    const refused = await conversations.stream(room, session, after, callerOf(request), stream);
    return refused ? send(reply, refused) : reply;
  });
};

const wantsStream = ({ headers }: FastifyRequest): boolean => /\btext\/event-stream\b/i.test(headers.accept ?? '');

/** The last event a reconnecting EventSource has received; it overrides `after` in the URL, which is from its first connection. */
const lastEvent = ({ headers }: FastifyRequest): { after?: string } => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? { after: id } : {};
};
