/** One uwsgi connection: reads the packet, emits a node:http request and response on the server, and closes gracefully. */
import type { Socket } from 'node:net';
import { abortError, errorResponseOf, errorResponseText, type RefusalCode } from '../error-response.ts';
import { countMemory, lingerTime, promptness, watchReader } from '../limits.ts';
import { stopFlowing } from '../node-internals.ts';
import { type Host, memoryOf, type State } from './connection-state.ts';
import { discard, type Exchange, keepAliveDelay, mayBeUnread, newExchange, peerOf } from './exchange.ts';
import { ping, pong, webRequest } from './modifiers.ts';
import { createPacketParser, type PacketParser } from './packet.ts';
import { type ReadPacket, readRequest, runInTurn } from './read-request.ts';
import { UwsgiRequest } from './request.ts';
import { UwsgiResponse } from './response.ts';
import type { RequestHead } from './vars.ts';

/** Bytes that are still read after the response. */
const lingerBytes = 4 * 1024 * 1024;

export class Connection {
  readonly socket: Socket;
  /** When to stop waiting for the peer (performance.now()); infinite while waiting for the handler. */
  #deadline: number;
  readonly #host: Host<Connection>;
  #state: State;

  constructor(socket: Socket, host: Host<Connection>) {
    this.socket = socket;
    this.#host = host;
    const parser = createPacketParser(host.options.bufferSize, [webRequest, ping]);
    this.#state = { state: 'packet', parser, started: false };
    this.#deadline = performance.now() + host.options.headerTimeout;
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    socket.on('end', this.#onEnd);
    socket.on('data', this.#onData);
  }

  /** No request yet, and none expected: a front end sends its packet right after connecting. */
  get idle(): boolean {
    const since = this.#deadline - this.#host.options.headerTimeout;
    return this.#state.state === 'packet' && performance.now() - since > promptness;
  }

  /** Enforces the timeouts; call this periodically. */
  check(now: number): void {
    const state = this.#state;
    if (this.#deadline <= now) this.#expire();
    else if (state.state === 'request' && !state.answered) this.#checkResponse(state, now);
  }

  /** Counts the memory of a request that is being answered, and of its response, until the peer has read it. */
  countMemory(): void {
    const memory = memoryOf(this.#state, this.socket);
    if (!memory) return;
    countMemory(this.#host.options.unsent, memory.network, memory.bytes, memory.isEnding, () => {
      this.#warn('rate-limited', 'uwsgi: too much that its client has sent or not read', { begun: true });
      discard(this.socket);
    });
  }

  #checkResponse(state: Exchange, now: number): void {
    const { options } = this.#host;
    if (state.due <= now && !state.response.headersSent) {
      const { method, url } = state.request;
      // Without the query, which may contain a token.
      const fields = { method, url: url?.split('?')[0] };
      this.#fail(state, 'harakiri', `uwsgi: no response after ${options.harakiri} ms`, fields);
    } else {
      const { idleTimeout } = options;
      state.writeTimerArmed = watchReader(this.socket, state.writeTimerArmed, idleTimeout, this.#onWriteTimeout);
    }
  }

  readonly #onWriteTimeout = (): void => {
    this.#host.options.log.warn({ peer: peerOf(this.socket) }, 'uwsgi: the peer does not read its response');
    this.socket.destroy();
  };

  #expire(): void {
    const state = this.#state;
    if (state.state === 'packet') {
      this.#refuse('request-timeout', 'uwsgi: the packet was not complete in time');
    } else if (state.state === 'request' && !state.answered) {
      this.#fail(state, 'request-timeout', 'uwsgi: the body stalled');
    } else {
      this.socket.destroy();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    const state = this.#state;
    switch (state.state) {
      case 'packet':
        state.started = true;
        this.#readPacket(state.parser, chunk);
        break;
      case 'request':
        this.#readBody(state, chunk);
        break;
      case 'closing':
        state.budget -= chunk.length;
        // Destroying the socket now would send the reset that lingering avoids. The deadline destroys it later.
        if (state.budget < 0) this.socket.pause();
        break;
    }
  };

  readonly #onEnd = (): void => {
    const state = this.#state;
    if (state.state === 'packet' && state.started) {
      this.#refuse('bad-request', 'uwsgi: the peer disconnected within the packet');
    } else if (state.state === 'request' && state.left > 0 && !state.answered) {
      this.#fail(state, 'bad-request', 'uwsgi: the peer disconnected before the whole body arrived');
    } else if (state.state === 'packet' || (state.state === 'request' && !state.response.writableEnded)) {
      // nginx closes when its client has disconnected, so no response is needed. One that has ended is still flushed.
      this.socket.destroy();
    }
  };

  readonly #onClose = (): void => {
    this.#host.forget(this);
    // A closed socket survives the next garbage collections and retains whatever it refers to. 'close' is its last event.
    this.socket.removeAllListeners();
    this.socket.on('error', ignore);
    const state = this.#state;
    if (state.state === 'request' && (state.left > 0 || !state.response.writableFinished))
      state.request.abort(abortError(state.response));
    // It was refused.
    if (state.state === 'closing') state.request?.abort(undefined);
  };

  readonly #onDrain = (): void => {
    if (this.#state.state === 'request' && !this.#state.response.writableEnded) this.#state.response.emit('drain');
  };

  #readPacket(parser: PacketParser, chunk: Buffer): void {
    const packet = parser(chunk);
    if (packet.kind === 'more') return;
    this.#state = { state: 'deferred' };
    this.#deadline = Number.POSITIVE_INFINITY;
    let isDeferred = true;
    const serve = () => {
      isDeferred = false;
      this.#serve(packet);
    };
    if (packet.kind === 'fault' || packet.modifier1 === ping) serve();
    else if (!runInTurn(this.#host.options.turns, packet, serve))
      this.#refuse('rate-limited', 'uwsgi: too many requests of this network wait');
    else if (isDeferred) this.socket.pause();
  }

  #serve(packet: ReadPacket): void {
    if (this.socket.destroyed) return;
    const outcome = readRequest(packet, this.#host.options);
    if (this.socket.isPaused()) this.socket.resume();
    if (outcome.kind === 'refusal') this.#refuse(outcome.code, outcome.message, outcome.fields);
    else if (outcome.kind === 'request') this.#begin(outcome.head, outcome.rest);
    else {
      this.socket.write(pong);
      this.#linger();
    }
    if (this.socket.readableEnded) this.#onEnd();
  }

  #begin(head: RequestHead, rest: Buffer): void {
    const request = new UwsgiRequest(this.socket, head);
    const { server, options } = this.#host;
    if (head.upgrade && server.listenerCount('upgrade') > 0) {
      this.#handOver(request, rest);
      return;
    }
    const response = new UwsgiResponse(request);
    const state = newExchange(request, response, head, options.harakiri);
    const { left } = state;
    this.#state = state;
    response.assignSocket(this.socket);
    response.on('finish', () => this.#onFinish(state));
    this.socket.on('drain', this.#onDrain);
    this.#deadline = left > 0 ? performance.now() + options.bodyTimeout : Number.POSITIVE_INFINITY;
    if (left === 0) request.endBody();
    if (rest.length > 0) this.#readBody(state, rest);
    server.emit('request', request, response);
  }

  #handOver(request: UwsgiRequest, head: Buffer): void {
    const { socket } = this;
    request.endBody();
    // A response other than 101 is created by the 'upgrade' listener as a ServerResponse. HTTP/1.0 keeps it from using chunks.
    request.httpVersionMinor = 0;
    socket.setKeepAlive(true, keepAliveDelay);
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('close', this.#onClose);
    this.#host.handOver(this);
    // No byte is lost before the new owner adds its 'data' listener.
    stopFlowing(socket);
    this.#host.server.emit('upgrade', request, socket, head);
  }

  #readBody(state: Exchange, chunk: Buffer): void {
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
    if (!state.unread) this.#extendDeadline();
    if (ready) return;
    this.socket.pause();
    if (state.answered) return;
    // While we do not read, the peer is not stalled: its timeout restarts when the handler reads on.
    this.#deadline = Number.POSITIVE_INFINITY;
    this.socket.once('resume', this.#extendDeadline);
  }

  readonly #extendDeadline = (): void => {
    this.#deadline = performance.now() + this.#host.options.bodyTimeout;
  };

  /** The response has been handed to the kernel. */
  #onFinish(state: Exchange): void {
    state.answered = true;
    // Deferred: destroying a socket in the callback of its last write creates an error with a stack, expensive per request.
    queueMicrotask(() => this.#afterResponse(state));
  }

  #afterResponse(state: Exchange): void {
    const { request, response } = state;
    const complete = state.left === 0;
    response.abandon();
    // As in node:http, 'end' and 'close' listeners are served; usually there are none, and ending a stream is expensive.
    state.unread = request.untouched;
    if (state.unread && (!complete || request.awaited)) request.resume();
    if (!complete) this.#drainBody(state);
    else if (state.extra) this.#linger();
    else if (mayBeUnread(response, this.socket)) this.#awaitReader(state);
    else this.socket.destroy();
  }

  #awaitReader({ network }: Exchange): void {
    this.#state = { state: 'unread', network };
    this.#deadline = performance.now() + this.#host.options.idleTimeout;
    this.socket.end().resume();
  }

  /** Answered before the body was complete: a handler that is reading it may continue, else it is read and discarded. */
  #drainBody(state: Exchange): void {
    this.socket.end();
    if (state.unread) this.#deadline = performance.now() + lingerTime;
    else this.#extendDeadline();
  }

  #linger(request?: UwsgiRequest): void {
    this.#state = { state: 'closing', budget: lingerBytes, request };
    this.#deadline = performance.now() + lingerTime;
    this.socket.end();
    this.socket.resume();
  }

  /** Ends a request that the app has received but that cannot be completed. */
  #fail({ request, response }: Exchange, code: RefusalCode, message: string, fields: object = {}): void {
    // `begun`: the app has the request and counts it itself, as aborted by the client.
    if (response.headersSent) {
      this.#warn(code, message, { begun: true, ...fields });
      this.socket.destroy();
      return;
    }
    // The app counts and logs the status that the client receives.
    response.statusCode = errorResponseOf(code).status;
    response.abandon();
    this.#refuse(code, message, { begun: true, ...fields }, request);
  }

  #refuse(code: RefusalCode, message: string, fields: object = {}, request?: UwsgiRequest): void {
    this.#warn(code, message, fields);
    this.socket.write(errorResponseText(code, request?.method));
    // The request is aborted only when the connection closes: destroying it would destroy the socket and the unsent response.
    this.#linger(request);
  }

  #warn(code: RefusalCode, message: string, fields: object): void {
    this.#host.options.log.warn(
      { code, status: errorResponseOf(code).status, peer: peerOf(this.socket), ...fields },
      message,
    );
  }
}

/** Without an 'error' listener the process would crash; 'close' follows. */
const ignore = (): void => {};
