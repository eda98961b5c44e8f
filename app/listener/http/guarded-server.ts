/** An http.Server that checks every head, watches every clock that node:http leaves alone, and refuses in our words. */
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { errorResponseOf, errorResponseText } from '../error-response.ts';
import { endUpgraded, UpgradedSockets } from '../upgraded-sockets.ts';
import { HttpConnection, type HttpLimits } from './connection.ts';
import type { ForwardedHeaderPolicy } from './forwarded-headers.ts';
import type { HttpServerOptions } from './server.ts';
import { headSize, type RequestFault, validateRequest } from './validate-request.ts';

type Options = HttpServerOptions & { believe: ForwardedHeaderPolicy };

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
    // Bytes are limited already; beyond a number of headers node:http would leave the others out and say nothing.
    this.maxHeadersCount = 0;
    this.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket));
    // With a listener node:http leaves the answer "100 Continue" to us, so that it comes after the checks.
    this.on('checkContinue', () => {});
    this.on('close', () => this.#stopSweep());
  }

  /**
   * What node:http emits passes here first. Listeners cannot do this: none of them can keep a request from the others.
   */
  override emit(event: string, ...args: unknown[]): boolean {
    const [first, second] = args;
    if (first instanceof IncomingMessage && second instanceof ServerResponse) {
      if (event === 'request') return this.#take(first, second);
      if (event === 'checkContinue') return this.#take(first, second, true);
    }
    if (event === 'upgrade' && first instanceof IncomingMessage && second instanceof Socket) {
      if (!this.#mayUpgrade(first, second)) return true;
    }
    if (event === 'connection' && first instanceof Socket && !this.#accept(first)) return true;
    return super.emit(event, ...args);
  }

  /** node:http calls this from close(). Its own choice would, from Node 26 on, cut those who have only just come. */
  override closeIdleConnections(): void {
    for (const [socket, connection] of this.#connections) if (connection.resting || connection.unused) socket.destroy();
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

  #take(request: IncomingMessage, response: ServerResponse, continues = false): boolean {
    const connection = this.#connections.get(request.socket);
    // What comes behind the last answer of a connection belongs to nobody.
    if (!connection?.begin(request, response)) return true;
    const fault = this.#checkHead(request);
    if (fault) {
      this.#tell(fault, request);
      const { status, headers, body } = errorResponseOf(fault.code);
      response.writeHead(status, headers).end(body);
      return true;
    }
    if (continues) response.writeContinue();
    return super.emit('request', request, response);
  }

  /**
   * Other upgrades (h2c) are offers, and so is one with a body, or one that comes before an earlier request is answered: it is
   * answered as the plain request that it also is.
   */
  #isHandshake({ method, headers, socket }: IncomingMessage): boolean {
    return (
      method === 'GET' &&
      headers.upgrade?.toLowerCase() === 'websocket' &&
      Number(headers['content-length'] ?? 0) === 0 &&
      headers['transfer-encoding'] === undefined &&
      this.#connections.get(socket)?.answering === false
    );
  }

  #mayUpgrade(request: IncomingMessage, socket: Socket): boolean {
    // A WebSocket has clocks of its own.
    this.#connections.get(socket)?.release();
    this.#upgraded.add(socket);
    // node:http has taken its own listener away. A socket that fails is destroyed, and says so by 'close'.
    socket.on('error', ignore);
    const fault = this.#checkHead(request);
    if (!fault) return true;
    this.#tell(fault, request);
    endUpgraded(socket, errorResponseText(fault.code));
    return false;
  }

  #checkHead(request: IncomingMessage): RequestFault | undefined {
    const { bufferSize, believe } = this.#options;
    if (headSize(request) > bufferSize)
      return { code: 'header-too-large', reason: `the head is longer than ${bufferSize}` };
    believe(request);
    return validateRequest(request, this.#options);
  }

  #tell({ code, reason }: RequestFault, { socket }: IncomingMessage): void {
    const { status } = errorResponseOf(code);
    this.#options.log.warn({ code, status, peer: socket.remoteAddress ?? 'unix' }, `http: ${reason}`);
  }

  /** A head or a body that node:http cannot read, a head that did not come in time, or a connection that broke. */
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
      // Nobody waits for the end of a server that does not listen any more.
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
  // Stops a head without end; checkHead counts every byte of one that ends.
  maxHeaderSize: options.bufferSize,
  headersTimeout: options.headerTimeout,
  requestTimeout: 0,
  keepAliveTimeout: options.keepAliveTimeout,
  connectionsCheckingInterval: interval,
  noDelay: true,
  // A peer that vanished without a word is found by the system.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // Refused by checkHead, in our words.
  requireHostHeader: false,
  shouldUpgradeCallback: isHandshake,
});

/** ms between looks at the clocks: often enough for the shortest. */
const intervalFor = ({ headerTimeout, bodyTimeout, idleTimeout, harakiri }: Options): number => {
  const shortest = Math.min(headerTimeout, bodyTimeout, idleTimeout, harakiri > 0 ? harakiri : idleTimeout);
  return Math.min(Math.max(Math.floor(shortest / 8), 10), 1000);
};
