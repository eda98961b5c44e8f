/** One request and its response on a uwsgi connection. */
import type { UwsgiRequest } from './request.ts';
import type { UwsgiResponse } from './response.ts';

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
