/** The routes of a room: WebSocket, and the same protocol over plain HTTP. */
import { pipeline, Transform, type TransformCallback } from 'node:stream';
import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { own } from '../listener/header-names.ts';
import { explain } from '../protocol/decode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import { roomName } from '../protocol/messages.ts';
import type { Caller } from '../signaling/authorize.ts';
import type { HttpConversations } from '../signaling/transports/http.ts';
import { type HttpAnswer, refusalAnswer } from '../signaling/transports/http-answer.ts';
import type { WebSockets } from '../signaling/transports/websocket.ts';
import { type Counts, countStatus } from '../stats/counters.ts';
import { originPolicy, originRequestOf, whyNot } from './allowed-origins.ts';
import { requestEcho } from './request-echo.ts';
import { beginStream, listenerOf } from './request-log.ts';
import { HandshakeResponse, webSocketAcceptor } from './websocket-handshake.ts';

export type RoomRoutes = {
  webSockets: WebSockets;
  conversations: HttpConversations;
  /** Origins, in addition to the server's own, whose pages may use the rooms. */
  allowedOrigins: string[];
  /** Maximum bytes of a message. */
  messageBytes: number;
  /** Maximum bytes of a request body. */
  limitPost: number;
  ready: () => boolean;
  counts: Counts;
};

/** The only URL that accepts WebSockets. */
export const webSocketUrl = '/rooms/:room/ws';

const eventsQuery = z.object({
  after: z.coerce.number().int().min(0),
  wait: z.coerce.number().min(0).default(0),
});

export const roomRoutes = async (app: FastifyInstance, options: RoomRoutes): Promise<void> => {
  const { conversations, counts } = options;
  const mayUse = originPolicy(options.allowedOrigins);

  const acceptWebSocket = webSocketAcceptor(app.websocketServer);
  const begin = (socket: WebSocket, request: FastifyRequest): void => {
    countStatus(counts, listenerOf(request.raw), 101);
    const refusal = checkRequest(request) ?? (options.ready() ? undefined : refuse('draining'));
    // V8 stores a new randomUUID as a rope of 14 parts, ten times its size; the copy lives as long as the WebSocket.
    const client = { reqId: own(request.id), ip: request.ip };
    if (refusal) options.webSockets.turnAway(socket, refusal, client);
    else options.webSockets.accept(roomOf(request), socket, request.raw.socket, client, tokenOf(request));
  };
  app.get(webSocketUrl, { exposeHeadRoute: false }, (request, reply) => {
    const response = reply.raw;
    // https://www.rfc-editor.org/rfc/rfc9110#name-426-upgrade-required
    if (!(response instanceof HandshakeResponse))
      return send(reply.header('upgrade', 'websocket'), refusalAnswer(refuse('upgrade-lost')));
    const socket = acceptWebSocket(request.raw, response);
    if (socket instanceof Error) {
      // https://www.rfc-editor.org/rfc/rfc6455#section-4.4
      reply.header('sec-websocket-version', 13);
      throw Object.assign(socket, { statusCode: 400 });
    }
    reply.hijack();
    try {
      begin(socket, request);
    } catch (error) {
      app.log.error({ err: error, reqId: request.id }, 'a WebSocket could not begin');
      socket.terminate();
    }
    return reply;
  });

  const httpRoutes = async (rooms: FastifyInstance): Promise<void> => {
    await rooms.register(cors, {
      // `null` stands for many origins, so it must not be allowed to read responses.
      delegator: (request, callback) => {
        const originRequest = originRequestOf(request);
        const isOne = originRequest.origin !== undefined && originRequest.origin !== 'null';
        callback(null, { ...crossOrigin, origin: isOne && mayUse(originRequest) });
      },
    });
    // Before the body is read, so that the body of a refused request is not.
    rooms.addHook('onRequest', async (request, reply) => {
      const refusal = checkRequest(request) ?? (await refuseBody(request));
      if (refusal) return send(reply, refusalAnswer(refusal));
      reply.header('cache-control', 'no-store');
    });
    rooms.addHook('preParsing', (request, _reply, payload, next) => {
      if (request.headers['transfer-encoding'] === undefined) return next(null, payload);
      const counter = new ByteCounter();
      const refund = () => conversations.giveBackBody(Math.max(0, options.limitPost - counter.bytes), request.ip);
      next(null, pipeline(payload, counter, refund));
    });
    rooms.post('/join', { bodyLimit: smallBody }, async (request, reply) => {
      const answer = options.ready()
        ? conversations.join(roomOf(request), request.body ?? {}, callerOf(request))
        : refusalAnswer(refuse('draining'));
      return send(reply, await answer);
    });
    rooms.post('/messages', async (request, reply) =>
      send(reply, await conversations.messages(roomOf(request), sessionOf(request), request.body, callerOf(request))),
    );
    rooms.post('/leave', { bodyLimit: smallBody }, async (request, reply) =>
      send(
        reply,
        await conversations.leave(roomOf(request), sessionOf(request), request.body ?? {}, callerOf(request)),
      ),
    );
    rooms.get('/inside', async (request, reply) =>
      send(reply, await conversations.inside(roomOf(request), callerOf(request))),
    );
    // No HEAD route: a HEAD request would end the pending long poll.
    rooms.get('/events', { exposeHeadRoute: false }, async (request, reply) => {
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
  // With a trailing slash, so that the preflight route, "*", is below the room.
  await app.register(httpRoutes, { prefix: '/rooms/:room/' });
  await app.register(requestEcho);

  const send = (reply: FastifyReply, { status, body, refused, retry = 0 }: HttpAnswer) => {
    if (refused) counts.refused[refused] += 1;
    const seconds = Math.ceil(retry / 1000);
    if (seconds > 0) reply.header('retry-after', seconds);
    // For long polls that began before draining: their keep-alive connections would delay it.
    if (!options.ready()) reply.header('connection', 'close');
    reply.code(status);
    return body === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(body);
  };

  /** Refuses a body over the byte budget of its address, or a large one without a session in the room. */
  const refuseBody = async (request: FastifyRequest): Promise<Refusal | undefined> => {
    const bytes = bodyBytes(request, options.limitPost);
    const refusal = conversations.chargeBody(bytes, request.ip);
    // Routes that need no session accept only small bodies.
    if (refusal || bytes <= smallBody || request.routeOptions.bodyLimit === smallBody) return refusal;
    return conversations.refuseStranger(roomOf(request), sessionOf(request));
  };

  /** Checks the origin and the room name, which is valid afterwards. */
  const checkRequest = (request: FastifyRequest): Refusal | undefined => {
    const originRequest = originRequestOf(request);
    if (!mayUse(originRequest)) return refuse('origin-refused', whyNot(originRequest));
    const name = roomName.safeParse(paramOf(request));
    if (!name.success) return refuse('bad-room-name');
    // A front end that routes rooms to workers hashes the URL, so each room must have exactly one URL.
    return name.data === paramOf(request) ? undefined : refuse('bad-room-name', 'an address has it in Unicode NFC');
  };
};

/** Maximum bytes of a body with a single message; the longest contains a token. */
const smallBody = 16_384;

class ByteCounter extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

/** A body of unknown length counts as `max` bytes until it has arrived. */
const bodyBytes = ({ headers }: FastifyRequest, max: number): number =>
  headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : max;

const paramOf = ({ params }: FastifyRequest): unknown =>
  typeof params === 'object' && params !== null && 'room' in params ? params.room : undefined;

const roomOf = (request: FastifyRequest): string => roomName.parse(paramOf(request));

const sessionOf = (request: FastifyRequest): string | undefined => bearerOf(request, 2);

const tokenOf = (request: FastifyRequest): string | undefined => bearerOf(request, 3);

const callerOf = (request: FastifyRequest): Caller => ({ address: request.ip, token: tokenOf(request) });

/** Session secrets and tokens are distinguished by their number of dot-separated parts. */
const bearerOf = ({ headers }: FastifyRequest, parts: number): string | undefined => {
  const bearer = /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1];
  return bearer?.split('.').length === parts ? bearer : undefined;
};

/** CORS options. There are no cookies, hence no credentials. */
const crossOrigin = {
  methods: ['GET', 'POST'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id'],
  exposedHeaders: ['retry-after', 'x-request-id'],
  // Seconds for which browsers cache the preflight.
  maxAge: 600,
};

const wantsStream = ({ headers }: FastifyRequest): boolean => /\btext\/event-stream\b/i.test(headers.accept ?? '');

/** The last event a reconnecting EventSource has received; it overrides `after` in the URL, which is from its first connection. */
const lastEvent = ({ headers }: FastifyRequest): { after?: string } => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? { after: id } : {};
};
