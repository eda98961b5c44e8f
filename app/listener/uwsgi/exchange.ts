/** One request and its answer on a uwsgi connection, and the limits that hold for them. */
import type { UwsgiRequest } from './request.ts';
import type { UwsgiResponse } from './response.ts';

export type UwsgiLimits = {
  /** Bytes of the variable block, at most 65535; more is answered with 431. */
  bufferSize: number;
  /** Bytes of request body; more is answered with 413. */
  limitPost: number;
  /** Milliseconds until the packet must be complete, else 408. */
  headerTimeout: number;
  /** Milliseconds the body may stand still, else 408. */
  bodyTimeout: number;
  /** Milliseconds the peer may take nothing of an answer that waits for it, else it is cut. */
  idleTimeout: number;
  /** Milliseconds until the answer must have begun, else 503; 0 = no limit. WebSockets are exempt. */
  harakiri: number;
};

/**
 * `left`: bytes of body still to come. `extra`: more came than was announced. `answered`: the answer is written out.
 * `unread`: nobody has read the body, so what comes after the answer is thrown away. `due`: when the answer must have begun, a
 * performance.now(). `watched`: a timer runs, because the peer does not read.
 */
export type Exchange = {
  at: 'request';
  request: UwsgiRequest;
  response: UwsgiResponse;
  left: number;
  extra: boolean;
  answered: boolean;
  unread: boolean;
  due: number;
  watched: boolean;
};
/** `harakiri` in ms, 0 = never. */
export const newExchange = (
  request: UwsgiRequest,
  response: UwsgiResponse,
  left: number,
  harakiri: number,
): Exchange => ({
  at: 'request',
  request,
  response,
  left,
  extra: false,
  answered: false,
  unread: false,
  due: harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY,
  watched: false,
});
