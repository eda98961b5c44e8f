/** One request and its response on a uwsgi connection. */
import type { Socket } from 'node:net';
import { largestNetwork } from '../../budgets/address.ts';
import { headMemory } from '../../budgets/unsent-bytes.ts';
import { isSelfCounting, uncounted } from '../limits.ts';
import type { UwsgiRequest } from './request.ts';
import type { UwsgiResponse } from './response.ts';
import type { RequestHead } from './vars.ts';

/**
 * `left`: body bytes still to come. `extra`: more bytes came than announced. `answered`: the response is written completely.
 * `unread`: no handler reads the body, so the rest is discarded after the response. `due`: when the response must have begun
 * (performance.now()). `writeTimerArmed`: the write timeout is running, because the peer does not read. `network`: the key of the
 * client's largest network. `headMemory`: that of the head, in bytes.
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
  network: string;
  headMemory: number;
};
/** @param harakiri ms, 0 = no limit */
export const newExchange = (
  request: UwsgiRequest,
  response: UwsgiResponse,
  { contentLength, remoteAddress, rawHeaders }: RequestHead,
  harakiri: number,
): Exchange => ({
  state: 'request',
  request,
  response,
  left: contentLength,
  extra: false,
  answered: false,
  unread: false,
  due: harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY,
  writeTimerArmed: false,
  network: largestNetwork(remoteAddress),
  headMemory: headMemory(textLength(rawHeaders), rawHeaders.length / 2),
});

const textLength = (texts: string[]): number => {
  let sum = 0;
  for (const { length } of texts) sum += length;
  return sum;
};

/** Bytes of the longest response that the kernel may have taken as a whole; of a longer one, most was read while it was written. */
const mostUnread = 2 * 1024 * 1024;

/** Whether the kernel may keep a long response after it is written, until the peer has read it: as long as its client likes. */
export const mayBeUnread = (response: UwsgiResponse, { bytesWritten }: Socket): boolean =>
  !isSelfCounting(response) && bytesWritten > uncounted && bytesWritten <= mostUnread;

/** Closes with a reset, so that the kernel discards what was not read; unix sockets have none. */
export const discard = (socket: Socket): void => {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
};

export const peerOf = (socket: Socket): string => socket.remoteAddress ?? 'unix';

/** ms without traffic before TCP keepalive probes the peer of a WebSocket. */
export const keepAliveDelay = 60_000;
