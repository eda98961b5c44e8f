/** Binds a server to an address: TCP, a unix socket with its mode and without stale files, or an inherited descriptor. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Address } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';
import { ownerOf } from './privileges.ts';
import { publish, type UnixFile } from './unix-socket-file.ts';

export type Listen = UnixFile & {
  /** Where `:port` listens; undefined = every interface. */
  host?: string | undefined;
  /** Connections that may wait to be accepted; the kernel shortens it to net.core.somaxconn. */
  backlog?: number;
};

/**
 * Resolves when the server listens, with what removes the socket file again: only its own, never a successor's.
 * @throws when the address is taken or cannot be had
 */
export const listen = async (server: Server, address: Address, options: Listen): Promise<() => void> => {
  const bindAt = (where: Where) => bind(server, where, options.backlog);
  switch (address.kind) {
    case 'tcp': {
      const host = address.host ?? options.host;
      await bindAt({ port: address.port, ...(host === undefined ? {} : { host }) });
      return () => {};
    }
    case 'fd':
      await bindAt({ fd: address.fd });
      return () => {};
    case 'unix':
      return publish(address.path, options, (path) => bindAt({ path }));
  }
};

/** How unix sockets look and how long queues are, for whoever binds. @throws when chown-socket names nobody */
export const listenOptions = (settings: Settings): Listen => ({
  mode: settings['chmod-socket'],
  owner: ownerOf(settings['chown-socket']),
  backlog: settings.listen,
});

/** What there is to say about a queue that the kernel will shorten; undefined when it will not, or cannot be asked. */
export const backlogWarning = (backlog: number): string | undefined => {
  const most = somaxconn();
  if (most === undefined || backlog <= most) return undefined;
  return `listen is ${backlog}, but the kernel lets only ${most} connections wait: raise sysctl net.core.somaxconn`;
};

const somaxconn = (): number | undefined => {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return undefined;
  }
};

/** Where the server can be reached by a browser on this machine; undefined when it has no TCP port. */
export const localUrl = (server: Server): string | undefined => {
  const bound = server.address();
  return bound && typeof bound === 'object' ? `http://localhost:${bound.port}` : undefined;
};

type Where = { port?: number; host?: string; fd?: number; path?: string };

const bind = (server: Server, where: Where, backlog: number | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    // Beside fd, Node reads the backlog only from the second argument.
    server.listen(where, backlog, () => {
      server.off('error', reject);
      // A connection that could not be accepted, for want of a descriptor or of memory, concerns its visitor alone.
      server.on('error', () => {});
      resolve();
    });
  });
