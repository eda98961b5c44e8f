/** One request and its response on a uwsgi connection, and their limits. */
import type { UwsgiRequest } from './request.ts';
import type { UwsgiResponse } from './response.ts';

/** Times in ms. */
export type UwsgiLimits = {
  /** Maximum bytes of the variable block, at most 65535, else 431. */
  bufferSize: number;
  /** Maximum bytes of a request body, else 413. */
  limitPost: number;
  /** For the packet to be complete, else 408. */
  headerTimeout: number;
  /** For which a body may stall, else 408. */
  bodyTimeout: number;
  /** For which the peer may read nothing of a pending response before the connection is destroyed. */
  idleTimeout: number;
  /** For the response to begin, else 503; 0 = no limit. WebSockets are exempt. */
  harakiri: number;
};

/**
 * `left`: body bytes still to come. `extra`: more bytes came than announced. `answered`: the response is written completely.
 * `unread`: no handler reads the body, so the rest is discarded after the response. `due`: when the response must have begun
 * (performance.now()). `writeTimerArmed`: the write timeout is running, because the peer does not read.
 */
export type Exchange = {
  state: 'request';
  request: UwsgiRequest;
  response: UwsgiResponse;
  left: number;
  extra: boolean;
  answered: boolean;
  unread: boolean;
  due: number;
  writeTimerArmed: boolean;
};
/** @param harakiri ms, 0 = no limit */
export const newExchange = (
  request: UwsgiRequest,
  response: UwsgiResponse,
  left: number,
  harakiri: number,
): Exchange => ({
  state: 'request',
  request,
  response,
  left,
  extra: false,
  answered: false,
  unread: false,
  due: harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY,
  writeTimerArmed: false,
});
