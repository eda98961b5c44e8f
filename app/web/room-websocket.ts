/** The route of a room's WebSocket. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { own } from '../listener/header-names.ts';
import { refuse } from '../protocol/errors.ts';
import { refusalAnswer } from '../signaling/transports/http-answer.ts';
import type { WebSockets } from '../signaling/transports/websocket.ts';
import { type Counts, countStatus } from '../stats/counters.ts';
import { listenerOf } from './request-log.ts';
import { type CheckRequest, handshakeOf, type RoomRequest, roomOf, type SendAnswer } from './room-request.ts';
import { HandshakeResponse, webSocketAcceptor } from './websocket-handshake.ts';

export type WebSocketRoute = {
  webSockets: WebSockets;
  ready: () => boolean;
  counts: Counts;
};

/** The only URL that accepts WebSockets. */
export const webSocketUrl = '/rooms/:room/ws';

/** A handshake that was answered with 101. */
export type AcceptedRequest = RoomRequest & Pick<FastifyRequest, 'id' | 'raw'>;
/** Starts a session on an accepted WebSocket, or turns it away. Never throws. */
export type OpenWebSocket = (socket: WebSocket, request: AcceptedRequest) => void;

export const webSocketOpener = (
  log: FastifyBaseLogger,
  { webSockets, ready, counts, check }: WebSocketRoute & { check: CheckRequest },
): OpenWebSocket => {
  const open: OpenWebSocket = (socket, request) => {
    countStatus(counts, listenerOf(request.raw), 101);
    const refusal = check(request) ?? (ready() ? undefined : refuse('draining'));
    // V8 stores a new randomUUID as a rope of 14 parts, ten times its size; the copy lives as long as the WebSocket.
    const client = { reqId: own(request.id), ip: request.ip };
    const handshake = handshakeOf(request);
    if (refusal) webSockets.turnAway(socket, refusal, client, handshake);
    else webSockets.accept(roomOf(request), socket, request.raw.socket, client, handshake);
  };
  return (socket, request) => {
    try {
      open(socket, request);
    } catch (error) {
      log.error({ err: error, reqId: request.id }, 'a WebSocket could not be opened');
      socket.terminate();
    }
  };
};

export const webSocketRoute = (
  app: FastifyInstance,
  options: WebSocketRoute & { check: CheckRequest; send: SendAnswer },
): void => {
  const acceptWebSocket = webSocketAcceptor(app.websocketServer);
  const open = webSocketOpener(app.log, options);
  app.get(webSocketUrl, { exposeHeadRoute: false }, (request, reply) => {
    const response = reply.raw;
    // https://www.rfc-editor.org/rfc/rfc9110#name-426-upgrade-required
    if (!(response instanceof HandshakeResponse))
      return options.send(reply.header('upgrade', 'websocket'), refusalAnswer(refuse('upgrade-lost')));
    const socket = acceptWebSocket(request.raw, response);
    if (socket instanceof Error) {
      // https://www.rfc-editor.org/rfc/rfc6455#section-4.4
      reply.header('sec-websocket-version', 13);
      throw Object.assign(socket, { statusCode: 400 });
    }
    reply.hijack();
    open(socket, request);
    return reply;
  });
};
