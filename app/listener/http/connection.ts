/** One HTTP connection of a GuardedServer: its pending requests, their timeouts, and how it is closed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorResponseOf, errorResponseText, type RefusalCode } from '../error-response.ts';
import { type ListenerOptions, promptness, watchReader } from '../limits.ts';
import { interceptLastResponse, releaseLastResponse } from '../node-internals.ts';

/** `due`: when the response must have begun (performance.now()). `bodyStart`: bytesRead of the connection at the end of the head. */
type Exchange = { request: IncomingMessage; response: ServerResponse; due: number; bodyStart: number };

/** `faulty`: the parser cannot continue. `closing`: everything is written; input is discarded until `until`. */
type State = { state: 'open' } | { state: 'faulty' } | { state: 'closing'; until: number };

/**
 * Requests of one connection that may wait for their responses. node:http emits all that arrive, and stops reading only when much of
 * their responses is unsent. Browsers and nginx send one at a time.
 */
const maxPipelined = 32;

/** ms for which input is still read after the last response; closing with unread input sends a reset that may overtake it. */
const lingerTime = 2000;

export class HttpConnection {
  readonly #since = performance.now();
  readonly #socket: Socket;
  readonly #limits: ListenerOptions;
  readonly #forget: () => void;
  /** In order of arrival; only the last one's body can be incomplete. */
  readonly #exchanges = new Set<Exchange>();
  #state: State = { state: 'open' };
  /** `bytesRead` when the last response finished; -1 before the first. */
  #idleAt = -1;
  /** When a stalled body times out, and `bytesRead` when it last progressed. */
  #bodyDeadline = 0;
  #lastRead = -1;
  #writeTimerArmed = false;

  /** @param forget called when the connection closes or is upgraded */
  constructor(socket: Socket, limits: ListenerOptions, forget: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#forget = forget;
    socket.on('close', this.#onClose);
    // If a body is still arriving, closing would send a reset, which could reach the peer before it has read the response.
    interceptLastResponse(socket, (destroySoon) => {
      if (this.#incomplete()) this.#linger();
      else destroySoon();
    });
  }

  /** Detaches from the socket when it becomes a WebSocket, so that this object is not retained. */
  release(): void {
    this.#forget();
    this.#socket.removeListener('close', this.#onClose);
    releaseLastResponse(this.#socket);
  }

  /** Opened speculatively, as browsers do; node:http does not count such a connection as idle. */
  get unused(): boolean {
    return this.#socket.bytesRead === 0 && performance.now() - this.#since > promptness;
  }

  /** Between two requests: nothing received since the last response. */
  get idle(): boolean {
    return this.#exchanges.size === 0 && this.#idleAt === this.#socket.bytesRead;
  }

  /** A response is pending or being written. */
  get responding(): boolean {
    for (const { response } of this.#exchanges) if (!response.writableFinished) return true;
    return false;
  }

  /** Registers a request whose head has arrived. @returns whether to answer it */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#state.state !== 'open') return false;
    if (this.#exchanges.size >= maxPipelined) {
      this.#closeFlooded();
      return false;
    }
    const { harakiri } = this.#limits;
    const due = harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY;
    const exchange = { request, response, due, bodyStart: this.#socket.bytesRead };
    this.#exchanges.add(exchange);
    this.#lastRead = -1;
    response.once('close', () => this.#onResponseClose(exchange));
    return true;
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
    const begun = this.#incomplete() !== undefined;
    // Not counted: a long head, or none. Any page can make browsers send a long one, or connect in advance.
    if (!begun && code !== 'header-too-large' && this.#socket.bytesRead > 0)
      // Any page can make browsers send the rest too, such as a TLS handshake to a port without TLS.
      this.#limits.refusedTo(this.#socket.remoteAddress, true);
    this.#warn(code, `http: ${reason}`, begun ? { begun } : {});
    this.#answerFault(code);
  }

  /** Closed at once, because node:http would go on reading requests, and each takes memory until the ones before it are answered. */
  #closeFlooded(): void {
    this.#state = { state: 'faulty' };
    this.#limits.refusedTo(this.#socket.remoteAddress);
    this.#limits.log.warn({ peer: this.#peer }, `http: more than ${maxPipelined} requests wait for their responses`);
    this.#socket.destroy();
  }

  /** node:http does not abort a request that was answered before its body was complete, so its reader would wait forever. */
  readonly #onClose = (): void => {
    this.#forget();
    for (const { request } of this.#exchanges)
      if (!request.complete && !request.destroyed)
        request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  };

  /** Enforces the timeouts; call this periodically. */
  check(now: number): void {
    if (this.#state.state === 'closing' && this.#state.until <= now) {
      this.#socket.destroy();
      return;
    }
    for (const exchange of this.#exchanges) {
      if (exchange.due <= now && !exchange.response.headersSent) this.#harakiri(exchange);
      if (exchange.response.closed && exchange.request.complete) this.#finish(exchange);
    }
    this.#checkHead();
    this.#checkBody(now);
    this.#checkWrites();
  }

  /** node:http does not count the spaces before a header value, so a head could grow without limit. */
  #checkHead(): void {
    if (this.#exchanges.size > 0 || this.#state.state !== 'open') return;
    const read = this.#socket.bytesRead - Math.max(this.#idleAt, 0);
    if (read > this.#limits.bufferSize + slack) this.fault('HPE_HEADER_OVERFLOW');
  }

  #harakiri({ request, response }: Exchange): void {
    const { method, url } = request;
    // Without the query, which may contain a token.
    const fields = { begun: true, method, url: url?.split('?')[0] };
    this.#warn('harakiri', `http: no response after ${this.#limits.harakiri} ms`, fields);
    sendError(response, 'harakiri');
  }

  #checkBody(now: number): void {
    const exchange = this.#incomplete();
    if (!exchange || this.#state.state !== 'open') return;
    const { request, response, bodyStart } = exchange;
    const { bytesRead } = this.#socket;
    const { limitPost, bodyTimeout } = this.#limits;
    // An unread body is not counted elsewhere. Chunk framing adds to its size, hence the doubling.
    if (bytesRead - bodyStart > 2 * limitPost + slack) {
      this.#stop(exchange, 'body-too-large', 'http: the body exceeds the limit');
      return;
    }
    // While we do not read, the peer is not stalled. After the response, the whole rest must arrive within `bodyTimeout`.
    const paused = request.readableLength >= request.readableHighWaterMark;
    if (this.#lastRead < 0 || (!response.writableFinished && (paused || bytesRead !== this.#lastRead))) {
      this.#bodyDeadline = now + bodyTimeout;
      this.#lastRead = bytesRead;
    } else if (this.#bodyDeadline <= now) {
      this.#stop(exchange, 'request-timeout', 'http: the body stalled');
    }
  }

  #checkWrites(): void {
    if (this.#exchanges.size > 0) {
      const { idleTimeout } = this.#limits;
      this.#writeTimerArmed = watchReader(this.#socket, this.#writeTimerArmed, idleTimeout, this.#onWriteTimeout);
      return;
    }
    if (!this.#writeTimerArmed) return;
    // By now node:http uses the socket's timer for the next request.
    this.#socket.removeListener('timeout', this.#onWriteTimeout);
    this.#writeTimerArmed = false;
  }

  readonly #onWriteTimeout = (): void => {
    this.#limits.log.warn({ peer: this.#peer }, 'http: the peer does not read its response');
    this.#socket.destroy();
  };

  /** Rejects a request that cannot be completed; if its response has begun, the connection can only be destroyed. */
  #stop({ response }: Exchange, code: RefusalCode, message: string): void {
    this.#warn(code, message, { begun: true });
    if (response.headersSent) this.#socket.destroy();
    else sendError(response, code);
  }

  /** Pending responses to earlier requests are sent first. */
  #answerFault(code: RefusalCode): void {
    const last = [...this.#exchanges].at(-1);
    if (last && !last.request.complete) {
      if (last.response.headersSent) this.#socket.destroy();
      else sendError(last.response, code);
    } else if (last && !last.response.writableFinished) {
      last.response.once('finish', () => this.#write(code));
    } else this.#write(code);
  }

  #write(code: RefusalCode): void {
    this.#socket.write(errorResponseText(code));
    this.#linger();
  }

  #linger(): void {
    this.#state = { state: 'closing', until: performance.now() + lingerTime };
    this.#socket.end();
  }

  /** The exchange is finished once the request body is complete too. */
  #onResponseClose(exchange: Exchange): void {
    if (exchange.request.complete) this.#finish(exchange);
    else exchange.request.once('end', () => this.#finish(exchange));
  }

  #finish(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    this.#idleAt = this.#socket.bytesRead;
  }

  /** The exchange whose request body is still arriving. */
  #incomplete(): Exchange | undefined {
    for (const exchange of this.#exchanges) if (!exchange.request.complete) return exchange;
    return undefined;
  }

  get #peer(): string {
    return this.#socket.remoteAddress ?? 'unix';
  }

  /** @param fields with `begun` if the app has the request and also counts its response */
  #warn(code: RefusalCode, message: string, fields: object = {}): void {
    const { status } = errorResponseOf(code);
    this.#limits.log.warn({ code, status, peer: this.#peer, ...fields }, message);
  }
}

/** Tolerance in bytes when measuring a head or a body, for neighbouring data and for bytes in stream and system buffers. */
const slack = 256 * 1024;

const faults = new Map<string, RefusalCode>([
  ['HPE_HEADER_OVERFLOW', 'header-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
]);

const sendError = (response: ServerResponse, code: RefusalCode): void => {
  const { status, headers, body } = errorResponseOf(code);
  response.writeHead(status, headers).end(body);
};
