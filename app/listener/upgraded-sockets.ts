/** Sockets detached from a listener by 'upgrade': node:http no longer tracks them, so they are closed here. */
import type { Socket } from 'node:net';

/** ms for the peer to close its side after we ended ours, before the socket is destroyed. */
const closeTimeout = 2000;

export class UpgradedSockets {
  /** When to destroy each socket (performance.now()); infinite until its writable side has ended. */
  readonly #deadlines = new Map<Socket, number>();
  readonly #onClose: (this: Socket) => void;

  constructor() {
    const deadlines = this.#deadlines;
    this.#onClose = function () {
      deadlines.delete(this);
    };
  }

  get size(): number {
    return this.#deadlines.size;
  }

  /** Takes ownership of the socket until it closes. */
  add(socket: Socket): void {
    this.#deadlines.set(socket, Number.POSITIVE_INFINITY);
    socket.on('close', this.#onClose);
  }

  /** Destroys sockets whose peer did not close in time; call this periodically. */
  check(now: number): void {
    for (const [socket, deadline] of this.#deadlines) {
      if (deadline <= now) socket.destroy();
      else if (socket.writableEnded && deadline === Number.POSITIVE_INFINITY)
        this.#deadlines.set(socket, now + closeTimeout);
    }
  }

  destroyAll(): void {
    for (const socket of this.#deadlines.keys()) socket.destroy();
  }
}

/** Ends a socket, sending `last`. Input is read and discarded, otherwise the peer's FIN would never be noticed. */
export const endUpgraded = (socket: Socket, last = ''): void => {
  socket.end(last);
  socket.resume();
};
