/** WebSocket handshakes (RFC 6455, section 4): each is answered like any other request, unless its route accepts it. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket, WebSocketServer } from 'ws';
import { endUpgraded } from '../listener/upgraded-sockets.ts';

/** The answer to a handshake. Whatever it says in place of 101, the connection ends with it. */
export class HandshakeResponse extends ServerResponse {
  readonly upgraded: Socket;
  /** What came behind the request already. */
  readonly head: Buffer;

  constructor(request: IncomingMessage, socket: Socket, head: Buffer) {
    super(request);
    this.upgraded = socket;
    this.head = head;
    this.shouldKeepAlive = false;
    this.assignSocket(socket);
    this.once('finish', () => endUpgraded(socket));
  }

  /** Lets go of the socket: request and answer (4 kB) would otherwise live as long as the WebSocket. */
  release(): void {
    this.detachSocket(this.upgraded);
  }
}

/** Answers 101. @returns the WebSocket, or what is wrong with the handshake, which is still to be answered then */
export type AcceptWebSocket = (request: IncomingMessage, response: HandshakeResponse) => WebSocket | Error;

/**
 * @param sockets the WebSocket server of @fastify/websocket. Handshakes come to it from here and not by the plugin's own listener: that
 * one answers some by itself, past the hooks of the app, and leaves their connections open.
 */
export const webSocketAcceptor = (sockets: WebSocketServer): AcceptWebSocket => {
  let outcome: WebSocket | Error = clientGone;
  // With a listener ws leaves the answer to us. It calls either one before handleUpgrade returns, or none.
  sockets.on('wsClientError', (fault) => {
    outcome = fault;
  });
  const accepted = (socket: WebSocket): void => {
    outcome = socket;
  };
  return (request, response) => {
    // An older draft, which ws speaks too, has the origin in another header.
    if (request.headers['sec-websocket-version'] !== '13') return new Error('Sec-WebSocket-Version is not 13');
    sockets.handleUpgrade(request, response.upgraded, response.head, accepted);
    const result = outcome;
    outcome = clientGone;
    if (!(result instanceof Error)) response.release();
    return result;
  };
};

const clientGone = new Error('The client has gone');
