/** Connection limits: for all listeners together, and per client address where the TCP peer is the client. */
import type { Socket } from 'node:net';
import { addressLevels, networkScale } from '../budgets/address.ts';
import type { ListenerLog } from './error-response.ts';

/** Whether a new connection is within the limit. If so, it counts until its 'close'. */
export type AcceptConnection = (socket: Socket) => boolean;

/** @param max connections, WebSockets included */
export const connectionLimit = (max: number, log: ListenerLog): AcceptConnection => {
  let open = 0;
  // Logged once each time the limit is reached: one line per connection would let an attacker flood the log.
  let logged = false;
  const onClose = () => {
    open--;
    if (open <= max * 0.9) logged = false;
  };
  return (socket) => {
    if (open >= max) {
      if (!logged)
        log.warn({ max }, 'connection limit reached (max-connections, or that of the system); more are closed');
      logged = true;
      return false;
    }
    open++;
    // 'close' is emitted only once; `once` would allocate three objects per connection.
    socket.on('close', onClose);
    return true;
  };
};

/**
 * For listeners whose TCP peers are the clients. Behind a front end all connections come from one address, so only the front end
 * can count per client. IPv6 addresses share the limit of their network: `max` per /64, more for the enclosing /56 and /48.
 * @param max connections per address
 */
export const addressLimit = (max: number, log: ListenerLog): AcceptConnection => {
  const networks = new Map<string, Network>();
  const release = (used: Network[]) => {
    for (const network of used) {
      network.open--;
      if (network.open <= network.max * 0.9) network.logged = false;
      if (network.open === 0) networks.delete(network.key);
    }
  };
  return (socket) => {
    const { remoteAddress } = socket;
    // Already disconnected, or a unix socket.
    if (remoteAddress === undefined) return true;
    const used = addressLevels(remoteAddress).map(
      (key, level) => networks.get(key) ?? { key, max: max * (networkScale[level] ?? 1), open: 0, logged: false },
    );
    const full = used.find(({ open, max }) => open >= max);
    if (full) {
      const { key, max } = full;
      if (!full.logged) log.warn({ peer: key, max }, 'connection limit per address reached; more are closed');
      full.logged = true;
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
 * Default limit per address, given `max` connections in all. A class of 200 behind one router opens at most 1200, six per browser:
 * less than an eighth of the default of max-connections. One address never gets more than half of `max`.
 */
export const connectionsPerAddress = (max: number): number =>
  Math.max(1, Math.floor(Math.min(max / 2, Math.max(max / 8, 1024))));

/** `logged`: the full network has been logged; reset once it has free capacity. */
type Network = { readonly key: string; readonly max: number; open: number; logged: boolean };
