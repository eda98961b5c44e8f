/** HTTP listeners: a public one that ignores forwarding headers, and one that trusts those of its front end. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { dropForwardedHeaders, trustFrontEnd } from './forwarded-headers.ts';
import { GuardedServer, type HttpServerOptions } from './guarded-server.ts';

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
