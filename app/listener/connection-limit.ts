/** How many connections there may be, over all listeners together, and from one address where the peer is the client. */
import type { Socket } from 'node:net';
import { addressLevels, networkScale } from '../budgets/address.ts';
import type { ListenerLog } from './error-response.ts';

/** Whether a connection that has just been made fits in. If it does, it counts until its 'close'. */
export type AcceptConnection = (socket: Socket) => boolean;

/** @param max connections, WebSockets included */
export const connectionLimit = (max: number, log: ListenerLog): AcceptConnection => {
  let open = 0;
  // One line for each time it gets full, not one for each connection: those may be many, and on purpose.
  let told = false;
  const onClose = () => {
    open--;
    if (open <= max * 0.9) told = false;
  };
  return (socket) => {
    if (open >= max) {
      if (!told) log.warn({ max }, 'as many connections as max-connections or the system allows; more are closed');
      told = true;
      return false;
    }
    open++;
    // It comes once anyway, and `once` would keep three objects for every connection.
    socket.on('close', onClose);
    return true;
  };
};

/**
 * For listeners whose TCP peers are the clients: behind a front end all connections come from one address, and only it can
 * count by client. An IPv6 address shares with its network: a /64 may have `max`, the /56 and the /48 around it more.
 * @param max connections of one address
 */
export const addressLimit = (max: number, log: ListenerLog): AcceptConnection => {
  const networks = new Map<string, Network>();
  const release = (used: Network[]) => {
    for (const network of used) {
      network.open--;
      if (network.open <= network.max * 0.9) network.told = false;
      if (network.open === 0) networks.delete(network.key);
    }
  };
  return (socket) => {
    const { remoteAddress } = socket;
    // It is gone already, or on a unix socket.
    if (remoteAddress === undefined) return true;
    const used = addressLevels(remoteAddress).map(
      (key, level) => networks.get(key) ?? { key, max: max * (networkScale[level] ?? 1), open: 0, told: false },
    );
    const full = used.find(({ open, max }) => open >= max);
    if (full) {
      const { key, max } = full;
      if (!full.told) log.warn({ peer: key, max }, 'as many connections from one address as may be; more are closed');
      full.told = true;
      return false;
    }
    for (const network of used) {
      network.open++;
      networks.set(network.key, network);
    }
    socket.on('close', () => release(used));
    return true;
  };
};

/**
 * Of `most` connections in all. A class of 200 behind one router has 1200 at most, six of each browser: that is less than an
 * eighth of the default of max-connections. Whatever `most` is, one address leaves half of it to others.
 */
export const connectionsPerAddress = (most: number): number =>
  Math.max(1, Math.floor(Math.min(most / 2, Math.max(most / 8, 1024))));

/** `told`: the log has it that no more fit in; once for each time that it gets full. */
type Network = { readonly key: string; readonly max: number; open: number; told: boolean };
