/** Binds a server to an address: TCP, a unix socket (with its mode, replacing stale files), or an inherited descriptor. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Address } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';
import { ownerOf } from './privileges.ts';
import { publish, type UnixFile } from './unix-socket-file.ts';

export type Listen = UnixFile & {
  /** Where `:port` listens; undefined = every interface. */
  host?: string | undefined;
  /** Length of the accept queue; the kernel limits it to net.core.somaxconn. */
  backlog?: number;
};

/**
 * Resolves when the server listens, with a function that removes the socket file: only its own, never a successor's.
 * @throws when the address is in use or cannot be bound
 */
export const listen = async (server: Server, address: Address, options: Listen): Promise<() => void> => {
  const bindAt = (target: ListenTarget) => bind(server, target, options.backlog);
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

/** Mode and owner of unix sockets, and the backlog. @throws when chown-socket names an unknown user or group */
export const listenOptions = (settings: Settings): Listen => ({
  mode: settings['chmod-socket'],
  owner: ownerOf(settings['chown-socket']),
  backlog: settings.listen,
});

/** A warning when the kernel will shorten the backlog; undefined when it will not, or when its limit is unknown. */
export const backlogWarning = (backlog: number): string | undefined => {
  const limit = somaxconn();
  if (limit === undefined || backlog <= limit) return undefined;
  return `listen is ${backlog}, but the kernel limits the backlog to ${limit}: raise sysctl net.core.somaxconn`;
};

const somaxconn = (): number | undefined => {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return undefined;
  }
};

/** URL of the server for a browser on this machine; undefined without a TCP port. */
export const localUrl = (server: Server): string | undefined => {
  const bound = server.address();
  return bound && typeof bound === 'object' ? `http://localhost:${bound.port}` : undefined;
};

type ListenTarget = { port?: number; host?: string; fd?: number; path?: string };

const bind = (server: Server, target: ListenTarget, backlog: number | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    // With `fd`, Node reads the backlog only from the second argument.
    server.listen(target, backlog, () => {
      server.off('error', reject);
      // A failed accept (out of descriptors or memory) affects only that one client.
      server.on('error', () => {});
      resolve();
    });
  });
