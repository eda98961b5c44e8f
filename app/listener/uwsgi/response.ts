/** The answer to a uwsgi request: an http.ServerResponse that is never chunked and never speaks before its final status. */
import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/**
 * nginx reads a plain HTTP/1.1 answer from a uwsgi upstream, but takes no chunks apart and expects the final status at
 * once. So the end of the body is a Content-Length if it is known when the headers are written, else the connection's.
 */
export class UwsgiResponse extends ServerResponse {
  constructor(request: IncomingMessage) {
    super(request);
    this.shouldKeepAlive = false;
    // ServerResponse looks at the request's version and would leave Content-Length out for HTTP/1.0 (and 2.0, as it
    // compares the minor number); "chunked by default" with Transfer-Encoding removed is length if known, else close.
    this.useChunkedEncodingByDefault = true;
    this.removeHeader('transfer-encoding');
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

// The base class clears its own flag in a place only node:http's connection listener reaches; the socket knows better.
// Not an accessor in the class, because the types declare a property.
Object.defineProperty(UwsgiResponse.prototype, 'writableNeedDrain', {
  configurable: true,
  get(this: UwsgiResponse): boolean {
    return !this.writableEnded && this.socket?.writableNeedDrain === true;
  },
});

/** What an application may set that promises chunks: the encoding, and the trailers that only chunks can carry. */
const framing = ['transfer-encoding', 'trailer'];
const isFraming = (name: unknown): boolean => typeof name === 'string' && framing.includes(name.toLowerCase());

const withoutFraming = (headers: Headers | undefined): Headers | undefined => {
  if (headers === undefined) return undefined;
  if (Array.isArray(headers)) return withoutFramingPairs(headers);
  if (!Object.keys(headers).some(isFraming)) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isFraming(name)));
};

/** node:http takes arrays in two shapes: name, value, name, value …, or one array for each pair. */
const withoutFramingPairs = (headers: OutgoingHttpHeader[]): OutgoingHttpHeader[] => {
  if (Array.isArray(headers[0])) return headers.filter((pair) => !(Array.isArray(pair) && isFraming(pair[0])));
  return headers.filter((_, at) => !isFraming(headers[at - (at % 2)]));
};
