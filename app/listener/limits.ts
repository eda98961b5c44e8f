/** The limits of both listeners, and how their timeouts are checked. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TurnShares } from '../budgets/turn-shares.ts';
import type { UnsentBytes } from '../budgets/unsent-bytes.ts';
import type { IsServed } from './allowed-hosts.ts';
import type { AcceptConnection } from './connection-limit.ts';
import type { ListenerLog } from './error-response.ts';
import type { RefusedTo } from './refused-addresses.ts';

/** Times in ms. Error responses are those of error-response.ts. */
type ListenerLimits = {
  /** Maximum bytes of a request head or of a uwsgi variable block (there at most 65535), else 431. */
  bufferSize: number;
  /** Maximum bytes of a request body, else 413; an announced length is checked before any of the body is read. */
  limitPost: number;
  /** For the request head or the packet to arrive, else 408. */
  headerTimeout: number;
  /** For which a body may stall, else 408; the whole body has no time limit. */
  bodyTimeout: number;
  /** For which the peer may read nothing of a pending response before the connection is destroyed. */
  idleTimeout: number;
  /** For the response to begin, else 503; 0 = no limit. WebSockets are exempt, event streams begin at once. */
  harakiri: number;
};

export type ListenerOptions = ListenerLimits & {
  admit: AcceptConnection;
  answersFor: IsServed;
  /** Whether to answer 429 to every request of a client at this address. */
  isBarred: (client: string, crossSite: boolean) => boolean;
  /** Called for each request that was refused because of what the client sent. */
  refusedTo: RefusedTo;
  /** What each client may do in one turn of the event loop. */
  turns: TurnShares;
  /** What each client may keep in memory. */
  unsent: UnsentBytes;
  log: ListenerLog;
};

/** Lines of a request head, else 431: each takes 4 µs and 300 bytes of memory. nginx passes on at most 1000. */
export const maxHeadLines = 3000;

const selfCounting = new WeakSet<ServerResponse>();

/** To be called for a response whose writer counts in `unsent` what the client has not read: it is not counted here too. */
export const countsItself = (response: ServerResponse): void => void selfCounting.add(response);
export const isSelfCounting = (response: ServerResponse): boolean => selfCounting.has(response);

/** Bytes of a response that wait to be sent. */
export const unsentOf = (response: ServerResponse, socket: Socket): number =>
  isSelfCounting(response) ? 0 : socket.writableLength;

/** Bytes that a connection may keep without being counted in `unsent`: what honest clients send or request, in any number. */
export const uncounted = 16 * 1024;

/** Counts what a connection keeps. @param network as of `largestNetwork` */
export const countMemory = (
  unsent: UnsentBytes,
  network: string,
  bytes: number,
  isEnding: boolean,
  close: () => void,
): void => {
  if (bytes > uncounted) unsent.count(network, { bytes, isEnding, close });
};

/** ms between checks of all timeouts, derived from the shortest one. */
export const checkInterval = ({ headerTimeout, bodyTimeout, idleTimeout, harakiri }: ListenerLimits): number => {
  const shortest = Math.min(headerTimeout, bodyTimeout, idleTimeout, harakiri > 0 ? harakiri : idleTimeout);
  return Math.min(Math.max(Math.floor(shortest / 8), 10), 1000);
};

/**
 * Gives up on peers that do not read their response. Call it periodically for every socket with a response in progress.
 * While bytes are buffered for the peer, the socket's own timer runs. Every byte that the kernel accepts resets it, even within one
 * long write; nothing else in Node reports that. The timer is armed only when needed, because one per request would be expensive.
 * @param armed the result of the last call for this socket
 * @param onTimeout called when the peer has read nothing for `idleTimeout` ms
 * @returns whether the timer is running
 */
export const watchReader = (socket: Socket, armed: boolean, idleTimeout: number, onTimeout: () => void): boolean => {
  const pending = socket.writableLength > 0;
  if (pending === armed) return armed;
  if (pending) socket.setTimeout(idleTimeout, onTimeout);
  else socket.setTimeout(0, onTimeout);
  return pending;
};

/** ms: a closing server spares connections younger than this, as they are about to send their request. */
export const promptness = 1000;

/** ms for which input is still read after the last response; closing with unread input sends a reset that may overtake it. */
export const lingerTime = 2000;
