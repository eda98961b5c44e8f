/**
 * What the server uses of Node beyond its documented API, and nowhere else: undocumented functions and properties, and documented ones
 * that node:http is only observed to use. `checkNodeInternals` runs at start, so that a version of Node without one of them is refused
 * there, by name. `test/listener/internals.ts` checks the behaviour of each, on any version of Node.
 */
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import * as net from 'node:net';

/** Handles of unix sockets have no `getsockname`. */
export type SocketHandle = { fd: number; close(): void; getsockname?(out: unknown): number };

/**
 * Binds without listening, by `net._createServerHandle`. `server.listen()` does both at once, and the supervisor would then accept
 * connections. node:cluster uses it for the same purpose (lib/internal/cluster/shared_handle.js).
 * @param port of a TCP address; -1 for the path of a unix socket
 * @param family 4 or 6; -1 for the path of a unix socket
 * @returns the handle, or a negative libuv error number
 */
export const bindWithoutListening = (
  address: string | undefined,
  port: number,
  family: number,
): SocketHandle | number => {
  const create: unknown = Reflect.get(net, '_createServerHandle');
  const handle: unknown = typeof create === 'function' ? create(address, port, family) : undefined;
  if (typeof handle === 'number' || isHandle(handle)) return handle;
  throw new Error('net._createServerHandle returned no handle');
};

const isHandle = (value: unknown): value is SocketHandle =>
  typeof value === 'object' &&
  value !== null &&
  'fd' in value &&
  typeof value.fd === 'number' &&
  'close' in value &&
  typeof value.close === 'function';

/**
 * The handle of a listening server, `_handle`, to send to a child process, which sends duplicates back: Node has no dup(2). A child that
 * received the server itself, as documented, would accept connections.
 * @throws if the server does not listen
 */
export const listeningHandle = (server: net.Server): object => {
  const handle: unknown = Reflect.get(server, '_handle');
  if (typeof handle !== 'object' || handle === null) throw new Error('the server does not listen');
  return handle;
};

/**
 * Sets the headers of a request that node:http did not parse, by `IncomingMessage._addHeaderLines`, which its parser calls. `headers` is
 * then computed on demand, with the rules of node:http for repeated headers; setting `headers` and `rawHeaders` instead would duplicate
 * those rules, and would compute them for every request.
 */
export const addRawHeaders = (request: IncomingMessage, rawHeaders: string[]): void => {
  (request as HeaderTarget)._addHeaderLines(rawHeaders, rawHeaders.length);
};
type HeaderTarget = IncomingMessage & { _addHeaderLines(rawHeaders: string[], count: number): void };

/**
 * Makes a flowing socket neither flowing nor paused, so that the next 'data' listener starts it. node:http does this before 'upgrade'.
 * After `pause()`, which is public, a listener that relies on that (ws) would never receive anything. `readableFlowing` is documented
 * as read-only.
 */
export const stopFlowing = (socket: net.Socket): void => {
  Object.assign(socket, { readableFlowing: null });
};

/**
 * Calls `onLastResponse` when node:http has written the last response of a connection. It then calls `socket.destroySoon()`, and offers
 * no event or option to keep the socket open.
 * @param onLastResponse receives the original function
 * @returns a function that undoes it
 */
export const interceptLastResponse = (socket: net.Socket, onLastResponse: (destroySoon: () => void) => void): void => {
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = () => onLastResponse(destroySoon);
};
export const releaseLastResponse = (socket: net.Socket): void => {
  socket.destroySoon = net.Socket.prototype.destroySoon;
};

/**
 * Takes the input of a connection from node:http, right after its 'connection' listener has run. It would parse everything that has
 * arrived at once, and has no option to parse one request at a time. A 'data' listener makes it stop reading from the handle itself.
 * Its own listeners must not be called once the connection was destroyed or upgraded, because it uses the parser for others then.
 * @returns the listeners of node:http: `parse` parses bytes, `end` ends its side of the connection
 */
export const interceptInput = (
  socket: net.Socket,
  onData: (bytes: Buffer) => void,
  onEnd: () => void,
): { parse(bytes: Buffer): void; end(): void } => {
  const [parse, end] = [lastListener(socket, 'data'), lastListener(socket, 'end')];
  socket.removeListener('data', parse).removeListener('end', end);
  socket.on('data', onData).on('end', onEnd);
  return { parse, end };
};

const lastListener = (socket: net.Socket, event: 'data' | 'end'): ((...args: unknown[]) => void) => {
  const listener = socket.listeners(event).at(-1);
  if (!listener) throw new Error(`node:http has no '${event}' listener`);
  return listener as (...args: unknown[]) => void;
};

/**
 * Joins the chunks of a chunked body that were parsed at once: node:http calls `request.push` for each, and a chunk of one byte takes a
 * hundred times its memory while nobody reads it.
 * @param onChunks called with the number of chunks
 * @returns passes on the joined chunks; false if the reader has enough for now
 */
export const joinChunks = (request: IncomingMessage): (() => { chunks: number; wantsMore: boolean }) => {
  const push = request.push.bind(request);
  let parts: Buffer[] = [];
  const flush = () => {
    const joined = parts;
    parts = [];
    const wantsMore = joined.length === 0 || request.destroyed || push(Buffer.concat(joined));
    return { chunks: joined.length, wantsMore };
  };
  request.push = (part: Buffer | null) => {
    if (part === null) {
      flush();
      return push(null);
    }
    parts.push(part);
    return true;
  };
  return flush;
};

/**
 * Replaces the 'connection' listener of node:http, which would parse HTTP. Only an http.Server gives its requests to Fastify and its
 * upgrades to ws, and it has no option to leave the connections to others.
 */
export const replaceConnectionListener = (server: Server, onConnection: (socket: net.Socket) => void): void => {
  server.removeAllListeners('connection');
  server.on('connection', onConnection);
};

/**
 * Makes `writableNeedDrain` of the responses with this prototype that of their socket. The own flag of ServerResponse is cleared only by the connection
 * listener of node:http. Defined on the prototype, because the types declare a property, which a class accessor cannot override.
 */
export const takeNeedDrainFromSocket = (prototype: object): void => {
  Object.defineProperty(prototype, 'writableNeedDrain', {
    configurable: true,
    get(this: ServerResponse): boolean {
      return !this.writableEnded && this.socket?.writableNeedDrain === true;
    },
  });
};

/**
 * Each name, and whether this Node has it. Those without a function above are used by subclasses:
 * - `assignSocket`, `detachSocket`: the uwsgi listener and the WebSocket handshake write responses to sockets that node:http does not
 *   manage. They have types but no documentation.
 * - `shouldKeepAlive`, `useChunkedEncodingByDefault`: a uwsgi response ends by Content-Length or by closing, never by chunks; headers
 *   alone cannot express that, because node:http chooses the framing after `writeHead`.
 * - `Server.emit`: GuardedServer overrides it to reject requests before other listeners receive them. node:http emits through it.
 * - `Server.closeIdleConnections`: both servers override it, because `close()` calls it, and node:http does not track their connections.
 * - `shouldUpgradeCallback`: documented, but ignored before Node 22.21 and 24.9.
 */
const internals: Record<string, () => boolean> = {
  'net._createServerHandle': () => typeof Reflect.get(net, '_createServerHandle') === 'function',
  'Server._handle': () => '_handle' in net.createServer(),
  'IncomingMessage._addHeaderLines': () =>
    typeof Reflect.get(IncomingMessage.prototype, '_addHeaderLines') === 'function',
  'Socket.readableFlowing = null': () => {
    const socket = new net.Socket().pause();
    stopFlowing(socket);
    return socket.readableFlowing === null;
  },
  'Socket.destroySoon': () => typeof net.Socket.prototype.destroySoon === 'function',
  "the 'data' and 'end' listeners of http.Server": () => {
    const socket = new net.Socket();
    const before = socket.listenerCount('end');
    new Server().emit('connection', socket);
    return socket.listenerCount('data') === 1 && socket.listenerCount('end') === before + 1;
  },
  "the 'connection' listener of http.Server": () => new Server().listenerCount('connection') === 1,
  'ServerResponse.assignSocket': () => typeof ServerResponse.prototype.assignSocket === 'function',
  'ServerResponse.detachSocket': () => typeof ServerResponse.prototype.detachSocket === 'function',
  'ServerResponse.shouldKeepAlive': () => typeof newResponse().shouldKeepAlive === 'boolean',
  'ServerResponse.useChunkedEncodingByDefault': () => typeof newResponse().useChunkedEncodingByDefault === 'boolean',
  'Server.closeIdleConnections': () => typeof Server.prototype.closeIdleConnections === 'function',
  'shouldUpgradeCallback of http.Server': () =>
    'shouldUpgradeCallback' in new Server({ shouldUpgradeCallback: () => true }),
};

const newResponse = (): ServerResponse => new ServerResponse(new IncomingMessage(new net.Socket()));

/** @throws naming what this version of Node lacks */
export const checkNodeInternals = (): void => {
  const missing = Object.keys(internals).filter((name) => !internals[name]?.());
  if (missing.length > 0)
    throw new Error(
      `Node ${process.version} lacks ${missing.join(', ')}: use another version (package.json, "engines")`,
    );
};
