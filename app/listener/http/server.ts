/** HTTP listeners: the public one, which believes nobody, and the one behind a front end, which is believed. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { IsServed } from '../allowed-hosts.ts';
import type { AcceptConnection } from '../connection-limit.ts';
import type { ListenerLog } from '../error-response.ts';
import { dropForwardedHeaders, trustFrontEnd } from './forwarded-headers.ts';
import { GuardedServer } from './guarded-server.ts';

/** Times in ms. Every refusal is answered as refusal.ts says. */
export type HttpServerOptions = {
  /** Bytes of a request head; more is answered with 431. */
  bufferSize: number;
  /** Bytes of a request body; more is answered with 413, by what is announced before any of it is read. */
  limitPost: number;
  /** For a request head to arrive, else 408. */
  headerTimeout: number;
  /** That a body may stand still, else 408; the whole of it may take as long as it keeps moving. */
  bodyTimeout: number;
  /** That the peer may take nothing of an answer that waits for it, else it is cut. */
  idleTimeout: number;
  /** That a connection may wait for its next request. */
  keepAliveTimeout: number;
  /** Until an answer must have begun, else 503; 0 = no limit. WebSockets are exempt, event streams begin at once. */
  harakiri: number;
  admit: AcceptConnection;
  answersFor: IsServed;
  /** Whether every request of a client at this address is refused, with 429. */
  isBarred: (client: string) => boolean;
  log: ListenerLog;
};

/** For browsers: what a request says of forwarding is removed before anyone can believe it. */
export const publicServer = (options: HttpServerOptions): Server =>
  new GuardedServer({ ...options, believe: dropForwardedHeaders });

export type FrontedServerOptions = HttpServerOptions & {
  /** Whether a TCP peer is the front end; unix sockets are guarded by their mode. */
  allowFrom: (address: string) => boolean;
  /** Whether an address in X-Forwarded-For is a proxy that the front end itself stands behind. */
  isProxy: (address: string) => boolean;
};

/** For a front end: `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix` are its word. A TCP peer that is not allowed is cut. */
export const frontedServer = ({ allowFrom, isProxy, ...options }: FrontedServerOptions): Server => {
  const admit = (socket: Socket): boolean => {
    const { remoteAddress } = socket;
    if (isFrontEnd(socket, allowFrom)) return options.admit(socket);
    options.log.warn({ peer: remoteAddress }, 'refused: not a front end that --allow-from names');
    return false;
  };
  return new GuardedServer({ ...options, admit, believe: trustFrontEnd(isProxy) });
};

/** A unix socket has no addresses at all; a TCP socket without a remote one has lost its peer already. */
const isFrontEnd = ({ remoteAddress, localAddress }: Socket, allowFrom: (address: string) => boolean): boolean =>
  remoteAddress === undefined ? localAddress === undefined : allowFrom(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''));
