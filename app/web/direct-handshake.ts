/**
 * Answers the usual WebSocket handshake without the router: it would build a request, a response and a reply, which cost more than all else
 * of a handshake, and of which nothing is used once the answer is 101.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocketServer } from 'ws';
import { acceptHandshake } from '../signaling/transports/ws-internals.ts';
import { requestId } from './request-log.ts';
import type { OpenWebSocket } from './room-websocket.ts';

/** @returns false if the router has to handle it; then nothing was done */
export type HandshakeAcceptor = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean;

declare module 'fastify' {
  interface FastifyInstance {
    acceptHandshake: HandshakeAcceptor;
  }
}

/**
 * Whatever is unusual is left to the router and to ws, which know all the rules: a handshake that has to be refused, an escape in the
 * URL, another version, a server that is stopping.
 * @param ready whether the server still takes new clients
 */
export const handshakeAcceptor =
  (server: WebSocketServer, open: OpenWebSocket, ready: () => boolean): HandshakeAcceptor =>
  (request, socket, head) => {
    if (!ready()) return false;
    const { headers } = request;
    const room = usualUrl.exec(request.url ?? '')?.[1];
    const key = headers['sec-websocket-key'];
    const offered = offeredProtocols(headers);
    const client = clientOf(headers, socket);
    if (room === undefined || !offered || !client || !isValid(request) || !socket.readable || !socket.writable)
      return false;
    if (key === undefined || !keyForm.test(key)) return false;
    const protocol = offered.size > 0 && server.options.handleProtocols?.(offered, request);
    const accepted = acceptHandshake(server, { socket, head, key, protocol: protocol || undefined });
    open(accepted, { id: requestId(request), raw: request, headers, params: { room }, ...client });
    return true;
  };

/** `webSocketUrl` with a room name that needs no decoding. */
const usualUrl = /^\/rooms\/([\w-]{1,64})\/ws(?:\?|$)/;

/** 16 bytes in base64: RFC 6455 §4.1. */
const keyForm = /^[+/\dA-Za-z]{22}==$/;

const isValid = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-version'] === '13';

/** Undefined unless it is a plain list without duplicates. */
const offeredProtocols = ({ 'sec-websocket-protocol': header }: IncomingHttpHeaders): Set<string> | undefined => {
  if (header === undefined) return new Set();
  if (!/^[\w.-]+(?:, ?[\w.-]+)*$/.test(header)) return undefined;
  const names = header.split(/, ?/);
  const offered = new Set(names);
  return offered.size === names.length ? offered : undefined;
};

/** As Fastify with `trustProxy`, after the listener has filtered the headers. Undefined if one of them is a list. */
const clientOf = (headers: IncomingHttpHeaders, socket: Socket) => {
  const { 'x-forwarded-for': from, 'x-forwarded-proto': scheme = 'http', 'x-forwarded-host': forwardedHost } = headers;
  const ip = from ?? socket.remoteAddress;
  const host = forwardedHost || (headers.host ?? '');
  if (typeof ip !== 'string' || typeof host !== 'string' || ip.includes(',') || host.includes(',')) return undefined;
  return scheme === 'http' || scheme === 'https' ? { ip, host, protocol: scheme as 'http' | 'https' } : undefined;
};
