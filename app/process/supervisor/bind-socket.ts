/** Sockets that the supervisor binds but never accepts on: workers inherit them, so a reload or crash refuses no connection. */
import { lookup } from 'node:dns/promises';
import { getSystemErrorName } from 'node:util';
import { z } from 'zod';
import type { Address } from '../../config/address.ts';
import { bindWithoutListening, type SocketHandle } from '../../listener/node-internals.ts';
import type { Listen } from '../listen.ts';
import { publish } from '../unix-socket-file.ts';

export type BoundSocket = {
  /** Passed to workers; bound, and listening once the first of them listens. */
  fd: number;
  /** The actual address: port 0 is replaced by the assigned port. */
  address: Address;
  /** Closes this process's descriptor; workers keep theirs. */
  close(): void;
  /** Removes the file of a unix socket, unless it has been replaced. */
  remove(): void;
};

/** @throws when the address is in use or cannot be bound */
export const bindSocket = async (address: Address, options: Listen): Promise<BoundSocket> => {
  switch (address.kind) {
    case 'fd':
      // systemd, which passed it, keeps it open as well, so connections queue there until the next start.
      return { fd: address.fd, address, close: () => {}, remove: () => {} };
    case 'tcp':
      return bindTcp(address, options.host);
    case 'unix': {
      const bound: { handle?: SocketHandle } = {};
      const remove = await publish(address.path, options, (path) => {
        bound.handle = bindHandle(path, -1, -1, path);
      });
      if (!bound.handle) throw new Error(`${address.path} was not bound`);
      return boundSocket(bound.handle, address, remove);
    }
  }
};

const bindTcp = async (address: Address & { kind: 'tcp' }, defaultHost: string | undefined): Promise<BoundSocket> => {
  const host = address.host ?? defaultHost;
  const shown = `${host ?? ''}:${address.port}`;
  const resolved = host === undefined ? undefined : await lookup(host);
  const handle = bindHandle(resolved?.address, address.port, resolved?.family ?? 4, shown);
  const bound: unknown = {};
  // An address in use is reported here, not by bind.
  const error = handle.getsockname?.(bound) ?? 0;
  if (error !== 0) {
    handle.close();
    throw failure(error, shown);
  }
  return boundSocket(handle, { ...address, port: sockname.parse(bound).port });
};

const boundSocket = (handle: SocketHandle, address: Address, remove = () => {}): BoundSocket => ({
  fd: handle.fd,
  address,
  close: () => handle.close(),
  remove,
});

const sockname = z.object({ port: z.int() });

const bindHandle = (address: string | undefined, port: number, family: number, shown: string): SocketHandle => {
  const handle = bindWithoutListening(address, port, family);
  if (typeof handle === 'number') throw failure(handle, shown);
  return handle;
};

const failure = (error: number, shown: string): Error => {
  const code = getSystemErrorName(error);
  return Object.assign(new Error(`listen ${code}: ${shown}`), { code });
};
