/** The routes of a room: WebSocket, and the same conversation over plain requests. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Counts, countStatus } from '../ops/counts.ts';
import { explain } from '../protocol/decode.ts';
import { fateOf, type Refusal, refuse } from '../protocol/errors.ts';
import { roomName } from '../protocol/messages.ts';
import { type Answer, type HttpConversations, refusalAnswer } from '../signaling/http.ts';
import { turnAway, type WebSockets } from '../signaling/websocket.ts';
import { beginStream, listenerOf } from './requests.ts';

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
    // A request for its head alone would end the one that waits.
    rooms.get('/rooms/:room/events', { exposeHeadRoute: false }, async (request, reply) => {
      const asked = eventsQuery.safeParse(Object.assign({}, request.query, lastEvent(request)));
      if (!asked.success) return send(reply, refusalAnswer(explain(asked.error, 'query')));
      const { after, wait } = asked.data;
      const [room, session] = [roomOf(request), sessionOf(request)];
      if (!wantsStream(request)) {
        const gone = (callback: () => void) => reply.raw.once('close', callback);
        return send(reply, await conversations.events(room, session, { after, wait }, gone));
      }
      const asking = { reqId: request.id, ip: request.ip, begin: () => beginStream(request, reply, counts) };
      const refused = await conversations.stream(room, session, after, asking);
      return refused ? send(reply, refused) : reply;
    });
  });

  const send = (reply: FastifyReply, { status, body, refused }: Answer) => {
    if (refused) counts.refused[refused] += 1;
    const seconds = Math.ceil(((refused && fateOf(refused).retry) ?? 0) / 1000);
    if (seconds > 0) reply.header('retry-after', seconds);
    // A wait that the end of the server has ended: its connection would be waited for.
    if (!options.ready()) reply.header('connection', 'close');
    reply.code(status);
    return body === '' ? reply.send() : reply.type('application/json; charset=utf-8').send(body);
  };

  /** Refuses what no room should see; the room's name is sound afterwards. */
  const unfit = (request: FastifyRequest): Refusal | undefined => {
    const { origin } = request.headers;
    if (!mayUse(origin, request.host))
      return refuse('origin-refused', `the page is from ${origin}, this server is ${request.host}`);
    return roomName.safeParse(paramOf(request)).success ? undefined : refuse('bad-room-name');
  };
};

const paramOf = ({ params }: FastifyRequest): unknown =>
  typeof params === 'object' && params !== null && 'room' in params ? params.room : undefined;

const roomOf = (request: FastifyRequest): string => roomName.parse(paramOf(request));

const sessionOf = ({ headers }: FastifyRequest): string | undefined =>
  /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? '')?.[1];

const wantsStream = ({ headers }: FastifyRequest): boolean => /\btext\/event-stream\b/i.test(headers.accept ?? '');

/** What an EventSource that comes back has seen; it goes before the number in the URL, which is that of its beginning. */
const lastEvent = ({ headers }: FastifyRequest): { after?: string } => {
  const id = headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? { after: id } : {};
};

/** A page of the same host may, one of the list may, and so may programs, which send no origin. */
const originCheck = (allowed: string[]) => {
  const list = new Set(allowed);
  return (origin: string | undefined, host: string): boolean => {
    if (origin === undefined || list.has(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  };
};
