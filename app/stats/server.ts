/** Statistics listeners: raw TCP ones that send JSON on connect, as uWSGI's do, and HTTP ones with metrics and health checks. */
import { createServer as createHttpServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { type Address, showAddress } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';
import { allowedHostNames } from '../listener/allowed-hosts.ts';
import { listen, listenOptions } from '../process/listen.ts';
import type { Readings } from './process-stats.ts';

type Health = { ready: () => boolean };
type StatsServers = {
  /** Listen addresses, in the order stats, stats-http. */
  listening: { setting: string; address: string }[];
  stop(): Promise<void>;
};

/** ms for a client to read the response, which is only a few kilobytes. */
const timeout = 4000;
const loopback = '127.0.0.1';
/** Per address: more could use up the file descriptors that the supervisor needs to start workers. */
const maxConnections = 64;

/** @throws if an address cannot be listened on; listeners already open are closed again */
export const serveStats = async (settings: Settings, readings: Readings, health: Health): Promise<StatsServers> => {
  const servers: { setting: string; server: Server; address: Address; cut: () => void }[] = [
    ...settings.stats.map((address) => ({ setting: 'stats', address, ...rawServer(readings) })),
    ...settings['stats-http'].map((address) => {
      const listenHost = address.kind === 'tcp' ? address.host : undefined;
      const isServed = allowedHostNames(listenHost, settings['allowed-hosts']);
      return { setting: 'stats-http', address, ...httpServer(readings, health, isServed) };
    }),
  ];
  const removals: (() => void)[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(({ server, cut }) => close(server, cut)));
    if (settings.vacuum) for (const remove of removals.splice(0)) remove();
  };
  try {
    const options = listenOptions(settings);
    for (const { server } of servers) server.maxConnections = maxConnections;
    for (const { server, address } of servers)
      removals.push(await listen(server, address, { ...options, host: loopback }));
  } catch (error) {
    await stop();
    throw error;
  }
  const listening = servers.map(({ setting, server, address }) => ({
    setting,
    address: boundAddress(server, address),
  }));
  return { listening, stop };
};

/** uwsgitop sends nothing and reads to the end; input from other clients is discarded. */
const rawServer = ({ stats }: Readings): { server: Server; cut: () => void } => {
  const sockets = new Set<Socket>();
  // allowHalfOpen: a client that has already closed its writing side still receives the response.
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(timeout, () => socket.destroy());
    socket.resume();
    await stats().then(
      (text) => socket.end(text),
      () => socket.destroy(),
    );
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { server, cut };
};

const httpServer = (
  readings: Readings,
  health: Health,
  isServed: (host: string | undefined) => boolean,
): { server: HttpServer; cut: () => void } => {
  const server = createHttpServer({ headersTimeout: timeout, requestTimeout: timeout }, async (request, response) => {
    request.resume();
    // DNS rebinding cannot reach a unix socket.
    if (request.socket.localAddress !== undefined && !isServed(request.headers.host))
      return send(
        response,
        421,
        'text/plain',
        'This host is not allowed. Use an IP address, or one of --allowed-hosts.\n',
      );
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, 'text/plain', 'Only GET and HEAD.\n', { allow: 'GET, HEAD' });
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    await respond(path, response, readings, health).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain', 'The statistics are unavailable.\n');
    });
  });
  return { server, cut: () => server.closeAllConnections() };
};

const respond = async (path: string, response: ServerResponse, readings: Readings, health: Health): Promise<void> => {
  switch (path) {
    case '/':
    case '/stats':
      return send(response, 200, 'application/json; charset=utf-8', await readings.stats());
    case '/metrics': {
      const { type, text } = await readings.metrics();
      return send(response, 200, type, text);
    }
    case '/healthz':
      return send(response, 200, 'application/json; charset=utf-8', '{"status":"ok"}');
    case '/readyz': {
      const ready = health.ready();
      const body = `{"status":"${ready ? 'ready' : 'draining'}"}`;
      return send(response, ready ? 200 : 503, 'application/json; charset=utf-8', body);
    }
    default:
      return send(response, 404, 'text/plain', 'Not found. Available: / or /stats, /metrics, /healthz and /readyz.\n');
  }
};

/** No CORS header, unlike uWSGI: pages of other origins must not read this. */
const send = (response: ServerResponse, status: number, type: string, body: string, more = {}): void => {
  const length = Buffer.byteLength(body);
  const headers = { 'content-type': type, 'content-length': length, 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, 'x-content-type-options': 'nosniff', ...more });
  response.end(body);
};

const close = (server: Server, cut: () => void): Promise<void> =>
  new Promise((resolve) => {
    // The callback also runs, with an error, if the server was never listening.
    server.close(() => resolve());
    cut();
  });

/** With the actual port if port 0 was requested. */
const boundAddress = (server: Server, address: Address): string => {
  const bound = server.address();
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return showAddress(real);
};
