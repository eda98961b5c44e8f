/** The interface of the transports: a WebSocket, or plain HTTP behind the same interface. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';
import { finalCloseCodes } from './final-codes.ts';
import { HttpSocket, Streams } from './http-transport.ts';
import type { Timing } from './timeouts.ts';

/** Plain HTTP uses event streams (`sse`) or long polling (`poll`). */
export type Transport = 'websocket' | 'sse' | 'poll';
export type TransportKind = 'websocket' | 'http';

/** The members of WebSocket that the library uses. `transport` is undefined for a WebSocket itself. */
export type Socket = {
  readonly transport?: Transport;
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  /** Another socket is about to resume the session: sends no more requests, which would take the session back. */
  retire?(): void;
  close(code?: number): void;
};

/** Opens a socket to a room by its `ws:` or `wss:` URL. */
export type OpenSocket = (url: string, kind: TransportKind) => Socket;

/** Opens the sockets of one connection; they share what is known about event streams on this network. */
export const openSockets = (clock: Clock, timing: Timing): OpenSocket => {
  const streams = new Streams(timing.climb, clock);
  return (url, kind) =>
    kind === 'websocket' ? new WebSocket(url, 'genkan.v1') : new HttpSocket(url, streams, clock, timing);
};

/** The error code for a close code. */
export const codeOfClose = (close: number): ErrorCode => finalCloseCodes[close] ?? 'internal';

/** Whether the client must not reconnect after this error. */
export const isFinal = (code: ErrorCode): boolean => Object.values(finalCloseCodes).includes(code);
