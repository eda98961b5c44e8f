/** The uwsgi listener: an http.Server whose connections speak the uwsgi protocol, for `uwsgi_pass` of nginx. */
import { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ListenerLog } from '../error-response.ts';
import { UpgradedSockets } from '../upgraded-sockets.ts';
import { Connection, type Host } from './connection.ts';
import type { UwsgiLimits } from './exchange.ts';
import type { RequestPolicy } from './read-request.ts';

export type UwsgiOptions = UwsgiLimits &
  RequestPolicy & {
    /** Whether a TCP peer (IPv4 in dotted form) is a trusted front end; peers on a unix socket always are. */
    allowFrom: (address: string) => boolean;
    /** Whether a connection is within the limits; it counts until its 'close'. Others are closed. */
    admit: (socket: Socket) => boolean;
    log: ListenerLog;
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
  readonly #host: Host;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: UwsgiOptions) {
    super();
    this.#options = options;
    this.#host = {
      server: this,
      limits: options,
      answersFor: options.answersFor,
      isBarred: options.isBarred,
      refusedTo: options.refusedTo,
      log: options.log,
      forget: (connection) => this.#connections.delete(connection),
      handOver: (connection) => {
        this.#connections.delete(connection);
        this.#upgraded.add(connection.socket);
      },
    };
    // node:http's own listener would parse HTTP.
    this.removeAllListeners('connection');
    this.on('connection', (socket) => this.#accept(socket));
    this.on('close', () => this.#stopSweep());
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
    if (!this.#isAllowed(socket)) {
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

  /** A unix socket has no addresses; a TCP socket without a remote address is already disconnected. */
  #isAllowed(socket: Socket): boolean {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return socket.localAddress === undefined;
    return this.#options.allowFrom(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''));
  }

  /**
   * One coarse timer for all deadlines, running only while there are connections. A timer per connection would start and
   * stop with every request, and the sockets' own timers are reset by every byte that trickles in.
   */
  #startSweep(): void {
    if (this.#sweep !== undefined) return;
    const { headerTimeout, bodyTimeout, idleTimeout, harakiri } = this.#options;
    const shortest = Math.min(headerTimeout, bodyTimeout, idleTimeout, harakiri > 0 ? harakiri : idleTimeout);
    const interval = Math.min(Math.max(shortest / 8, 10), 1000);
    this.#sweep = setInterval(() => this.#checkAll(), interval).unref();
  }

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
