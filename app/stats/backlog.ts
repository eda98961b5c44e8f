/** Connections waiting to be accepted, per listener. Known only for TCP on Linux; otherwise 0. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Snapshot } from './uwsgi-json.ts';

/** @param listening as returned by `serve`  @param backlog maximum queue length of a listener */
export const waitingAt = (listening: { setting: string; address: string }[], backlog: number): Snapshot['sockets'] => {
  const queues = tcpQueues();
  return listening.map(({ setting, address }) => {
    const port = /:(\d+)$/.exec(address)?.[1];
    const queue = port === undefined ? 0 : (queues.get(Number(port)) ?? 0);
    const protocol = setting === 'socket' ? 'uwsgi' : 'http';
    // As in uWSGI, unix sockets report no length.
    return { name: address, protocol, queue, maxQueue: port === undefined ? 0 : backlog };
  });
};

/** Queue lengths by port. */
const tcpQueues = (): Map<number, number> => new Map(['/proc/net/tcp', '/proc/net/tcp6'].flatMap(listeningIn));

/**
 * proc_net(5): `sl local_address rem_address st tx_queue:rx_queue …`, all hexadecimal. st 0A is LISTEN, where rx_queue is the
 * number of waiting connections. Listening sockets come first, so the start of the file suffices, whatever its size.
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
