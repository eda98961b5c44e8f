/** The routes of a room: WebSocket, and the same protocol over plain HTTP. */
import type { FastifyInstance } from 'fastify';
import type { UnsentBytes } from '../budgets/unsent-bytes.ts';
import type { RefusedTo } from '../listener/refused-addresses.ts';
import { originPolicy } from './allowed-origins.ts';
import { requestEcho } from './request-echo.ts';
import { type HttpRoutes, httpRoutes } from './room-http.ts';
import { answerSender, requestCheck } from './room-request.ts';
import { type WebSocketRoute, webSocketRoute } from './room-websocket.ts';

export type RoomRoutes = WebSocketRoute &
  HttpRoutes & {
    /** Origins, in addition to the server's own, whose pages may use the rooms. */
    allowedOrigins: string[];
    /** Maximum bytes of a message. */
    messageBytes: number;
    /** Called for each refusal that a client at this address has caused. */
    refusedTo: RefusedTo;
    unsent: Pick<UnsentBytes, 'transferred'>;
  };

export const roomRoutes = async (app: FastifyInstance, options: RoomRoutes): Promise<void> => {
  const mayUse = originPolicy(options.allowedOrigins);
  const context = { ...options, mayUse, check: requestCheck(mayUse), send: answerSender(options) };
  webSocketRoute(app, context);
  // With a trailing slash, so that the preflight route, "*", is below the room.
  await app.register(httpRoutes, { ...context, prefix: '/rooms/:room/' });
  await app.register(requestEcho);
};
