/** The uwsgi listener: an http.Server whose connections speak the uwsgi protocol, for `uwsgi_pass` of nginx. */
import { Server } from 'node:http';
import type { Socket } from 'node:net';
import { checkInterval, type ListenerOptions } from '../limits.ts';
import { isFrontEnd } from '../networks.ts';
import { replaceConnectionListener } from '../node-internals.ts';
import { UpgradedSockets } from '../upgraded-sockets.ts';
import { Connection } from './connection.ts';
import type { Host } from './connection-state.ts';

export type UwsgiOptions = ListenerOptions & {
  /** Whether a TCP peer (IPv4 in dotted form) is a trusted front end; peers on a unix socket always are. */
  allowFrom: (address: string) => boolean;
};

/**
 * A server that emits `request` (IncomingMessage, ServerResponse) and `upgrade` (IncomingMessage, Socket, head) like one
 * of http.createServer(), with the client's address, scheme and host in x-forwarded-for, -proto and -host.
 * Every connection carries one request. `close()` closes connections without a request, `closeAllConnections()` all,
 * including upgraded ones. Node's own timeouts (`requestTimeout` …) have no effect here.
 */
export const createUwsgiServer = (options: UwsgiOptions): Server => new UwsgiServer(options);

class UwsgiServer extends Server {
  readonly #options: UwsgiOptions;
  readonly #connections = new Set<Connection>();
  readonly #upgraded = new UpgradedSockets();
  readonly #host: Host<Connection>;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: UwsgiOptions) {
    super();
    this.#options = options;
    this.#host = {
      server: this,
      options,
      forget: (connection) => this.#connections.delete(connection),
      handOver: (connection) => {
        this.#connections.delete(connection);
        this.#upgraded.add(connection.socket);
      },
    };
    replaceConnectionListener(this, (socket) => this.#accept(socket));
    this.on('listening', () => options.unsent.addCounter(this.#countMemory));
    this.on('close', () => {
      options.unsent.removeCounter(this.#countMemory);
      this.#stopSweep();
    });
  }

  /** node:http calls this from close(); its own connection list does not contain ours. */
  override closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.idle) connection.socket.destroy();
  }

  override closeAllConnections(): void {
    for (const connection of this.#connections) connection.socket.destroy();
    this.#upgraded.destroyAll();
  }

  #accept(socket: Socket): void {
    if (!isFrontEnd(socket, this.#options.allowFrom)) {
      this.#options.log.warn(
        { peer: socket.remoteAddress },
        'uwsgi: connection refused: the peer is not in --allow-from',
      );
      socket.destroy();
      return;
    }
    if (!this.#options.admit(socket)) {
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(socket, this.#host));
    this.#startSweep();
  }

  /**
   * One coarse timer for all deadlines, running only while there are connections. A timer per connection would start and
   * stop with every request, and the sockets' own timers are reset by every byte that trickles in.
   */
  #startSweep(): void {
    if (this.#sweep !== undefined) return;
    this.#sweep = setInterval(() => this.#checkAll(), checkInterval(this.#options)).unref();
  }

  readonly #countMemory = (): void => {
    for (const connection of this.#connections) connection.countMemory();
  };

  #stopSweep(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #checkAll(): void {
    if (this.#connections.size + this.#upgraded.size === 0) this.#stopSweep();
    const now = performance.now();
    for (const connection of this.#connections) connection.check(now);
    this.#upgraded.check(now);
    // close() spared connections that had just been accepted.
    if (!this.listening) this.closeIdleConnections();
  }
}
