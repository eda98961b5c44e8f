/** An http.Server that validates every request head, enforces timeouts that node:http lacks, and sends our error responses. */
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { IsServed } from '../allowed-hosts.ts';
import type { AcceptConnection } from '../connection-limit.ts';
import { errorResponseOf, errorResponseText, isClientFault, type ListenerLog } from '../error-response.ts';
import { isCrossSite, type RefusedTo } from '../refused-addresses.ts';
import { endUpgraded, UpgradedSockets } from '../upgraded-sockets.ts';
import { HttpConnection, type HttpLimits } from './connection.ts';
import type { ForwardedHeaderPolicy } from './forwarded-headers.ts';
import { clientOf, headSize, type RequestFault, validateRequest } from './validate-request.ts';

/** Times in ms. Error responses are those of error-response.ts. */
export type HttpServerOptions = {
  /** Maximum bytes of a request head, else 431. */
  bufferSize: number;
  /** Maximum bytes of a request body, else 413; an announced length is checked before any of the body is read. */
  limitPost: number;
  /** For the request head to arrive, else 408. */
  headerTimeout: number;
  /** For which a body may stall, else 408; the whole body has no time limit. */
  bodyTimeout: number;
  /** For which the peer may read nothing of a pending response before the connection is destroyed. */
  idleTimeout: number;
  /** For which a connection may wait for its next request. */
  keepAliveTimeout: number;
  /** For the response to begin, else 503; 0 = no limit. WebSockets are exempt, event streams begin at once. */
  harakiri: number;
  admit: AcceptConnection;
  answersFor: IsServed;
  /** Whether to answer 429 to every request of a client at this address. */
  isBarred: (client: string, crossSite: boolean) => boolean;
  /** Called for each request that was refused because of what the client sent. */
  refusedTo: RefusedTo;
  log: ListenerLog;
};

type Options = HttpServerOptions & { forwardedPolicy: ForwardedHeaderPolicy };

export class GuardedServer extends Server {
  readonly #options: Options;
  readonly #limits: HttpLimits;
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #upgraded = new UpgradedSockets();
  readonly #interval: number;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: Options) {
    const interval = intervalFor(options);
    super(nodeOptions(options, interval, (request) => this.#isHandshake(request)));
    this.#options = options;
    this.#limits = options;
    this.#interval = interval;
    // The head is limited in bytes; with a limit on the count, node:http would silently drop excess headers.
    this.maxHeadersCount = 0;
    this.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket));
    // With a listener, node:http leaves "100 Continue" to us, so that it is sent only after the checks.
    this.on('checkContinue', () => {});
    this.on('close', () => this.#stopSweep());
  }

  /** Intercepts the events of node:http: a listener could not keep a request from the other listeners. */
  override emit(event: string, ...args: unknown[]): boolean {
    const [first, second] = args;
    if (first instanceof IncomingMessage && second instanceof ServerResponse) {
      if (event === 'request') return this.#onRequest(first, second);
      if (event === 'checkContinue') return this.#onRequest(first, second, true);
    }
    if (event === 'upgrade' && first instanceof IncomingMessage && second instanceof Socket) {
      if (!this.#mayUpgrade(first, second)) return true;
    }
    if (event === 'connection' && first instanceof Socket && !this.#accept(first)) return true;
    return super.emit(event, ...args);
  }

  /** node:http calls this from close(). From Node 26 on, its own version would also close connections just accepted. */
  override closeIdleConnections(): void {
    for (const [socket, connection] of this.#connections) if (connection.idle || connection.unused) socket.destroy();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#upgraded.destroyAll();
  }

  #accept(socket: Socket): boolean {
    if (!this.#options.admit(socket)) {
      socket.destroy();
      return false;
    }
    const forget = () => this.#connections.delete(socket);
    this.#connections.set(socket, new HttpConnection(socket, this.#limits, forget));
    this.#sweep ??= setInterval(() => this.#check(), this.#interval).unref();
    return true;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue = false): boolean {
    const connection = this.#connections.get(request.socket);
    // Requests after the last response of a connection are ignored.
    if (!connection?.begin(request, response)) return true;
    const fault = this.#checkHead(request);
    if (fault) {
      this.#refuse(fault, request);
      const { status, headers, body } = errorResponseOf(fault.code);
      response.writeHead(status, headers).end(body);
      return true;
    }
    if (expectsContinue) response.writeContinue();
    return super.emit('request', request, response);
  }

  /**
   * Other upgrades (h2c) are optional offers and are answered as plain requests. So are handshakes with a body, and those that
   * arrive before an earlier request is answered.
   */
  #isHandshake({ method, headers, socket }: IncomingMessage): boolean {
    return (
      method === 'GET' &&
      headers.upgrade?.toLowerCase() === 'websocket' &&
      Number(headers['content-length'] ?? 0) === 0 &&
      headers['transfer-encoding'] === undefined &&
      this.#connections.get(socket)?.responding === false
    );
  }

  #mayUpgrade(request: IncomingMessage, socket: Socket): boolean {
    // A WebSocket has its own timeouts.
    this.#connections.get(socket)?.release();
    this.#upgraded.add(socket);
    // node:http has removed its own listener. A socket that fails is destroyed and emits 'close'.
    socket.on('error', ignore);
    const fault = this.#checkHead(request);
    if (!fault) return true;
    this.#refuse(fault, request);
    endUpgraded(socket, errorResponseText(fault.code));
    return false;
  }

  #checkHead(request: IncomingMessage): RequestFault | undefined {
    const { bufferSize, forwardedPolicy } = this.#options;
    const size = headSize(request);
    forwardedPolicy(request);
    if (size > bufferSize) return { code: 'header-too-large', reason: `the head is longer than ${bufferSize}` };
    return validateRequest(request, this.#options);
  }

  #refuse({ code, reason }: RequestFault, request: IncomingMessage): void {
    const { headers, socket } = request;
    if (isClientFault(code)) this.#options.refusedTo(clientOf(request), isCrossSite(headers['sec-fetch-site']));
    const { status } = errorResponseOf(code);
    this.#options.log.warn({ code, status, peer: socket.remoteAddress ?? 'unix' }, `http: ${reason}`);
  }

  /** A malformed head or body, a head that timed out, or a broken connection. */
  #onClientError(error: NodeJS.ErrnoException, socket: unknown): void {
    if (!(socket instanceof Socket)) return;
    const connection = this.#connections.get(socket);
    if (connection) connection.fault(error.code ?? '');
    else socket.destroy();
  }

  #check(): void {
    if (this.#connections.size + this.#upgraded.size === 0) this.#stopSweep();
    const now = performance.now();
    this.#upgraded.check(now);
    for (const [socket, connection] of this.#connections) {
      connection.check(now);
      // Unused connections must not delay the end of a server that is closing.
      if (!this.listening && connection.unused) socket.destroy();
    }
  }

  #stopSweep(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

const ignore = (): void => {};

const nodeOptions = (options: Options, interval: number, isHandshake: (request: IncomingMessage) => boolean) => ({
  // Stops an endless head; checkHead then counts every byte of a complete one.
  maxHeaderSize: options.bufferSize,
  headersTimeout: options.headerTimeout,
  requestTimeout: 0,
  keepAliveTimeout: options.keepAliveTimeout,
  connectionsCheckingInterval: interval,
  noDelay: true,
  // TCP keepalive detects peers that vanished without closing.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // checkHead rejects it, with our own error response.
  requireHostHeader: false,
  shouldUpgradeCallback: isHandshake,
});

/** ms between timeout checks, derived from the shortest timeout. */
const intervalFor = ({ headerTimeout, bodyTimeout, idleTimeout, harakiri }: Options): number => {
  const shortest = Math.min(headerTimeout, bodyTimeout, idleTimeout, harakiri > 0 ? harakiri : idleTimeout);
  return Math.min(Math.max(Math.floor(shortest / 8), 10), 1000);
};
