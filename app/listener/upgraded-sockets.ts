/** The sockets that a listener has given away with 'upgrade': node:http forgets them, and nobody else closes them all. */
import type { Socket } from 'node:net';

/** ms for the peer to close its side after ours was ended, before the socket is destroyed. */
const closeTimeout = 2000;

export class UpgradedSockets {
  /** When each is destroyed, a performance.now(); infinite until its writing side is ended. */
  readonly #due = new Map<Socket, number>();
  readonly #onClose: (this: Socket) => void;

  constructor() {
    const due = this.#due;
    this.#onClose = function () {
      due.delete(this);
    };
  }

  get size(): number {
    return this.#due.size;
  }

  /** Owns the socket from now on, until it is closed. */
  add(socket: Socket): void {
    this.#due.set(socket, Number.POSITIVE_INFINITY);
    socket.on('close', this.#onClose);
  }

  /** Destroys those whose peer does not close after us; to be called now and then. */
  check(now: number): void {
    for (const [socket, due] of this.#due) {
      if (due <= now) socket.destroy();
      else if (socket.writableEnded && due === Number.POSITIVE_INFINITY) this.#due.set(socket, now + closeTimeout);
    }
  }

  destroyAll(): void {
    for (const socket of this.#due.keys()) socket.destroy();
  }
}

/** Ends a socket with its last bytes. Input is read and thrown away, or the end of the peer's side would never be seen. */
export const endUpgraded = (socket: Socket, last = ''): void => {
  socket.end(last);
  socket.resume();
};
