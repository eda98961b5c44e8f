/** Write timeout: gives up on peers that do not read their response. */
import type { Socket } from 'node:net';

/**
 * Call periodically for every socket with a response in progress. While bytes are buffered for the peer, the socket's own timer
 * runs. Every byte that the kernel accepts resets it, even within one long write; nothing else in Node reports that.
 * The timer is armed only when needed, because one per request would be expensive.
 * @param armed the result of the last call for this socket
 * @param onTimeout called when the peer has read nothing for `idleTimeout` ms
 * @returns whether the timer is running
 */
export const watchReader = (socket: Socket, armed: boolean, idleTimeout: number, onTimeout: () => void): boolean => {
  const pending = socket.writableLength > 0;
  if (pending === armed) return armed;
  if (pending) socket.setTimeout(idleTimeout, onTimeout);
  else socket.setTimeout(0, onTimeout);
  return pending;
};

/** ms: a closing server spares connections younger than this, as they are about to send their request. */
export const promptness = 1000;
