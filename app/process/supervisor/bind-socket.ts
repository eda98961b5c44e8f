/** Sockets that the supervisor holds and never accepts on: workers inherit them, and no connection is refused in between. */
import { lookup } from 'node:dns/promises';
import * as net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { z } from 'zod';
import type { Address } from '../../config/address.ts';
import type { Listen } from '../listen.ts';
import { publish } from '../unix-socket-file.ts';

export type BoundSocket = {
  /** To be passed to workers; it is bound, and listens once the first of them does. */
  fd: number;
  /** Where it really is: port 0 has become one. */
  address: Address;
  /** Lets go of the socket; workers that have it keep it. */
  close(): void;
  /** Removes the file of a unix socket, if it is still this one's. */
  remove(): void;
};

/** @throws when the address is taken or cannot be had */
export const bindSocket = async (address: Address, options: Listen): Promise<BoundSocket> => {
  switch (address.kind) {
    case 'fd':
      // Whoever passed it (systemd) holds it as well, and lets connections wait there until the next start.
      return { fd: address.fd, address, close: () => {}, remove: () => {} };
    case 'tcp':
      return holdTcp(address, options.host);
    case 'unix': {
      const bound: { handle?: Handle } = {};
      const remove = await publish(address.path, options, (path) => {
        bound.handle = bindHandle(path, -1, -1, path);
      });
      if (!bound.handle) throw new Error(`${address.path} was not bound`);
      return held(bound.handle, address, remove);
    }
  }
};

const holdTcp = async (address: Address & { kind: 'tcp' }, otherwise: string | undefined): Promise<BoundSocket> => {
  const host = address.host ?? otherwise;
  const shown = `${host ?? ''}:${address.port}`;
  const found = host === undefined ? undefined : await lookup(host);
  const handle = bindHandle(found?.address, address.port, found?.family ?? 4, shown);
  const bound: unknown = {};
  // A port that is taken is not told when it is bound, but here.
  const error = handle.getsockname?.(bound) ?? 0;
  if (error !== 0) {
    handle.close();
    throw failure(error, shown);
  }
  return held(handle, { ...address, port: sockname.parse(bound).port });
};

const held = (handle: Handle, address: Address, remove = () => {}): BoundSocket => ({
  fd: handle.fd,
  address,
  close: () => handle.close(),
  remove,
});

/** `getsockname` is missing from handles of unix sockets. */
type Handle = { fd: number; close(): void; getsockname?(out: unknown): number };
const sockname = z.object({ port: z.int() });

/**
 * Binds without listening. Public Node can only do both at once, and would then accept here; node:cluster uses this
 * same function for that reason (lib/internal/cluster/shared_handle.js), which is why it can be relied on.
 */
const bindHandle = (address: string | undefined, port: number, type: number, shown: string): Handle => {
  const create: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof create !== 'function') throw new Error('this version of Node cannot bind for workers: use another');
  const handle: unknown = create(address, port, type);
  if (typeof handle === 'number') throw failure(handle, shown);
  if (!isHandle(handle)) throw new Error(`${shown} could not be bound: Node gave no handle`);
  return handle;
};

const isHandle = (value: unknown): value is Handle =>
  typeof value === 'object' &&
  value !== null &&
  'fd' in value &&
  typeof value.fd === 'number' &&
  'close' in value &&
  typeof value.close === 'function';

const failure = (error: number, shown: string): Error => {
  const code = getSystemErrorName(error);
  return Object.assign(new Error(`listen ${code}: ${shown}`), { code });
};
