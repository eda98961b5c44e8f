/** Opens the transports of the signaling connection. */
import type { Clock } from './clock.ts';
import { HttpSocket, Streams } from './http-transport.ts';
import type { Timing } from './timeouts.ts';
import type { OpenSocket } from './transport.ts';

/** Opens the sockets of one connection; they share what is known about event streams on this network. */
export const openSockets = (clock: Clock, timing: Timing): OpenSocket => {
  const streams = new Streams(timing.climb, clock);
  return (url, kind) =>
    kind === 'websocket' ? new WebSocket(url, 'genkan.v1') : new HttpSocket(url, streams, clock, timing);
};
