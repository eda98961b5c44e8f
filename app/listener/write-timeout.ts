/** Peers that do not read: what is written to them waits, and after some time nobody does. */
import type { Socket } from 'node:net';

/**
 * To be called now and then for every socket that has an answer under way. While bytes wait for the peer, the socket's own timer
 * runs; it is put off by every byte the kernel takes, also within one long write, which nothing else in Node tells.
 * Armed only when it is needed: a timer for each request would be dear.
 * @param armed what the last call gave for this socket
 * @param stuck called when the peer has taken nothing for `idleTimeout` ms
 * @returns whether the timer runs
 */
export const watchReader = (socket: Socket, armed: boolean, idleTimeout: number, stuck: () => void): boolean => {
  const waits = socket.writableLength > 0;
  if (waits === armed) return armed;
  if (waits) socket.setTimeout(idleTimeout, stuck);
  else socket.setTimeout(0, stuck);
  return waits;
};

/** ms: a server that closes must not cut those who were accepted a moment ago and are about to send their request. */
export const promptness = 1000;
