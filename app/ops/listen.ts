/** Binds a server to an address: TCP, a unix socket with its mode and without stale files, or an inherited descriptor. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import type { Address } from '../config/address.ts';

/**
 * Resolves when the server listens.
 * @param host where `:port` listens; undefined = every interface
 * @param mode of a unix socket, octal text
 * @throws when the address is taken or cannot be had
 */
export const listen = async (
  server: Server,
  address: Address,
  host: string | undefined,
  mode: string,
): Promise<void> => {
  switch (address.kind) {
    case 'tcp': {
      const where = address.host ?? host;
      return bind(server, { port: address.port, ...(where === undefined ? {} : { host: where }) });
    }
    case 'fd':
      return bind(server, { fd: address.fd });
    case 'unix':
      return bindPath(server, address.path, mode);
  }
};

/** Where the server can be reached by a browser on this machine; undefined when it has no TCP port. */
export const localUrl = (server: Server): string | undefined => {
  const bound = server.address();
  return bound && typeof bound === 'object' ? `http://localhost:${bound.port}` : undefined;
};

const bindPath = async (server: Server, path: string, mode: string): Promise<void> => {
  await removeStale(path);
  // The file is made with the process's umask before its mode can be set: nobody may slip in between.
  const umask = process.umask(0o177);
  try {
    await bind(server, { path });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, Number.parseInt(mode, 8));
};

const bind = (server: Server, where: { port?: number; host?: string; fd?: number; path?: string }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** A socket file whose process is gone is removed; one that answers, or a file of another kind, is never touched. */
const removeStale = async (path: string): Promise<void> => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} is there already and is not a socket`);
  if (await answers(path)) throw new Error(`${path} is in use by another process`);
  unlinkSync(path);
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Anything but a refusal (no permission, backlog full) may be a living process.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
