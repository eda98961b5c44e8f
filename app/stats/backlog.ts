/** How many connections wait at each listener to be accepted, as Linux tells of TCP; elsewhere, and of unix sockets, 0. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Snapshot } from './uwsgi-json.ts';

/** @param listening as `serve` describes it  @param most connections that may wait at one */
export const waitingAt = (listening: { setting: string; address: string }[], most: number): Snapshot['sockets'] => {
  const queues = tcpQueues();
  return listening.map(({ setting, address }) => {
    const port = /:(\d+)$/.exec(address)?.[1];
    const queue = port === undefined ? 0 : (queues.get(Number(port)) ?? 0);
    const protocol = setting === 'socket' ? 'uwsgi' : 'http';
    // As with uWSGI, a unix socket shows no length.
    return { name: address, protocol, queue, maxQueue: port === undefined ? 0 : most };
  });
};

/** By port. */
const tcpQueues = (): Map<number, number> => new Map(['/proc/net/tcp', '/proc/net/tcp6'].flatMap(listeningIn));

/**
 * proc_net(5): `sl local_address rem_address st tx_queue:rx_queue …`, all hexadecimal; st 0A is LISTEN, and there rx_queue
 * is what waits. Listening sockets come first, so the beginning is enough, however many connections there are.
 */
const listeningIn = (file: string): [number, number][] =>
  [...headOf(file).matchAll(/^ *\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:0000 0A [\dA-F]{8}:([\dA-F]{8}) /gm)].map(
    ([, port = '', queue = '']) => [Number.parseInt(port, 16), Number.parseInt(queue, 16)],
  );

const head = Buffer.alloc(65_536);
const headOf = (file: string): string => {
  try {
    const descriptor = openSync(file, 'r');
    try {
      return head.toString('latin1', 0, readSync(descriptor, head, 0, head.length, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
};
