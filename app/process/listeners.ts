/** The listeners of the server: one for each endpoint, with the limits of the settings. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { showAddress } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';
import { allowedHosts } from '../listener/allowed-hosts.ts';
import { addressLimit, connectionLimit, connectionsPerAddress } from '../listener/connection-limit.ts';
import { frontedServer, publicServer } from '../listener/http/server.ts';
import { limitedLog } from '../listener/limited-log.ts';
import { inNetworks } from '../listener/networks.ts';
import { refusalRate } from '../listener/refused-addresses.ts';
import { createUwsgiServer } from '../listener/uwsgi/server.ts';
import type { Signaling } from '../signaling/context.ts';
import { countRefusals } from '../web/request-log.ts';
import { hostOf, type ListenEndpoint, type ListenSetting } from './bind-plan.ts';
import { listen, listenOptions, localUrl } from './listen.ts';
import type { Listening } from './supervisor/ipc.ts';

/** `shown`: the address to log if `address` is only a file descriptor. */
export type NamedEndpoint = ListenEndpoint & { shown?: string };
/** `copies`: servers on further descriptors of the same socket. `removeSocketFile`: set once it listens. */
export type ServerListener = {
  server: Server;
  copies: Server[];
  /** One more with the same limits. */
  createServer(): Server;
  endpoint: NamedEndpoint;
  removeSocketFile?: () => void;
};

type ListenerContext = Pick<Signaling, 'counts' | 'addresses' | 'clock' | 'refusedTo' | 'turns' | 'unsent'>;

/** They do not listen yet. */
export const createListeners = (
  settings: Settings,
  endpoints: NamedEndpoint[],
  logger: Logger,
  { counts, addresses, clock, refusedTo, turns, unsent }: ListenerContext,
): ServerListener[] => {
  const allowFrom = inNetworks(['127.0.0.0/8', '::1', ...settings['allow-from']]);
  const isProxy = inNetworks(settings['trusted-proxies']);
  const isBarred = (client: string, crossSite: boolean): boolean =>
    addresses.isSpent(refusalRate(crossSite), client, clock());
  const maxConnections = connectionsOf(settings, logger);
  const limits = {
    ...limitsOf(settings),
    isBarred,
    refusedTo,
    turns,
    unsent,
    admit: connectionLimit(maxConnections, logger),
  };
  const limited = limitedLog(logger);
  const log = (setting: ListenSetting) => countRefusals(limited, counts, setting);
  const perAddress = settings['max-connections-per-address'] ?? connectionsPerAddress(maxConnections);
  const admitAddress = addressLimit(perAddress, logger);
  const admit = (socket: Socket): boolean => admitAddress(socket) && limits.admit(socket);
  const create = {
    http: () => publicServer({ ...limits, admit, log: log('http') }),
    'http-socket': () => frontedServer({ ...limits, allowFrom, isProxy, log: log('http-socket') }),
    socket: () => createUwsgiServer({ ...limits, allowFrom, log: log('socket') }),
  };
  return endpoints.map((endpoint) => {
    const createServer = create[endpoint.setting];
    return { server: createServer(), copies: [], createServer, endpoint };
  });
};

/** Limits common to all listeners. */
const limitsOf = (settings: Settings) => ({
  bufferSize: settings['buffer-size'],
  limitPost: settings['limit-post'],
  headerTimeout: settings['header-timeout'] * 1000,
  bodyTimeout: settings['body-timeout'] * 1000,
  idleTimeout: settings['idle-timeout'] * 1000,
  // The default is longer than a front end's own (nginx: 60 s), which otherwise might write to a connection just being closed.
  keepAliveTimeout: settings['keep-alive-timeout'] * 1000,
  harakiri: settings.harakiri * 1000,
  answersFor: allowedHosts(settings['allowed-hosts']),
});

const connectionsOf = (settings: Settings, log: Logger): number => {
  const max = settings['max-connections'];
  const fit = connectionsWithin(max);
  if (fit < max)
    log.info({ max, fit }, 'max-connections is more than the system has descriptors for (ulimit -n, LimitNOFILE)');
  return fit;
};

/**
 * `max`, limited by the file descriptors: an eighth of them, at most 256, is reserved for files, timers and the store. Without
 * this reserve a full process could open no page, log or socket, and could not even read its own memory usage.
 * @param limits text of /proc/self/limits (proc_pid_limits(5))
 */
export const connectionsWithin = (max: number, limits = readLimits()): number => {
  const descriptors = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(max, Math.max(1, descriptors - Math.max(32, Math.min(256, Math.floor(descriptors / 8)))));
};

/** Empty without /proc. */
const readLimits = (): string => {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
};

/** Resolves when all of them listen. @throws if an address cannot be listened on; others may be listening then */
export const startListening = async (listeners: ServerListener[], settings: Settings): Promise<void> => {
  const options = listenOptions(settings);
  for (const listener of listeners) {
    const { server, endpoint } = listener;
    listener.removeSocketFile = await listen(server, endpoint.address, { ...options, host: hostOf(endpoint.setting) });
  }
};

/** Where it listens, for logs and statistics. */
export const describeListener = ({ server, endpoint }: ServerListener): Listening => {
  const { setting, address, shown } = endpoint;
  const bound = server.address();
  const url = setting === 'socket' ? undefined : localUrl(server);
  // Port 0 requests any free port; report the actual one.
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return { setting, address: shown ?? showAddress(real), ...(url === undefined ? {} : { url }) };
};
