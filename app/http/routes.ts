/** The routes of a room: WebSocket, and the same conversation over plain requests. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Counts, countStatus } from '../ops/counts.ts';
import { explain } from '../protocol/decode.ts';
import { fateOf, type Refusal, refuse } from '../protocol/errors.ts';
import { roomName } from '../protocol/messages.ts';
import { type Answer, type HttpConversations, refusalAnswer } from '../signaling/http.ts';
import { turnAway, type WebSockets } from '../signaling/websocket.ts';
import { listenerOf } from './requests.ts';

export type RoomRoutes = {
  webSockets: WebSockets;
  conversations: HttpConversations;
  /** Origins, besides the server's own, whose pages may use the rooms. */
  allowedOrigins: string[];
  ready: () => boolean;
  counts: Counts;
};

const eventsQuery = z.object({
  after: z.coerce.number().int().min(0),
  wait: z.coerce.number().min(0).default(0),
});

export const roomRoutes = async (app: FastifyInstance, options: RoomRoutes): Promise<void> => {
  const { conversations, counts } = options;
  const mayUse = originCheck(options.allowedOrigins);

  app.get('/rooms/:room/ws', { websocket: true }, (socket, request) => {
    countStatus(counts, listenerOf(request.raw), 101);
    const refusal = unfit(request) ?? (options.ready() ? undefined : refuse('draining'));
    if (refusal) {
      counts.refused[refusal.refused] += 1;
      return turnAway(socket, refusal);
    }
    const { id: reqId, ip } = request;
    options.webSockets.accept(roomOf(request), socket, request.raw.socket, { reqId, ip });
  });

  await app.register(async (rooms) => {
    rooms.addHook('preHandler', async (request, reply) => {
      const refusal = unfit(request);
      if (refusal) return send(reply, refusalAnswer(refusal));
      reply.header('cache-control', 'no-store');
    });
    rooms.post('/rooms/:room/join', async (request, reply) => {
      const answer = options.ready()
        ? conversations.join(roomOf(request), request.body ?? {})
        : refusalAnswer(refuse('draining'));
      return send(reply, await answer);
    });
    rooms.post('/rooms/:room/messages', async (request, reply) =>
      send(reply, await conversations.messages(roomOf(request), sessionOf(request), request.body)),
    );
    rooms.post('/rooms/:room/leave', async (request, reply) =>
      send(reply, await conversations.leave(roomOf(request), sessionOf(request))),
    );
    rooms.get('/rooms/:room/events', async (request, reply) => {
      const query = eventsQuery.safeParse(request.query);
      if (!query.success) return send(reply, refusalAnswer(explain(query.error, 'query')));
      const gone = (callback: () => void) => reply.raw.once('close', callback);
      return send(reply, await conversations.events(roomOf(request), sessionOf(request), query.data, gone));
    });
  });

  const send = (reply: FastifyReply, { status, body, refused }: Answer) => {
    if (refused) counts.refused[refused] += 1;
    const seconds = Math.ceil(((refused && fateOf(refused).retry) ?? 0) / 1000);
    if (seconds > 0) reply.header('retry-after', seconds);
    reply.code(status);
    return body === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(body);
  };

  /** Refuses what no room should see; the room's name is sound afterwards. */
  const unfit = (request: FastifyRequest): Refusal | undefined => {
    const { origin } = request.headers;
    if (!mayUse(origin, request.host))
      return refuse('origin-refused', `the page is from ${origin}, this server is ${request.host}`);
    const name = roomName.safeParse(paramOf(request));
    if (!name.success) return refuse('bad-room-name');
    // A front end that sends each room to its worker goes by the address: one room must have one.
    return name.data === paramOf(request) ? undefined : refuse('bad-room-name', 'an address has it in Unicode NFC');
  };
};

const paramOf = ({ params }: FastifyRequest): unknown =>
  typeof params === 'object' && params !== null && 'room' in params ? params.room : undefined;

const roomOf = (request: FastifyRequest): string => roomName.parse(paramOf(request));

const sessionOf = ({ headers }: FastifyRequest): string | undefined =>
  /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1];

/** A page of the same host may, one of the list may, and so may programs, which send no origin. */
const originCheck = (allowed: string[]) => {
  const list = new Set(allowed);
  return (origin: string | undefined, host: string): boolean => {
    if (origin === undefined || list.has(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  };
};
