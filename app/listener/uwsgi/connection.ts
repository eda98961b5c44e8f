/** One uwsgi connection: it reads the packet, gives node:http's request and response to the server, and ends well. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { errorResponseOf, errorResponseText, type ListenerLog, type RefusalCode } from '../error-response.ts';
import { promptness, watchReader } from '../write-timeout.ts';
import { type Exchange, newExchange, type UwsgiLimits } from './exchange.ts';
import { ping, pong, webRequest } from './modifiers.ts';
import { createPacketParser, type PacketParser } from './packet.ts';
import { UwsgiRequest } from './request.ts';
import { UwsgiResponse } from './response.ts';
import { type RequestHead, readHead } from './vars.ts';

/** What a connection needs of the server it belongs to. */
export type Host = {
  server: Server;
  limits: UwsgiLimits;
  answersFor: (host: string | undefined, client: string) => boolean;
  isBarred: (client: string) => boolean;
  log: ListenerLog;
  /** The connection is over. */
  forget(connection: Connection): void;
  /** The connection no longer speaks uwsgi; its socket goes to those who listen for 'upgrade'. */
  handOver(connection: Connection): void;
};

type State =
  | { at: 'packet'; parser: PacketParser; started: boolean }
  | Exchange
  /** Everything is written; what still comes in, up to `budget` bytes, is thrown away. */
  | { at: 'closing'; budget: number; request: UwsgiRequest | undefined };

const served = [webRequest, ping];

/** ms without a byte until the system asks whether the peer of a WebSocket is still there. */
const keepAliveDelay = 60_000;

/** How long (ms), and for how many bytes, input is still read after the answer, so that no reset overtakes it. */
const lingerTime = 2000;
const lingerBytes = 4 * 1024 * 1024;

export class Connection {
  readonly socket: Socket;
  /** When we stop waiting for the peer: a performance.now(), infinite while we wait for the handler. */
  #deadline: number;
  readonly #host: Host;
  #state: State;

  constructor(socket: Socket, host: Host) {
    this.socket = socket;
    this.#host = host;
    this.#state = { at: 'packet', parser: createPacketParser(host.limits.bufferSize, served), started: false };
    this.#deadline = performance.now() + host.limits.headerTimeout;
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    socket.on('end', this.#onEnd);
    socket.on('data', this.#onData);
  }

  /** No request has come here, and after this time none is to be expected: a front end sends its packet at once. */
  get idle(): boolean {
    const since = this.#deadline - this.#host.limits.headerTimeout;
    return this.#state.at === 'packet' && performance.now() - since > promptness;
  }

  /** Ends what has lasted too long; to be called now and then. */
  check(now: number): void {
    const state = this.#state;
    if (this.#deadline <= now) this.#expire();
    else if (state.at === 'request' && !state.answered) this.#checkAnswer(state, now);
  }

  #checkAnswer(state: Exchange, now: number): void {
    const { limits } = this.#host;
    if (state.due <= now && !state.response.headersSent) {
      const { method, url } = state.request;
      // Without the query, where a token may stand.
      const fields = { method, url: url?.split('?')[0] };
      this.#fail(state, 'harakiri', `uwsgi: no answer after ${limits.harakiri} ms`, fields);
    } else {
      state.watched = watchReader(this.socket, state.watched, limits.idleTimeout, this.#onStuck);
    }
  }

  readonly #onStuck = (): void => {
    this.#host.log.warn({ peer: peerOf(this.socket) }, 'uwsgi: the peer does not read its answer');
    this.socket.destroy();
  };

  #expire(): void {
    const state = this.#state;
    if (state.at === 'packet') {
      this.#refuse('request-timeout', 'uwsgi: the packet was not complete in time');
    } else if (state.at === 'request' && !state.answered) {
      this.#fail(state, 'request-timeout', 'uwsgi: the body stood still');
    } else {
      this.socket.destroy();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    const state = this.#state;
    switch (state.at) {
      case 'packet':
        state.started = true;
        this.#readPacket(state.parser, chunk);
        break;
      case 'request':
        this.#takeBody(state, chunk);
        break;
      case 'closing':
        state.budget -= chunk.length;
        // Not destroyed: that would send the reset that lingering is there to avoid. The deadline does it.
        if (state.budget < 0) this.socket.pause();
        break;
    }
  };

  readonly #onEnd = (): void => {
    const state = this.#state;
    if (state.at === 'packet' && state.started) {
      this.#refuse('bad-request', 'uwsgi: the peer closed within the packet');
    } else if (state.at === 'request' && state.left > 0 && !state.answered) {
      this.#fail(state, 'bad-request', 'uwsgi: the peer closed before the whole body had come');
    } else if (state.at === 'packet' || (state.at === 'request' && !state.response.writableEnded)) {
      // nginx closes when its client has gone; there is nobody to answer. (An answer already ended is still flushed.)
      this.socket.destroy();
    }
  };

  readonly #onClose = (): void => {
    this.#host.forget(this);
    // A closed socket survives the next scavenges, and with it whatever it still refers to. 'close' is its last event.
    this.socket.removeAllListeners();
    this.socket.on('error', ignore);
    const state = this.#state;
    if (state.at === 'request' && (state.left > 0 || !state.response.writableFinished)) state.request.abort();
    if (state.at === 'closing') state.request?.abort();
  };

  readonly #onDrain = (): void => {
    if (this.#state.at === 'request' && !this.#state.response.writableEnded) this.#state.response.emit('drain');
  };

  #readPacket(parser: PacketParser, chunk: Buffer): void {
    const result = parser(chunk);
    if (result.kind === 'more') return;
    if (result.kind === 'fault') {
      const code = result.fault === 'block-too-large' ? 'header-too-large' : 'bad-request';
      this.#refuse(code, `uwsgi: ${result.message}`, { fault: result.fault });
      return;
    }
    if (result.modifier1 === ping) {
      this.socket.write(pong);
      this.#linger();
      return;
    }
    const head = readHead(result.vars, this.#host.limits.limitPost);
    if (head.kind === 'head') {
      if (this.#host.isBarred(head.remoteAddress))
        this.#refuse('rate-limited', 'uwsgi: too many requests of this client were refused');
      else if (this.#host.answersFor(head.host, head.remoteAddress)) this.#begin(head, result.rest);
      else this.#refuse('unknown-host', 'uwsgi: a host that is not served', { host: head.host });
    } else {
      const code = head.status === 413 ? 'body-too-large' : 'bad-request';
      this.#refuse(code, `uwsgi: ${head.variable}: ${head.reason}`, { variable: head.variable });
    }
  }

  #begin(head: RequestHead, rest: Buffer): void {
    const request = new UwsgiRequest(this.socket, head);
    const { server, limits } = this.#host;
    if (head.upgrade && server.listenerCount('upgrade') > 0) {
      this.#handOver(request, rest);
      return;
    }
    const response = new UwsgiResponse(request);
    const left = head.contentLength;
    const state = newExchange(request, response, left, limits.harakiri);
    this.#state = state;
    response.assignSocket(this.socket);
    response.on('finish', () => this.#onFinish(state));
    this.socket.on('drain', this.#onDrain);
    this.#deadline = left > 0 ? performance.now() + limits.bodyTimeout : Number.POSITIVE_INFINITY;
    if (left === 0) request.endBody();
    if (rest.length > 0) this.#takeBody(state, rest);
    server.emit('request', request, response);
  }

  #handOver(request: UwsgiRequest, head: Buffer): void {
    const { socket } = this;
    request.endBody();
    // An answer other than 101 is a ServerResponse of whoever makes it. That one looks here whether it may chunk, and it must not.
    request.httpVersionMinor = 0;
    socket.setKeepAlive(true, keepAliveDelay);
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('close', this.#onClose);
    this.#host.handOver(this);
    // As node:http does: neither flowing nor paused, so that the new owner's 'data' listener starts it and no byte is
    // lost before. Assigned in this way because the types take the property for read-only.
    Object.assign(socket, { readableFlowing: null });
    this.#host.server.emit('upgrade', request, socket, head);
  }

  #takeBody(state: Exchange, chunk: Buffer): void {
    if (chunk.length > state.left) state.extra = true;
    if (state.left === 0) return;
    const body = chunk.length > state.left ? chunk.subarray(0, state.left) : chunk;
    state.left -= body.length;
    const ready = state.request.destroyed || state.request.push(body);
    if (state.left === 0) this.#endBody(state);
    else this.#awaitBody(state, ready);
  }

  #endBody(state: Exchange): void {
    this.#deadline = Number.POSITIVE_INFINITY;
    state.request.endBody();
    if (state.answered) this.#linger();
  }

  #awaitBody(state: Exchange, ready: boolean): void {
    if (!state.unread) this.#renew();
    if (ready) return;
    this.socket.pause();
    if (state.answered) return;
    // The peer does not stand still while we do not read: its time begins anew when the handler asks for more.
    this.#deadline = Number.POSITIVE_INFINITY;
    this.socket.once('resume', this.#renew);
  }

  readonly #renew = (): void => {
    this.#deadline = performance.now() + this.#host.limits.bodyTimeout;
  };

  /** The answer has been handed to the kernel. */
  #onFinish(state: Exchange): void {
    state.answered = true;
    // Not at once: a socket destroyed by the callback of its last write makes an error with a stack, dear for every request.
    queueMicrotask(() => this.#afterAnswer(state));
  }

  #afterAnswer(state: Exchange): void {
    const { request, response } = state;
    const whole = state.left === 0;
    this.#detach(response);
    // Whoever waits for the request's end gets it, as from node:http; mostly nobody does, and a stream's end is dear.
    state.unread = request.untouched;
    if (state.unread && (!whole || request.awaited)) request.resume();
    if (!whole) this.#readOn(state);
    else if (state.extra) this.#linger();
    else this.socket.destroy();
  }

  /** Answered before the whole body was read: a handler that is reading it may go on, else it is read and thrown away. */
  #readOn(state: Exchange): void {
    this.socket.end();
    if (state.unread) this.#deadline = performance.now() + lingerTime;
    else this.#renew();
  }

  #linger(request?: UwsgiRequest): void {
    this.#state = { at: 'closing', budget: lingerBytes, request };
    this.#deadline = performance.now() + lingerTime;
    this.socket.end();
    this.socket.resume();
  }

  /** The request was begun and cannot be completed. */
  #fail({ request, response }: Exchange, code: RefusalCode, message: string, fields: object = {}): void {
    // `begun`: the app has the request and counts it by itself, as one whose client has gone.
    if (response.headersSent) {
      this.#warn(code, message, { begun: true, ...fields });
      this.socket.destroy();
      return;
    }
    // What the app counts and logs is what the client is told.
    response.statusCode = errorResponseOf(code).status;
    this.#detach(response);
    this.#refuse(code, message, { begun: true, ...fields }, request);
  }

  /** The response lets go of the socket and tells its 'close'; a handler may still write to it, into nothing. */
  #detach(response: UwsgiResponse): void {
    if (response.socket) response.detachSocket(this.socket);
    response.destroy();
    // Before Node 24 a response without a socket is destroyed in silence.
    process.nextTick(tellClose, response);
  }

  #refuse(code: RefusalCode, message: string, fields: object = {}, request?: UwsgiRequest): void {
    this.#warn(code, message, fields);
    this.socket.write(errorResponseText(code, request?.method));
    // The request is told at the connection's end: destroying it destroys its socket, and with it an answer on its way.
    this.#linger(request);
  }

  #warn(code: RefusalCode, message: string, fields: object): void {
    this.#host.log.warn({ code, status: errorResponseOf(code).status, peer: peerOf(this.socket), ...fields }, message);
  }
}

const tellClose = (response: UwsgiResponse): void => {
  if (!response.closed) response.emit('close');
};

const peerOf = (socket: Socket): string => socket.remoteAddress ?? 'unix';

/** A socket that fails is destroyed by Node and says so by 'close'; without a listener here it would end the process. */
const ignore = (): void => {};
