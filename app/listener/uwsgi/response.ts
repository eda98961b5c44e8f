/** The response to a uwsgi request: an http.ServerResponse that is never chunked and sends no 1xx responses. */
import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { takeNeedDrainFromSocket } from '../node-internals.ts';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * nginx reads a plain HTTP/1.1 response from a uwsgi upstream, but does not decode chunks and expects the final status
 * first. So the body ends by Content-Length if known when the headers are written, else when the connection closes.
 */
export class UwsgiResponse extends ServerResponse {
  constructor(request: IncomingMessage) {
    super(request);
    this.shouldKeepAlive = false;
    // ServerResponse would omit Content-Length for HTTP/1.0 requests (and 2.0, as it compares the minor version).
    // "Chunked by default" with Transfer-Encoding removed means: Content-Length if known, else close.
    this.useChunkedEncodingByDefault = true;
    this.removeHeader('transfer-encoding');
  }

  /** Detaches it from the socket and emits its 'close'; further writes of the handler are discarded. */
  abandon(): void {
    if (this.socket) this.detachSocket(this.socket);
    this.destroy();
    // Before Node 24, a response without a socket is destroyed without 'close'.
    process.nextTick(emitClose, this);
  }

  override writeHead(status: number, reason?: string, headers?: Headers): this;
  override writeHead(status: number, headers?: Headers): this;
  override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
    for (const name of framing) if (this.hasHeader(name)) this.removeHeader(name);
    if (typeof reason === 'string') return super.writeHead(status, reason, withoutFraming(headers));
    return super.writeHead(status, withoutFraming(headers ?? reason));
  }

  override writeContinue(callback?: () => void): void {
    if (callback) queueMicrotask(callback);
  }

  override writeProcessing(callback?: () => void): void {
    if (callback) queueMicrotask(callback);
  }

  override writeEarlyHints(_hints: unknown, callback?: () => void): void {
    if (callback) queueMicrotask(callback);
  }

  override writeInformation(_status: number, headers?: unknown, callback?: () => void): void {
    const done = typeof headers === 'function' ? headers : callback;
    if (done) queueMicrotask(() => done());
  }
}

takeNeedDrainFromSocket(UwsgiResponse.prototype);

const emitClose = (response: UwsgiResponse): void => {
  if (!response.closed) response.emit('close');
};

/** Headers that imply chunked encoding: the encoding itself, and trailers, which need chunks. */
const framing = ['transfer-encoding', 'trailer'];
const isFraming = (name: unknown): boolean => typeof name === 'string' && framing.includes(name.toLowerCase());

const withoutFraming = (headers: Headers | undefined): Headers | undefined => {
  if (headers === undefined) return undefined;
  if (Array.isArray(headers)) return withoutFramingPairs(headers);
  if (!Object.keys(headers).some(isFraming)) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isFraming(name)));
};

/** node:http accepts arrays in two shapes: name, value, name, value …, or one array per pair. */
const withoutFramingPairs = (headers: OutgoingHttpHeader[]): OutgoingHttpHeader[] => {
  if (Array.isArray(headers[0])) return headers.filter((pair) => !(Array.isArray(pair) && isFraming(pair[0])));
  return headers.filter((_, index) => !isFraming(headers[index - (index % 2)]));
};
