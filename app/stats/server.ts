/** The listeners for statistics: bare ones that speak first, as uWSGI's do, and HTTP ones with metrics and health. */
import { createServer as createHttpServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { type Address, showAddress } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';
import { allowedHostNames } from '../listener/allowed-hosts.ts';
import { listen, listenOptions } from '../process/listen.ts';
import type { Readings } from './process-stats.ts';

export type Health = { ready: () => boolean };
export type StatsServers = {
  /** Where each listens, in the order stats, stats-http. */
  listening: { setting: string; address: string }[];
  stop(): Promise<void>;
};

/** ms a reader may take; nobody needs longer for some kilobytes. */
const patience = 4000;
const loopback = '127.0.0.1';
/** At each address: more would take the supervisor's descriptors, which it needs to start workers. */
const mostConnections = 64;

/** @throws when an address cannot be listened on; what listened already is closed again then */
export const serveStats = async (settings: Settings, readings: Readings, health: Health): Promise<StatsServers> => {
  const servers: { setting: string; server: Server; address: Address; cut: () => void }[] = [
    ...settings.stats.map((address) => ({ setting: 'stats', address, ...bareServer(readings) })),
    ...settings['stats-http'].map((address) => {
      const own = address.kind === 'tcp' ? address.host : undefined;
      const answers = allowedHostNames(own, settings['allowed-hosts']);
      return { setting: 'stats-http', address, ...httpServer(readings, health, answers) };
    }),
  ];
  const removals: (() => void)[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(({ server, cut }) => closed(server, cut)));
    if (settings.vacuum) for (const remove of removals.splice(0)) remove();
  };
  try {
    const options = listenOptions(settings);
    for (const { server } of servers) server.maxConnections = mostConnections;
    for (const { server, address } of servers)
      removals.push(await listen(server, address, { ...options, host: loopback }));
  } catch (error) {
    await stop();
    throw error;
  }
  const listening = servers.map(({ setting, server, address }) => ({ setting, address: where(server, address) }));
  return { listening, stop };
};

/** uwsgitop asks nothing and reads to the end; whatever another says before is read and thrown away. */
const bareServer = ({ stats }: Readings): { server: Server; cut: () => void } => {
  const sockets = new Set<Socket>();
  // A reader that has closed its own side already is answered all the same.
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(patience, () => socket.destroy());
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
  answersHost: (host: string | undefined) => boolean,
): { server: HttpServer; cut: () => void } => {
  const server = createHttpServer({ headersTimeout: patience, requestTimeout: patience }, async (request, response) => {
    request.resume();
    // On a unix socket there is no name that leads here.
    if (request.socket.localAddress !== undefined && !answersHost(request.headers.host))
      return send(response, 421, 'text/plain', 'Not for this host: ask by an address, or by one of --allowed-hosts.\n');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, 'text/plain', 'Only GET and HEAD.\n', { allow: 'GET, HEAD' });
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    await answer(path, response, readings, health).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain', 'The numbers could not be had.\n');
    });
  });
  return { server, cut: () => server.closeAllConnections() };
};

const answer = async (path: string, response: ServerResponse, readings: Readings, health: Health): Promise<void> => {
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
      return send(response, 404, 'text/plain', 'Here are / or /stats, /metrics, /healthz and /readyz.\n');
  }
};

/** No CORS header: pages of other origins are not to read this, unlike uWSGI's. */
const send = (response: ServerResponse, status: number, type: string, body: string, more = {}): void => {
  const length = Buffer.byteLength(body);
  const headers = { 'content-type': type, 'content-length': length, 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, 'x-content-type-options': 'nosniff', ...more });
  response.end(body);
};

const closed = (server: Server, cut: () => void): Promise<void> =>
  new Promise((resolve) => {
    // A server that never came to listen has nothing to close.
    server.close(() => resolve());
    cut();
  });

/** Port 0 asks for any; what it became is what counts. */
const where = (server: Server, address: Address): string => {
  const bound = server.address();
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return showAddress(real);
};
