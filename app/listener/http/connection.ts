/** One HTTP connection of a GuardedServer: the request it is answering, its timeouts, and how it is closed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { largestNetwork } from '../../budgets/address.ts';
import type { TurnShare } from '../../budgets/turn-shares.ts';
import { abortError, errorResponseOf, errorResponseText, type RefusalCode } from '../error-response.ts';
import {
  countMemory,
  type ListenerOptions,
  lingerTime,
  maxHeadLines,
  promptness,
  unsentOf,
  watchReader,
} from '../limits.ts';
import { interceptLastResponse, releaseLastResponse } from '../node-internals.ts';
import { type InputOptions, RequestInput } from './input.ts';

/** `peersAreClients`: every TCP peer is a client, so that it pays for what it sends before it is parsed. */
export type ConnectionOptions = ListenerOptions & { peersAreClients: boolean };

/** `due`: when the response must have begun (performance.now()). `client`: the key of the client's largest network. */
type Exchange = { request: IncomingMessage; response: ServerResponse; due: number; client: string };

/** `faulty`: the parser cannot continue. `closing`: everything is written; input is discarded, unparsed, until `until`. */
type State = { state: 'open' } | { state: 'faulty' } | { state: 'closing'; until: number };

export class HttpConnection {
  readonly #since = performance.now();
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #forget: () => void;
  readonly #input: RequestInput;
  readonly #network: string;
  /** The request that is being answered; the next one is not parsed before. */
  #exchange: Exchange | undefined;
  #state: State = { state: 'open' };
  /** `bytesRead` when the last response finished; -1 before the first. */
  #idleAt = -1;
  /** When a stalled body times out, and how much of it had arrived when it last progressed. */
  #bodyDeadline = 0;
  #lastRead = -1;
  #writeTimerArmed = false;

  /**
   * To be called right after node:http has accepted the connection.
   * @param forget called when the connection closes or is upgraded
   */
  constructor(socket: Socket, options: ConnectionOptions, forget: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#forget = forget;
    this.#network = largestNetwork(socket.remoteAddress);
    this.#input = new RequestInput(socket, {
      wants: () => this.#wanted(),
      share: () => this.#share(),
      onParsed: () => this.#checkSize(),
      onReceived: (bytes) => options.unsent.transferred(bytes),
    });
    socket.on('close', this.#onClose);
    // If a body is still arriving, closing would send a reset, which could reach the peer before it has read the response.
    interceptLastResponse(socket, (destroySoon) => {
      if (this.#exchange && !this.#exchange.request.complete) this.#linger();
      else destroySoon();
    });
  }

  /**
   * Detaches from the socket when it becomes a WebSocket, so that this object is not retained.
   * @returns what was received after the handshake and not parsed
   */
  release(): Buffer {
    this.#forget();
    this.#socket.removeListener('close', this.#onClose);
    releaseLastResponse(this.#socket);
    return this.#input.release();
  }

  /** Opened speculatively, as browsers do; node:http does not count such a connection as idle. */
  get unused(): boolean {
    return this.#socket.bytesRead === 0 && performance.now() - this.#since > promptness;
  }

  /** Between two requests: nothing received since the last response. */
  get idle(): boolean {
    return !this.#exchange && this.#idleAt === this.#socket.bytesRead && !this.#input.isWaiting;
  }

  /** Registers a request whose head has arrived. @param client its address  @returns whether to answer it */
  begin(request: IncomingMessage, response: ServerResponse, client: string): boolean {
    if (this.#state.state !== 'open') return false;
    if (this.#exchange) {
      // node:http has found the end of a message where RequestInput has not.
      this.#warn('bad-request', 'http: two requests were parsed at once');
      this.#socket.destroy();
      return false;
    }
    const { harakiri } = this.#options;
    const due = harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY;
    const exchange = { request, response, due, client: largestNetwork(client) };
    this.#exchange = exchange;
    this.#lastRead = -1;
    this.#input.beginBody(request);
    response.once('close', () => this.#onResponseClose(exchange));
    return true;
  }

  /** Counts the memory of a request that arrives or is being answered, and of its response. */
  countMemory(): void {
    const { state } = this.#state;
    const network = this.#exchange?.client ?? this.#network;
    const unsent = this.#exchange ? unsentOf(this.#exchange.response, this.#socket) : 0;
    countMemory(this.#options.unsent, network, this.#input.memory + unsent, state !== 'open', () => {
      this.#warn('rate-limited', 'http: too much that its address has sent or not read', {
        begun: this.#exchange !== undefined,
      });
      this.#socket.destroy();
    });
  }

  /** Head, body and pipelined requests of a connection come one after the other. */
  #wanted(): ReturnType<InputOptions['wants']> {
    if (this.#state.state !== 'open' || this.#socket.writableEnded) return 'nothing';
    if (!this.#exchange) return 'head';
    const { request } = this.#exchange;
    return request.complete ? 'nothing' : { body: request };
  }

  /** Behind a front end, the client is known only when its head has been parsed. */
  #share(): TurnShare | undefined {
    const { turns, peersAreClients } = this.#options;
    if (peersAreClients) return turns.of(this.#network);
    return this.#exchange && turns.of(this.#exchange.client);
  }

  /** Rejects input that cannot be parsed. @param reason an error code of node:http */
  fault(reason: string): void {
    const known = reason.startsWith('HPE_') || reason === 'ERR_HTTP_REQUEST_TIMEOUT';
    // After one parse error, all further input produces more of them.
    if (known && this.#state.state !== 'open') return;
    if (!known || !this.#socket.writable) {
      this.#socket.destroy();
      return;
    }
    this.#state = { state: 'faulty' };
    const code = faults.get(reason) ?? 'bad-request';
    const begun = this.#exchange !== undefined;
    // Not counted: a long head, or none. Any page can make browsers send a long one, or connect in advance.
    if (!begun && code !== 'header-too-large' && this.#socket.bytesRead > 0)
      // Any page can make browsers send the rest too, such as a TLS handshake to a port without TLS.
      this.#options.refusedTo(this.#socket.remoteAddress, true);
    this.#warn(code, `http: ${reason}`, begun ? { begun } : {});
    this.#answerFault(code);
  }

  /** node:http does not abort a request that was answered before its body was complete, so its reader would wait forever. */
  readonly #onClose = (): void => {
    this.#forget();
    this.#input.release();
    if (!this.#exchange) return;
    const { request, response } = this.#exchange;
    if (!request.complete && !request.destroyed) request.destroy(abortError(response));
  };

  /** Enforces the timeouts; call this periodically. */
  check(now: number): void {
    if (this.#state.state === 'closing' && this.#state.until <= now) {
      this.#socket.destroy();
      return;
    }
    const exchange = this.#exchange;
    if (exchange && exchange.due <= now && !exchange.response.headersSent) this.#harakiri(exchange);
    if (exchange?.response.closed && exchange.request.complete) this.#finish(exchange);
    this.#checkBody(now);
    this.#checkWrites();
  }

  /** node:http counts neither the spaces before a header value, so a head could grow without limit, nor a body that nobody reads. */
  #checkSize(): void {
    if (this.#state.state !== 'open') return;
    const { bufferSize, limitPost } = this.#options;
    const { headBytes, headLines, bodyBytes } = this.#input;
    if (!this.#exchange && (headBytes > 2 * bufferSize || headLines > maxHeadLines)) this.fault('HPE_HEADER_OVERFLOW');
    // Chunk framing adds to the size of a body, hence the doubling.
    if (this.#exchange && bodyBytes > 2 * limitPost + slack)
      this.#stop(this.#exchange, 'body-too-large', 'http: the body exceeds the limit');
  }

  #harakiri({ request, response }: Exchange): void {
    const { method, url } = request;
    // Without the query, which may contain a token.
    const fields = { begun: true, method, url: url?.split('?')[0] };
    this.#warn('harakiri', `http: no response after ${this.#options.harakiri} ms`, fields);
    sendError(response, 'harakiri');
  }

  #checkBody(now: number): void {
    const exchange = this.#exchange;
    if (!exchange || exchange.request.complete || this.#state.state !== 'open') return;
    const { request, response } = exchange;
    const { bodyBytes, isWaiting } = this.#input;
    // While we do not read, the peer is not stalled. After the response, the whole rest must arrive within `bodyTimeout`.
    const paused = isWaiting || request.readableLength >= request.readableHighWaterMark;
    if (this.#lastRead < 0 || (!response.writableFinished && (paused || bodyBytes !== this.#lastRead))) {
      this.#bodyDeadline = now + this.#options.bodyTimeout;
      this.#lastRead = bodyBytes;
    } else if (this.#bodyDeadline <= now) {
      this.#stop(exchange, 'request-timeout', 'http: the body stalled');
    }
  }

  #checkWrites(): void {
    if (this.#exchange) {
      const { idleTimeout } = this.#options;
      this.#writeTimerArmed = watchReader(this.#socket, this.#writeTimerArmed, idleTimeout, this.#onWriteTimeout);
      return;
    }
    if (!this.#writeTimerArmed) return;
    // By now node:http uses the socket's timer for the next request.
    this.#socket.removeListener('timeout', this.#onWriteTimeout);
    this.#writeTimerArmed = false;
  }

  readonly #onWriteTimeout = (): void => {
    this.#options.log.warn({ peer: this.#peer }, 'http: the peer does not read its response');
    this.#socket.destroy();
  };

  /** Rejects a request that cannot be completed; if its response has begun, the connection can only be destroyed. */
  #stop({ response }: Exchange, code: RefusalCode, message: string): void {
    this.#state = { state: 'faulty' };
    this.#warn(code, message, { begun: true });
    if (response.headersSent) this.#socket.destroy();
    else sendError(response, code);
  }

  #answerFault(code: RefusalCode): void {
    const response = this.#exchange?.response;
    if (response?.headersSent) this.#socket.destroy();
    else if (response) sendError(response, code);
    else {
      this.#socket.write(errorResponseText(code));
      this.#linger();
    }
  }

  #linger(): void {
    this.#state = { state: 'closing', until: performance.now() + lingerTime };
    this.#input.discard();
    this.#socket.end();
  }

  /** The exchange is finished once the request body is complete too. */
  #onResponseClose(exchange: Exchange): void {
    if (exchange.request.complete) this.#finish(exchange);
    else exchange.request.once('end', () => this.#finish(exchange));
  }

  #finish(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    this.#idleAt = this.#socket.bytesRead;
    this.#input.beginHead();
  }

  get #peer(): string {
    return this.#socket.remoteAddress ?? 'unix';
  }

  /** @param fields with `begun` if the app has the request and also counts its response */
  #warn(code: RefusalCode, message: string, fields: object = {}): void {
    const { status } = errorResponseOf(code);
    this.#options.log.warn({ code, status, peer: this.#peer, ...fields }, message);
  }
}

/** Bytes by which the framing of chunks may exceed a body, in addition. */
const slack = 64 * 1024;

const faults = new Map<string, RefusalCode>([
  ['HPE_HEADER_OVERFLOW', 'header-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
]);

const sendError = (response: ServerResponse, code: RefusalCode): void => {
  const { status, headers, body } = errorResponseOf(code);
  response.writeHead(status, headers).end(body);
};
