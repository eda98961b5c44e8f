/** HTTP listeners: a public one that ignores forwarding headers, and one that trusts those of its front end. */
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { largestNetwork } from '../../budgets/address.ts';
import { requestCost } from '../../budgets/turn-shares.ts';
import { headMemory } from '../../budgets/unsent-bytes.ts';
import { errorResponseOf, errorResponseText, isClientFault } from '../error-response.ts';
import { checkInterval, type ListenerOptions } from '../limits.ts';
import { isFrontEnd } from '../networks.ts';
import { isCrossSite } from '../refused-addresses.ts';
import { endUpgraded, UpgradedSockets } from '../upgraded-sockets.ts';
import { type ConnectionOptions, HttpConnection } from './connection.ts';
import { dropForwardedHeaders, type ForwardedHeaderPolicy, trustFrontEnd } from './forwarded-headers.ts';
import { clientOf, headSize, type RequestFault, validateRequest } from './validate-request.ts';

type HttpServerOptions = ListenerOptions & {
  /** ms for which a connection may wait for its next request. */
  keepAliveTimeout: number;
};

/** For browsers: all forwarding headers are removed. */
export const publicServer = (options: HttpServerOptions): Server =>
  new GuardedServer({ ...options, forwardedPolicy: dropForwardedHeaders, peersAreClients: true });

export type FrontedServerOptions = HttpServerOptions & {
  /** Whether a TCP peer is the front end; unix sockets are protected by their file mode. */
  allowFrom: (address: string) => boolean;
  /** Whether an address in X-Forwarded-For is a proxy in front of the front end. */
  isProxy: (address: string) => boolean;
};

/** For a front end: trusts its `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`, and disconnects other TCP peers. */
export const frontedServer = ({ allowFrom, isProxy, ...options }: FrontedServerOptions): Server => {
  const admit = (socket: Socket): boolean => {
    const { remoteAddress } = socket;
    if (isFrontEnd(socket, allowFrom)) return options.admit(socket);
    options.log.warn({ peer: remoteAddress }, 'connection refused: the peer is not in --allow-from');
    return false;
  };
  return new GuardedServer({ ...options, admit, forwardedPolicy: trustFrontEnd(isProxy), peersAreClients: false });
};

type Options = HttpServerOptions & ConnectionOptions & { forwardedPolicy: ForwardedHeaderPolicy };

/** Validates every request head, enforces timeouts that node:http lacks, and sends our error responses. */
class GuardedServer extends Server {
  readonly #options: Options;
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #upgraded = new UpgradedSockets();
  readonly #interval: number;
  #sweep: NodeJS.Timeout | undefined;
  #closing: NodeJS.Timeout | undefined;

  constructor(options: Options) {
    const interval = checkInterval(options);
    super(nodeOptions(options, interval));
    this.#options = options;
    this.#interval = interval;
    // The head is limited in bytes; with a limit on the count, node:http would silently drop excess headers.
    this.maxHeadersCount = 0;
    this.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket));
    // With a listener, node:http leaves "100 Continue" to us, so that it is sent only after the checks, and so it does with 417.
    this.on('checkContinue', ignore).on('checkExpectation', ignore);
    this.on('listening', () => options.unsent.addCounter(this.#countMemory));
    this.on('close', () => {
      options.unsent.removeCounter(this.#countMemory);
      clearTimeout(this.#closing);
      this.#stopSweep();
    });
  }

  /** Intercepts the events of node:http: a listener could not keep a request from the other listeners. */
  override emit(event: string, ...args: unknown[]): boolean {
    const [first, second] = args;
    if (first instanceof IncomingMessage && second instanceof ServerResponse) {
      // Other expectations may be ignored (RFC 9110 §10.1.1).
      if (event === 'request' || event === 'checkExpectation') return this.#onRequest(first, second);
      if (event === 'checkContinue') return this.#onRequest(first, second, true);
    }
    if (event === 'upgrade' && first instanceof IncomingMessage && second instanceof Socket)
      return this.#onUpgrade(first, second, args[2]);
    if (event === 'connection' && first instanceof Socket) return this.#onConnection(first);
    return super.emit(event, ...args);
  }

  /** node:http calls this from close(). From Node 26 on, its own version would also close connections just accepted. */
  override closeIdleConnections(): void {
    clearTimeout(this.#closing);
    this.#closing = setTimeout(
      () => {
        this.#closing = undefined;
        this.#closeIdle();
      },
      this.#options.peersAreClients ? 0 : frontEndDelay,
    );
  }

  /** In the phase after reading: to close a connection with an unread request sends a reset, for which nginx answers 502. */
  #closeIdle(): void {
    setImmediate(() => {
      for (const [socket, connection] of this.#connections) if (connection.idle || connection.unused) socket.destroy();
    });
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#upgraded.destroyAll();
  }

  #onConnection(socket: Socket): boolean {
    if (!this.#options.admit(socket)) return !!socket.destroy();
    super.emit('connection', socket);
    const forget = () => this.#connections.delete(socket);
    this.#connections.set(socket, new HttpConnection(socket, this.#options, forget));
    this.#sweep ??= setInterval(() => this.#check(), this.#interval).unref();
    return true;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue = false): boolean {
    const refuse = (fault: RequestFault): void => {
      this.#refuse(fault, request);
      const { status, headers, body } = errorResponseOf(fault.code);
      response.writeHead(status, headers).end(body);
    };
    // A server that is closing answers the last request of each connection.
    if (!this.listening) response.setHeader('connection', 'close');
    const size = headSize(request);
    const fault = this.#checkHead(request, size);
    // Requests after the last response of a connection are ignored.
    if (!this.#connections.get(request.socket)?.begin(request, response, clientOf(request))) return true;
    this.#whenInTurn(request, size, fault, refuse, () => {
      if (expectsContinue) response.writeContinue();
      super.emit('request', request, response);
    });
    return true;
  }

  /**
   * Behind a front end, calls `serve` when the client's network may have another request served; otherwise `refuse`. Clients that connect
   * themselves have paid before their head was parsed.
   */
  #whenInTurn(
    request: IncomingMessage,
    size: number,
    fault: RequestFault | undefined,
    refuse: (fault: RequestFault) => void,
    serve: () => void,
  ): void {
    const { turns, peersAreClients } = this.#options;
    const network = largestNetwork(clientOf(request));
    const lines = request.rawHeaders.length / 2;
    const cost = requestCost(size, lines);
    if (fault) {
      if (!peersAreClients) turns.of(network).charge(cost);
      refuse(fault);
    } else if (peersAreClients) serve();
    else {
      const serveOpen = () => {
        if (!request.socket.destroyed) serve();
      };
      if (!turns.run(network, { cost, bytes: headMemory(size, lines) }, serveOpen))
        refuse({ code: 'rate-limited', reason: 'too many requests of this network wait' });
    }
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: unknown): boolean {
    // A WebSocket has its own timeouts.
    const rest = this.#connections.get(socket)?.release();
    const received = Buffer.concat([head, rest].filter((bytes) => Buffer.isBuffer(bytes)));
    this.#upgraded.add(socket);
    // node:http has removed its own listener. A socket that fails is destroyed and emits 'close'.
    socket.on('error', ignore);
    const refuse = (fault: RequestFault): void => {
      this.#refuse(fault, request);
      endUpgraded(socket, errorResponseText(fault.code));
    };
    const size = headSize(request);
    const fault = this.#checkHead(request, size);
    this.#whenInTurn(request, size, fault, refuse, () => super.emit('upgrade', request, socket, received));
    return true;
  }

  #checkHead(request: IncomingMessage, size: number): RequestFault | undefined {
    const { bufferSize, forwardedPolicy } = this.#options;
    forwardedPolicy(request);
    if (size > bufferSize) return { code: 'header-too-large', reason: `the head is longer than ${bufferSize}` };
    return validateRequest(request, this.#options);
  }

  #refuse({ code, reason }: RequestFault, request: IncomingMessage): void {
    const { headers, socket } = request;
    // Browsers send no Sec-Fetch-Site with a WebSocket handshake, and any page can make them send one.
    const crossSite = headers.upgrade !== undefined || isCrossSite(headers['sec-fetch-site']);
    if (isClientFault(code)) this.#options.refusedTo(clientOf(request), crossSite);
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
    for (const connection of this.#connections.values()) connection.check(now);
    // These must not delay the end of a server that is closing.
    if (!this.listening && !this.#closing) this.#closeIdle();
  }

  readonly #countMemory = (): void => {
    for (const connection of this.#connections.values()) connection.countMemory();
  };

  #stopSweep(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

const ignore = (): void => {};

/** ms for which a closing server answers on the idle connections of a front end, which may be about to use them. */
const frontEndDelay = 500;

/** Other upgrades (h2c) are optional offers and are answered as plain requests. So are handshakes with a body. */
const isHandshake = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' &&
  headers.upgrade?.toLowerCase() === 'websocket' &&
  Number(headers['content-length'] ?? 0) === 0 &&
  headers['transfer-encoding'] === undefined;

const nodeOptions = (options: Options, interval: number) => ({
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
