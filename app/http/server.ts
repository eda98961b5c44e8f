/** HTTP listeners: the public one, which believes nobody, and the one behind a front end, which is believed. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';

export type HttpServerOptions = {
  /** Bytes of a request head. */
  bufferSize: number;
  /** ms for a request head to arrive; the whole request may take as long as its body keeps moving. */
  headerTimeout: number;
};

/** For browsers: what a request says of forwarding is removed before anyone can believe it. */
export const publicServer = (options: HttpServerOptions): Server => {
  const server = plainServer(options);
  server.prependListener('request', dropForwarding);
  server.prependListener('upgrade', dropForwarding);
  return server;
};

/**
 * `allowFrom`: whether a TCP peer is the front end; unix sockets are guarded by their mode.
 */
export type FrontedServerOptions = HttpServerOptions & {
  allowFrom: (address: string) => boolean;
  log: { warn(fields: object, message: string): void };
};

/** For a front end: `X-Forwarded-For`, `-Proto` and `-Host` are its word. A TCP peer that is not allowed is cut. */
export const frontedServer = (options: FrontedServerOptions): Server => {
  const server = plainServer(options);
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || options.allowFrom(remoteAddress)) return;
    options.log.warn({ peer: remoteAddress }, 'refused: not a front end that --allow-from names');
    socket.destroy();
  });
  return server;
};

const plainServer = ({ bufferSize, headerTimeout }: HttpServerOptions): Server =>
  createServer({
    maxHeaderSize: bufferSize,
    headersTimeout: headerTimeout,
    requestTimeout: 0,
    // Longer than a front end keeps an idle connection (nginx: 60 s), or it would write into one that closes.
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 1000,
    noDelay: true,
  });

const dropForwarding = (request: IncomingMessage): void => {
  for (const name of Object.keys(request.headers))
    if (name.startsWith('x-forwarded-') || name === 'forwarded' || name === 'x-real-ip') delete request.headers[name];
};
