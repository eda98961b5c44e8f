/** Between messages and the WebSocket, or what stands in for one, that carries them. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';
import { finalCloseCodes } from './final-codes.ts';
import { HttpSocket, Streams } from './http-transport.ts';
import type { Timing } from './timeouts.ts';

/** What carries the conversation: plain HTTP does it by streams (`sse`) or by polls. */
export type Transport = 'websocket' | 'sse' | 'poll';
export type TransportKind = 'websocket' | 'http';

/** The part of a WebSocket that is used here. A WebSocket itself does not say which transport it is. */
export type Socket = {
  readonly transport?: Transport;
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  /** Another socket is about to take over: no more requests, which would take the session back. */
  retire?(): void;
  close(code?: number): void;
};

/** Opens a socket to a room by its `ws:` or `wss:` URL. */
export type OpenSocket = (url: string, rung: TransportKind) => Socket;

/** The sockets of one connection: what one of them learns about the network the next ones know. */
export const openSockets = (clock: Clock, timing: Timing): OpenSocket => {
  const streams = new Streams(timing.climb, clock);
  return (url, rung) =>
    rung === 'websocket' ? new WebSocket(url, 'genkan.v1') : new HttpSocket(url, streams, clock, timing);
};

/** The error that this close code belongs to. */
export const codeOfClose = (close: number): ErrorCode => finalCloseCodes[close] ?? 'internal';

/** Whether the server closes with this error and does not want to be asked again. */
export const isFinal = (code: ErrorCode): boolean => Object.values(finalCloseCodes).includes(code);
