/** WebSocket handshakes (RFC 6455, section 4): handled like any other request, unless the route accepts them. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';
import { endUpgraded } from '../listener/upgraded-sockets.ts';
import { checkWsInternals } from '../signaling/transports/ws-internals.ts';

/** The response to a handshake. Any response other than 101 closes the connection. */
export class HandshakeResponse extends ServerResponse {
  readonly upgraded: Socket;
  /** Bytes already received after the request. */
  readonly head: Buffer;

  constructor(request: IncomingMessage, socket: Socket, head: Buffer) {
    super(request);
    this.upgraded = socket;
    this.head = head;
    this.shouldKeepAlive = false;
    this.assignSocket(socket);
    this.once('finish', () => endUpgraded(socket));
  }

  /** Detaches the socket, so that request and response (4 kB) do not live as long as the WebSocket. */
  release(): void {
    this.detachSocket(this.upgraded);
  }
}

/** Answers 101. @returns the WebSocket, or the error in the handshake, which the caller must then answer */
type AcceptWebSocket = (request: IncomingMessage, response: HandshakeResponse) => WebSocket | Error;

/**
 * @param server the WebSocket server of @fastify/websocket. Handshakes are passed to it directly rather than by the plugin's listener,
 * which answers some itself, bypassing the app's hooks, and leaves their connections open.
 */
export const webSocketAcceptor = (server: WebSocketServer): AcceptWebSocket => {
  checkWsInternals(server);
  let outcome: WebSocket | Error = clientGone;
  // With a listener, ws leaves the response to us. handleUpgrade calls at most one of the two callbacks, before it returns.
  server.on('wsClientError', (error) => {
    outcome = error;
  });
  const onAccepted = (socket: WebSocket): void => {
    outcome = socket;
  };
  return (request, response) => {
    // ws also accepts an older draft, which sends the origin in another header.
    if (request.headers['sec-websocket-version'] !== '13') return new Error('Sec-WebSocket-Version is not 13');
    server.handleUpgrade(request, response.upgraded, response.head, onAccepted);
    const result = outcome;
    outcome = clientGone;
    if (!(result instanceof Error)) response.release();
    return result;
  };
};

const clientGone = new Error('The client disconnected');
