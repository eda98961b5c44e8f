/** One uwsgi connection: it reads the packet, gives node:http's request and response to the server, and ends well. */
import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { createPacketParser, type PacketParser } from './packet.ts';
import { UwsgiRequest } from './request.ts';
import { UwsgiResponse } from './response.ts';
import { type RequestHead, readHead } from './vars.ts';

/** What a connection needs of the server it belongs to. */
export type Host = {
  server: Server;
  limits: { bufferSize: number; limitPost: number; headerTimeout: number; bodyTimeout: number };
  log: { warn(fields: object, message: string): void };
  /** The connection is over, or no longer speaks uwsgi. */
  forget(connection: Connection): void;
};

/** Answers that the listener gives itself; the client reads the code and the sentence as JSON. */
const refusals = {
  'bad-request': { status: 400, message: 'The request could not be understood.' },
  'request-timeout': { status: 408, message: 'The request did not arrive in time.' },
  'body-too-large': { status: 413, message: 'The body is longer than this server accepts.' },
  'header-too-large': { status: 431, message: 'The headers are longer than this server accepts.' },
} as const;
type Refusal = keyof typeof refusals;

/**
 * `left`: bytes of body still to come. `extra`: more came than was announced. `answered`: the answer is written out.
 * `unread`: nobody has read the body, so what comes after the answer is thrown away.
 */
type Exchange = {
  at: 'request';
  request: UwsgiRequest;
  response: UwsgiResponse;
  left: number;
  extra: boolean;
  answered: boolean;
  unread: boolean;
};
type State =
  | { at: 'packet'; parser: PacketParser; started: boolean }
  | Exchange
  /** Everything is written; what still comes in, up to `budget` bytes, is thrown away. */
  | { at: 'closing'; budget: number; request: UwsgiRequest | undefined };

/** How long (ms), and for how many bytes, input is still read after the answer, so that no reset overtakes it. */
const lingerTime = 2000;
const lingerBytes = 4 * 1024 * 1024;

export class Connection {
  readonly socket: Socket;
  /** When we stop waiting for the peer: a performance.now(), infinite while we wait for the handler. The server looks at it. */
  deadline: number;
  readonly #host: Host;
  #state: State;

  constructor(socket: Socket, host: Host) {
    this.socket = socket;
    this.#host = host;
    this.#state = { at: 'packet', parser: createPacketParser(host.limits.bufferSize), started: false };
    this.deadline = performance.now() + host.limits.headerTimeout;
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    socket.on('end', this.#onEnd);
    socket.on('data', this.#onData);
  }

  /** No request has begun here yet. */
  get idle(): boolean {
    return this.#state.at === 'packet';
  }

  /** The deadline has passed. */
  expire(): void {
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
    const head = readHead(result.vars, this.#host.limits.limitPost);
    if (head.kind === 'head') {
      this.#begin(head, result.rest);
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
    const state: Exchange = { at: 'request', request, response, left, extra: false, answered: false, unread: false };
    this.#state = state;
    response.assignSocket(this.socket);
    response.on('finish', () => this.#onFinish(state));
    this.socket.on('drain', this.#onDrain);
    this.deadline = left > 0 ? performance.now() + limits.bodyTimeout : Number.POSITIVE_INFINITY;
    if (left === 0) request.endBody();
    if (rest.length > 0) this.#takeBody(state, rest);
    server.emit('request', request, response);
  }

  #handOver(request: UwsgiRequest, head: Buffer): void {
    const { socket } = this;
    request.endBody();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('close', this.#onClose);
    this.#host.forget(this);
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
    this.deadline = Number.POSITIVE_INFINITY;
    state.request.endBody();
    if (state.answered) this.#linger();
  }

  #awaitBody(state: Exchange, ready: boolean): void {
    if (!state.unread) this.#renew();
    if (ready) return;
    this.socket.pause();
    if (state.answered) return;
    // The peer does not stand still while we do not read: its time begins anew when the handler asks for more.
    this.deadline = Number.POSITIVE_INFINITY;
    this.socket.once('resume', this.#renew);
  }

  readonly #renew = (): void => {
    this.deadline = performance.now() + this.#host.limits.bodyTimeout;
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
    if (state.unread) this.deadline = performance.now() + lingerTime;
    else this.#renew();
  }

  #linger(request?: UwsgiRequest): void {
    this.#state = { at: 'closing', budget: lingerBytes, request };
    this.deadline = performance.now() + lingerTime;
    this.socket.end();
    this.socket.resume();
  }

  /** The request was begun and cannot be completed. */
  #fail({ request, response }: Exchange, code: Refusal, message: string): void {
    if (response.headersSent) {
      this.#warn(code, message);
      this.socket.destroy();
      return;
    }
    this.#detach(response);
    this.#refuse(code, message, {}, request);
  }

  /** The response lets go of the socket and tells its 'close'; a handler may still write to it, into nothing. */
  #detach(response: UwsgiResponse): void {
    if (response.socket) response.detachSocket(this.socket);
    response.destroy();
  }

  #refuse(code: Refusal, message: string, fields: object = {}, request?: UwsgiRequest): void {
    this.#warn(code, message, fields);
    // Destroying a request destroys its socket, so this waits until the answer is out.
    this.socket.write(refusalText(code), () => request?.abort());
    this.#linger(request);
  }

  #warn(code: Refusal, message: string, fields: object = {}): void {
    this.#host.log.warn({ code, peer: this.socket.remoteAddress ?? 'unix', ...fields }, message);
  }
}

/** A socket that fails is destroyed by Node and says so by 'close'; without a listener here it would end the process. */
const ignore = (): void => {};

const refusalText = (code: Refusal): string => {
  const { status, message } = refusals[code];
  const body = JSON.stringify({ code, message });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
};
