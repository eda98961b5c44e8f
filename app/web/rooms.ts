/** The routes of a room: WebSocket, and the same conversation over plain requests. */
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
import { type HttpAnswer, type HttpConversations, refusalAnswer } from '../signaling/transports/http.ts';
import type { WebSockets } from '../signaling/transports/websocket.ts';
import { type Counts, countStatus } from '../stats/counters.ts';
import { originPolicy, originRequestOf, whyNot } from './allowed-origins.ts';
import { requestEcho } from './request-echo.ts';
import { beginStream, listenerOf } from './request-log.ts';
import { HandshakeResponse, webSocketAcceptor } from './websocket-handshake.ts';

export type RoomRoutes = {
  webSockets: WebSockets;
  conversations: HttpConversations;
  /** Origins, besides the server's own, whose pages may use the rooms. */
  allowedOrigins: string[];
  /** Bytes of a message. */
  messageBytes: number;
  /** Bytes of a request body. */
  limitPost: number;
  ready: () => boolean;
  counts: Counts;
};

/** The only URL that becomes a WebSocket. */
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
    const refusal = unfit(request) ?? (options.ready() ? undefined : refuse('draining'));
    // An id fresh from randomUUID is a rope of 14 pieces, ten times its size; this lives as long as the WebSocket.
    const visitor = { reqId: own(request.id), ip: request.ip };
    if (refusal) options.webSockets.turnAway(socket, refusal, visitor);
    else options.webSockets.accept(roomOf(request), socket, request.raw.socket, visitor, tokenOf(request));
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

  const plain = async (rooms: FastifyInstance): Promise<void> => {
    await rooms.register(cors, {
      // `null` is many origins at once: what one of them may read all of them may.
      delegator: (request, answer) => {
        const asked = originRequestOf(request);
        const isOne = asked.origin !== undefined && asked.origin !== 'null';
        answer(null, { ...crossOrigin, origin: isOne && mayUse(asked) });
      },
    });
    // Before the body is read: where the request is refused it need not be.
    rooms.addHook('onRequest', async (request, reply) => {
      const refusal = unfit(request) ?? (await refuseBody(request));
      if (refusal) return send(reply, refusalAnswer(refusal));
      reply.header('cache-control', 'no-store');
    });
    rooms.addHook('preParsing', (request, _reply, payload, next) => {
      if (request.headers['transfer-encoding'] === undefined) return next(null, payload);
      const counted = new ByteCounter();
      const rest = () => conversations.giveBackBody(Math.max(0, options.limitPost - counted.bytes), request.ip);
      next(null, pipeline(payload, counted, rest));
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
    // A request for its head alone would end the one that waits.
    rooms.get('/events', { exposeHeadRoute: false }, async (request, reply) => {
      const asked = eventsQuery.safeParse(Object.assign({}, request.query, lastEvent(request)));
      if (!asked.success) return send(reply, refusalAnswer(explain(asked.error, 'query')));
      const { after, wait } = asked.data;
      const [room, session] = [roomOf(request), sessionOf(request)];
      if (!wantsStream(request)) {
        const gone = (callback: () => void) => reply.raw.once('close', callback);
        return send(reply, await conversations.events(room, session, { after, wait }, callerOf(request), gone));
      }
      const asking = { reqId: request.id, ip: request.ip, begin: () => beginStream(request, reply, counts) };
      const refused = await conversations.stream(room, session, after, callerOf(request), asking);
      return refused ? send(reply, refused) : reply;
    });
  };
  // With the slash at its end, so that the answer to a preflight, a route for "*", lies below the room.
  await app.register(plain, { prefix: '/rooms/:room/' });
  await app.register(requestEcho);

  const send = (reply: FastifyReply, { status, body, refused, retry = 0 }: HttpAnswer) => {
    if (refused) counts.refused[refused] += 1;
    const seconds = Math.ceil(retry / 1000);
    if (seconds > 0) reply.header('retry-after', seconds);
    // A wait that the end of the server has ended: its connection would be waited for.
    if (!options.ready()) reply.header('connection', 'close');
    reply.code(status);
    return body === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(body);
  };

  /** Refuses a body that is more than its address may send, or a large one of nobody who is in the room. */
  const refuseBody = async (request: FastifyRequest): Promise<Refusal | undefined> => {
    const bytes = bodyBytes(request, options.limitPost);
    const tooMuch = conversations.chargeBody(bytes, request.ip);
    // Routes that need no session take small bodies only.
    if (tooMuch || bytes <= smallBody || request.routeOptions.bodyLimit === smallBody) return tooMuch;
    return conversations.refuseStranger(roomOf(request), sessionOf(request));
  };

  /** Refuses what no room should see; the room's name is sound afterwards. */
  const unfit = (request: FastifyRequest): Refusal | undefined => {
    const asked = originRequestOf(request);
    if (!mayUse(asked)) return refuse('origin-refused', whyNot(asked));
    const name = roomName.safeParse(paramOf(request));
    if (!name.success) return refuse('bad-room-name');
    // A front end that sends each room to its worker goes by the address: one room must have one.
    return name.data === paramOf(request) ? undefined : refuse('bad-room-name', 'an address has it in Unicode NFC');
  };
};

/** Bytes of a body that has one message in it, which is a token at its longest. */
const smallBody = 16_384;

/** Counts what passes through it. */
class ByteCounter extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

/** One of unknown length counts as the longest, until it has come. */
const bodyBytes = ({ headers }: FastifyRequest, longest: number): number =>
  headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : longest;

const paramOf = ({ params }: FastifyRequest): unknown =>
  typeof params === 'object' && params !== null && 'room' in params ? params.room : undefined;

const roomOf = (request: FastifyRequest): string => roomName.parse(paramOf(request));

const sessionOf = (request: FastifyRequest): string | undefined => bearerOf(request, 2);

const tokenOf = (request: FastifyRequest): string | undefined => bearerOf(request, 3);

const callerOf = (request: FastifyRequest): Caller => ({ address: request.ip, token: tokenOf(request) });

/** Of both kinds of secrets the number of dotted parts tells which it is. */
const bearerOf = ({ headers }: FastifyRequest, parts: number): string | undefined => {
  const bearer = /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1];
  return bearer?.split('.').length === parts ? bearer : undefined;
};

/** What a browser may do for a page of another origin. There are no cookies, so none are asked for. */
const crossOrigin = {
  methods: ['GET', 'POST'],
  allowedHeaders: ['authorization', 'content-type', 'last-event-id'],
  exposedHeaders: ['retry-after', 'x-request-id'],
  // Seconds a browser need not ask again.
  maxAge: 600,
};

const wantsStream = ({ headers }: FastifyRequest): boolean => /\btext\/event-stream\b/i.test(headers.accept ?? '');

/** What an EventSource that comes back has seen; it goes before the number in the URL, which is that of its beginning. */
const lastEvent = ({ headers }: FastifyRequest): { after?: string } => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? { after: id } : {};
};
