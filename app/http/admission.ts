/** How many connections there may be, over all listeners together. */
import type { Socket } from 'node:net';
import type { ListenerLog } from '../uwsgi/refusal.ts';

/** Whether a connection that has just been made fits in. If it does, it counts until its 'close'. */
export type Admit = (socket: Socket) => boolean;

/** @param max connections, WebSockets included */
export const connectionLimit = (max: number, log: ListenerLog): Admit => {
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
