/** The interface of the transports: a WebSocket, or plain HTTP behind the same interface. */
import type { ErrorCode } from '../protocol/errors.ts';
import { finalCloseCodes } from './final-codes.ts';

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

/** The error code for a close code. */
export const codeOfClose = (close: number): ErrorCode => finalCloseCodes[close] ?? 'internal';

/** Whether the client must not reconnect after this error. */
export const isFinal = (code: ErrorCode): boolean => Object.values(finalCloseCodes).includes(code);
