/** One HTTP connection as the guard sees it: the requests under way, their clocks, and how it ends. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { errorResponseOf, errorResponseText, type ListenerLog, type RefusalCode } from '../error-response.ts';
import { promptness, watchReader } from '../write-timeout.ts';

export type HttpLimits = {
  bufferSize: number;
  limitPost: number;
  bodyTimeout: number;
  idleTimeout: number;
  harakiri: number;
  log: ListenerLog;
};

/** `due`: when the answer must have begun, a performance.now(). `began`: bytes the connection had read at its head's end. */
type Exchange = { request: IncomingMessage; response: ServerResponse; due: number; began: number };

/** `faulty`: nothing more can be read. `closing`: everything is written; what still comes in is thrown away until then. */
type State = { at: 'open' } | { at: 'faulty' } | { at: 'closing'; until: number };

/** How long (ms) input is still read after the last answer, so that no reset overtakes it. */
const lingerTime = 2000;

export class HttpConnection {
  readonly #since = performance.now();
  readonly #socket: Socket;
  readonly #limits: HttpLimits;
  readonly #forget: () => void;
  /** In the order in which they came; only the last one's body can still be on its way. */
  readonly #exchanges = new Set<Exchange>();
  #state: State = { at: 'open' };
  /** Bytes that had been read when the last answer was done; -1 before the first. */
  #restedAt = -1;
  /** When the body will have stood still for too long, and the count of bytes read when it last moved. */
  #bodyDue = 0;
  #read = -1;
  #watched = false;

  /** @param forget called when the connection is gone */
  constructor(socket: Socket, limits: HttpLimits, forget: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#forget = forget;
    socket.on('close', this.#onClose);
    const destroySoon = socket.destroySoon.bind(socket);
    // node:http calls this after the last answer. If a body is still coming, closing would send a reset, and that would
    // reach the peer before the answer is read.
    socket.destroySoon = () => {
      if (this.#unread()) this.#linger();
      else destroySoon();
    };
  }

  /** The connection is a WebSocket's from now on: nothing of this is kept for as long as that lives. */
  release(): void {
    this.#forget();
    this.#socket.removeListener('close', this.#onClose);
    this.#socket.destroySoon = Socket.prototype.destroySoon;
  }

  /** Opened ahead of need, as browsers do; node:http counts it among the busy ones. */
  get unused(): boolean {
    return this.#socket.bytesRead === 0 && performance.now() - this.#since > promptness;
  }

  /** Between two requests: nothing has come since the last answer. */
  get resting(): boolean {
    return this.#exchanges.size === 0 && this.#restedAt === this.#socket.bytesRead;
  }

  /** An answer is still due, or being written. */
  get answering(): boolean {
    for (const { response } of this.#exchanges) if (!response.writableFinished) return true;
    return false;
  }

  /** A request's head has come. @returns whether it is to be answered */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#state.at !== 'open') return false;
    const { harakiri } = this.#limits;
    const due = harakiri > 0 ? performance.now() + harakiri : Number.POSITIVE_INFINITY;
    const exchange = { request, response, due, began: this.#socket.bytesRead };
    this.#exchanges.add(exchange);
    this.#read = -1;
    response.once('close', () => this.#end(exchange));
    return true;
  }

  /** node:http cannot go on reading, for a reason with this code. */
  fault(reason: string): void {
    const known = reason.startsWith('HPE_') || reason === 'ERR_HTTP_REQUEST_TIMEOUT';
    // After a fault the parser finds the next one in whatever comes.
    if (known && this.#state.at !== 'open') return;
    if (!known || !this.#socket.writable) {
      this.#socket.destroy();
      return;
    }
    this.#state = { at: 'faulty' };
    const code = faults.get(reason) ?? 'bad-request';
    this.#tell(code, `http: ${reason}`, this.#unread() ? { begun: true } : {});
    this.#answerFault(code);
  }

  /** The connection is gone. node:http forgets a request that was answered before its body had come; its reader must not wait. */
  readonly #onClose = (): void => {
    this.#forget();
    for (const { request } of this.#exchanges)
      if (!request.complete && !request.destroyed)
        request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  };

  /** Ends what has lasted too long; to be called now and then. */
  check(now: number): void {
    if (this.#state.at === 'closing' && this.#state.until <= now) {
      this.#socket.destroy();
      return;
    }
    for (const exchange of this.#exchanges) {
      if (exchange.due <= now && !exchange.response.headersSent) this.#harakiri(exchange);
      if (exchange.response.closed && exchange.request.complete) this.#rest(exchange);
    }
    this.#checkHead();
    this.#checkBody(now);
    this.#checkReader();
  }

  /** Spaces before a value are counted by nobody else: they come without end, and without a head. */
  #checkHead(): void {
    if (this.#exchanges.size > 0 || this.#state.at !== 'open') return;
    const read = this.#socket.bytesRead - Math.max(this.#restedAt, 0);
    if (read > this.#limits.bufferSize + slack) this.fault('HPE_HEADER_OVERFLOW');
  }

  #harakiri({ request, response }: Exchange): void {
    const { method, url } = request;
    // Without the query, where a token may stand.
    const fields = { begun: true, method, url: url?.split('?')[0] };
    this.#tell('harakiri', `http: no answer after ${this.#limits.harakiri} ms`, fields);
    answer(response, 'harakiri');
  }

  #checkBody(now: number): void {
    const exchange = this.#unread();
    if (!exchange || this.#state.at !== 'open') return;
    const { request, response, began } = exchange;
    const { bytesRead } = this.#socket;
    const { limitPost, bodyTimeout } = this.#limits;
    // Nobody reads it, so nobody counts it. Chunks have a size that is no body, hence the doubling.
    if (bytesRead - began > 2 * limitPost + slack) {
      this.#stop(exchange, 'body-too-large', 'http: a body without end');
      return;
    }
    // The peer does not stand still while it is not read; after the answer all of the rest has that time.
    const held = request.readableLength >= request.readableHighWaterMark;
    if (this.#read < 0 || (!response.writableFinished && (held || bytesRead !== this.#read))) {
      this.#bodyDue = now + bodyTimeout;
      this.#read = bytesRead;
    } else if (this.#bodyDue <= now) {
      this.#stop(exchange, 'request-timeout', 'http: the body stood still');
    }
  }

  #checkReader(): void {
    const answers = this.#exchanges.size > 0;
    if (answers || !this.#watched) {
      if (answers) this.#watched = watchReader(this.#socket, this.#watched, this.#limits.idleTimeout, this.#onStuck);
      return;
    }
    // By now the timer is node:http's own, for the next request.
    this.#socket.removeListener('timeout', this.#onStuck);
    this.#watched = false;
  }

  readonly #onStuck = (): void => {
    this.#limits.log.warn({ peer: this.#peer }, 'http: the peer does not read its answer');
    this.#socket.destroy();
  };

  /** The request cannot be completed; if its answer has begun, all that is left is to cut it. */
  #stop({ response }: Exchange, code: RefusalCode, message: string): void {
    this.#tell(code, message, { begun: true });
    if (response.headersSent) this.#socket.destroy();
    else answer(response, code);
  }

  /** Answers that are still to come for earlier requests go first. */
  #answerFault(code: RefusalCode): void {
    const last = [...this.#exchanges].at(-1);
    if (last && !last.request.complete) {
      if (last.response.headersSent) this.#socket.destroy();
      else answer(last.response, code);
    } else if (last && !last.response.writableFinished) {
      last.response.once('finish', () => this.#write(code));
    } else this.#write(code);
  }

  #write(code: RefusalCode): void {
    this.#socket.write(errorResponseText(code));
    this.#linger();
  }

  #linger(): void {
    this.#state = { at: 'closing', until: performance.now() + lingerTime };
    this.#socket.end();
  }

  /** The answer is over; the exchange is, when its body is too. */
  #end(exchange: Exchange): void {
    if (exchange.request.complete) this.#rest(exchange);
    else exchange.request.once('end', () => this.#rest(exchange));
  }

  #rest(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    this.#restedAt = this.#socket.bytesRead;
  }

  /** The exchange whose body is still coming. */
  #unread(): Exchange | undefined {
    for (const exchange of this.#exchanges) if (!exchange.request.complete) return exchange;
    return undefined;
  }

  get #peer(): string {
    return this.#socket.remoteAddress ?? 'unix';
  }

  /** `begun` among the fields: the app has the request, and counts its answer too. */
  #tell(code: RefusalCode, message: string, fields: object = {}): void {
    const { status } = errorResponseOf(code);
    this.#limits.log.warn({ code, status, peer: this.#peer, ...fields }, message);
  }
}

/** Bytes that may have been read beyond a head or a body: of the other, and what a stream and the system hold. */
const slack = 256 * 1024;

const faults = new Map<string, RefusalCode>([
  ['HPE_HEADER_OVERFLOW', 'header-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
]);

const answer = (response: ServerResponse, code: RefusalCode): void => {
  const { status, headers, body } = errorResponseOf(code);
  response.writeHead(status, headers).end(body);
};
