/** HTTP listeners: a public one that ignores forwarding headers, and one that trusts those of its front end. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { IsServed } from '../allowed-hosts.ts';
import type { AcceptConnection } from '../connection-limit.ts';
import type { ListenerLog } from '../error-response.ts';
import { dropForwardedHeaders, trustFrontEnd } from './forwarded-headers.ts';
import { GuardedServer } from './guarded-server.ts';

/** Times in ms. Error responses are those of error-response.ts. */
export type HttpServerOptions = {
  /** Maximum bytes of a request head, else 431. */
  bufferSize: number;
  /** Maximum bytes of a request body, else 413; an announced length is checked before any of the body is read. */
  limitPost: number;
  /** For the request head to arrive, else 408. */
  headerTimeout: number;
  /** For which a body may stall, else 408; the whole body has no time limit. */
  bodyTimeout: number;
  /** For which the peer may read nothing of a pending response before the connection is destroyed. */
  idleTimeout: number;
  /** For which a connection may wait for its next request. */
  keepAliveTimeout: number;
  /** For the response to begin, else 503; 0 = no limit. WebSockets are exempt, event streams begin at once. */
  harakiri: number;
  admit: AcceptConnection;
  answersFor: IsServed;
  /** Whether to answer 429 to every request of a client at this address. */
  isBarred: (client: string) => boolean;
  log: ListenerLog;
};

/** For browsers: all forwarding headers are removed. */
export const publicServer = (options: HttpServerOptions): Server =>
  new GuardedServer({ ...options, forwardedPolicy: dropForwardedHeaders });

export type FrontedServerOptions = HttpServerOptions & {
  /** Whether a TCP peer is the front end; unix sockets are protected by their file mode. */
  allowFrom: (address: string) => boolean;
  /** Whether an address in X-Forwarded-For is a proxy in front of the front end. */
  isProxy: (address: string) => boolean;
};

/** For a front end: trusts its `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`, and disconnects other TCP peers. */
export const frontedServer = ({ allowFrom, isProxy, ...options }: FrontedServerOptions): Server => {
  const admit = (socket: Socket): boolean => {
    const { remoteAddress } = socket;
    if (isFrontEnd(socket, allowFrom)) return options.admit(socket);
    options.log.warn({ peer: remoteAddress }, 'connection refused: the peer is not in --allow-from');
    return false;
  };
  return new GuardedServer({ ...options, admit, forwardedPolicy: trustFrontEnd(isProxy) });
};

/** A unix socket has no addresses; a TCP socket without a remote address is already disconnected. */
const isFrontEnd = ({ remoteAddress, localAddress }: Socket, allowFrom: (address: string) => boolean): boolean =>
  remoteAddress === undefined ? localAddress === undefined : allowFrom(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''));
