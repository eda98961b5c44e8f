/** Builds the server from its settings, and shuts it down. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { PasscodeHasher } from './auth/passcode.ts';
import { createSessions, randomKey } from './auth/session.ts';
import { createTokenVerifier } from './auth/token.ts';
import { verificationKeys } from './auth/token-keys.ts';
import { iceSet, type Turn } from './auth/turn.ts';
import { AddressBudgets, type AddressLimits } from './budgets/address-budgets.ts';
import { KeyedBuckets } from './budgets/keyed-buckets.ts';
import { SeatBudgets } from './budgets/seat-budgets.ts';
import type { RateLimits } from './budgets/token-bucket.ts';
import { showAddress } from './config/address.ts';
import type { Settings } from './config/schema.ts';
import { allowedHosts } from './listener/allowed-hosts.ts';
import { addressLimit, connectionLimit, connectionsPerAddress } from './listener/connection-limit.ts';
import { frontedServer, publicServer } from './listener/http/server.ts';
import { inNetworks, privateNetworks } from './listener/networks.ts';
import { refusalsByAddress } from './listener/refused-addresses.ts';
import { createUwsgiServer } from './listener/uwsgi/server.ts';
import { createAccessLog } from './logging/access-log.ts';
import { createLogger } from './logging/logger.ts';
import { hostOf, type ListenEndpoint, type ListenSetting, planEndpoints } from './process/bind-plan.ts';
import { connectionsWithin } from './process/file-descriptors.ts';
import { startTicker, steadyClock } from './process/lifecycle.ts';
import { listen, listenOptions, localUrl } from './process/listen.ts';
import { openStore } from './process/open-store.ts';
import { version } from './process/version.ts';
import type { Rules } from './rooms/room.ts';
import type { Signaling } from './signaling/context.ts';
import { Fanout } from './signaling/fanout.ts';
import { HttpConversations } from './signaling/transports/http.ts';
import { WebSockets } from './signaling/transports/websocket.ts';
import { waitingAt } from './stats/backlog.ts';
import { type Counts, zeroCounts } from './stats/counters.ts';
import { createReports, type Reports } from './stats/process-stats.ts';
import { pausable } from './store/pausable.ts';
import type { Store } from './store/store.ts';
import { buildApp } from './web/app.ts';
import { attach, countRefusals } from './web/request-log.ts';

export type Running = {
  /** Listen addresses, in the order http, http-socket, socket; `url` for those that a browser can open. */
  listening: { setting: string; address: string; url?: string }[];
  count(): { rooms: number; peers: number };
  /**
   * Drains: stops being ready, accepts clients for `delay` more seconds, then closes the listeners, asks clients to reconnect and
   * finishes pending requests. Resolves when all is closed. `within`: seconds until open connections are cut, by default the
   * drain-timeout. Further calls join the same shutdown; the earliest cut applies.
   */
  stop(limits?: { within?: number; delay?: number }): Promise<void>;
  /**
   * Stops accepting clients, asks connected ones to reconnect, and exports the rooms for a successor, as JSON in parts.
   * `stop` must still be called.
   */
  handOver(): Iterable<unknown>;
  /** Frees memory that is not essential. */
  shed(): void;
  /** Closes everything immediately. */
  kill(): void;
  /** False once new clients should go elsewhere. */
  ready(): boolean;
  /** Statistics and metrics of this process; `report` is sent to the supervisor. */
  readings: Pick<Reports, 'stats' | 'metrics' | 'report'>;
};

/** `shown`: the address to log if `address` is only a file descriptor. */
type NamedEndpoint = ListenEndpoint & { shown?: string };
export type ServeOptions = {
  /** Listen endpoints, overriding the settings: sockets that a supervisor has already bound. */
  places?: NamedEndpoint[];
  /** Whether new rooms may be opened; called repeatedly. */
  accepting?: () => boolean;
  /** Returns the exported rooms of the predecessor; called when all else is ready, before listening. */
  inheritance?: () => Promise<unknown[]>;
  /** ms since 1970, monotonic */
  clock?: () => number;
  /** Calls the given function periodically. */
  ticker?: typeof startTicker;
};

/** @throws if a key cannot be read or an address cannot be listened on; everything is closed again */
export const serve = async (
  settings: Settings,
  logger: Logger = createLogger(settings),
  options: ServeOptions = {},
): Promise<Running> => {
  const {
    places: endpoints = endpointsOf(settings),
    accepting = () => true,
    inheritance,
    clock: givenClock = steadyClock,
    ticker: tick = startTicker,
  } = options;
  let ready = true;
  const signaling: Signaling = {
    ...(await createSignaling(settings, givenClock, logger, accepting)),
    settled: (seconds) => reports.settled(seconds),
  };
  const access = createAccessLog(logger, settings);
  const webSockets = new WebSockets(signaling, access);
  const conversations = new HttpConversations(signaling, access);
  const { store, counts, clock } = signaling;
  const sockets = () => waitingAt(listeners.map(describe), settings.listen);
  const reports = createReports(
    { counts, store, webSockets, accepting: () => ready && accepting(), sockets },
    version(),
  );
  const app = await buildApp({
    logger,
    publicDir: join(import.meta.dirname, '../dist/public'),
    staticMaps: settings['static-map'],
    limitPost: settings['limit-post'],
    messageBytes: settings['max-message-bytes'],
    webSockets,
    conversations,
    allowedOrigins: settings['allowed-origins'],
    ready: () => ready,
    reachable: () => store.ready(),
    count: () => store.count(),
    counts,
    access,
    took: reports.took,
    refusedTo: signaling.refusedTo,
    readings: reports,
  });
  const isBarred = (client: string): boolean => signaling.addresses.isSpent('refusals', client, clock());
  const listeners = createListeners(settings, endpoints, logger, counts, isBarred);
  for (const { server, endpoint } of listeners) attach(server, app, endpoint.setting);
  const ticker = tick(async () => {
    const now = clock();
    webSockets.tick(now);
    conversations.tick(now);
    signaling.roomGuesses.sweep(now);
    signaling.seats.sweep(now);
    await signaling.store.sweep();
    signaling.addresses.recount(store.holdings());
    signaling.addresses.sweep(now);
  }, logger);

  const removals: (() => void)[] = [];

  let closed: Promise<void>[] | undefined;
  const beginShutdown = (): Promise<void>[] => {
    ready = false;
    closed ??= listeners.map(({ server }) => close(server));
    webSockets.drain();
    conversations.drain();
    return closed;
  };
  const drain = async (delay: number): Promise<void> => {
    ready = false;
    if (delay > 0) await sleep(delay * 1000);
    await Promise.all(beginShutdown());
    ticker.stop();
    reports.stop();
    await app.close();
    await store.close();
    vacuum();
  };
  const vacuum = (): void => {
    if (settings.vacuum) for (const remove of removals) remove();
  };
  const kill = (): void => {
    ready = false;
    cut();
    vacuum();
  };
  const cut = (): void => {
    webSockets.cut();
    for (const { server } of listeners) server.closeAllConnections();
  };
  let draining: Promise<void> | undefined;
  const stop: Running['stop'] = async ({ within = settings['drain-timeout'], delay = 0 } = {}) => {
    draining ??= drain(delay);
    const timer = setTimeout(cut, (within + delay) * 1000);
    await draining.finally(() => clearTimeout(timer));
  };

  const handOver = (): Iterable<unknown> => {
    beginShutdown();
    return store.handOver?.() ?? [];
  };

  try {
    for (const part of (await inheritance?.()) ?? []) importPart(store, part, logger);
    const listening = listenOptions(settings);
    for (const { server, endpoint } of listeners)
      removals.push(await listen(server, endpoint.address, { ...listening, host: hostOf(endpoint.setting) }));
  } catch (error) {
    await stop();
    throw error;
  }
  const listening = listeners.map(describe);
  return {
    ...{ listening, stop, handOver, kill, readings: reports },
    shed: () => store.shed?.(),
    count: () => store.count(),
    ready: () => ready && store.ready(),
  };
};

/** A part that cannot be read loses only its room; the others are still served. */
const importPart = (store: Store, part: unknown, log: Logger): void => {
  try {
    store.adopt?.(part);
  } catch (error) {
    log.error({ reason: error instanceof Error ? error.message : String(error) }, 'a room could not be taken over');
  }
};

/** The endpoints of a single worker. */
const endpointsOf = (settings: Settings): ListenEndpoint[] => {
  const plan = planEndpoints({ ...settings, processes: 1 });
  if ('faults' in plan) throw new Error(plan.faults.join('\n'));
  return plan.workers.flat();
};

const createSignaling = async (
  settings: Settings,
  givenClock: () => number,
  log: Logger,
  accepting: () => boolean,
): Promise<Omit<Signaling, 'settled'>> => {
  const seconds = (
    name:
      | 'grace'
      | 'return-grace'
      | 'join-timeout'
      | 'poll-grace'
      | 'poll-wait'
      | 'heartbeat'
      | 'ping-interval'
      | 'max-quiet',
  ): number => settings[name] * 1000;
  const counts = zeroCounts();
  const rules: Rules = {
    access: settings['room-access'],
    maxPeers: settings['max-peers'],
    maxWaiting: settings['max-waiting'],
    maxGone: settings['max-bans'],
    chatHistory: settings['chat-history'],
    grace: seconds('grace'),
    returnGrace: seconds('return-grace'),
    idleSeat: seconds('poll-grace'),
    resumes: perMinute(settings, 'seat-resume'),
  };
  const { store: opened, clock } = await openStore(settings, rules, log, counts, givenClock);
  const store = pausable(opened, accepting);
  const seatLimits = {
    rate: settings['message-rate'],
    burst: settings['message-burst'],
    byteRate: settings['byte-rate'],
    byteBurst: settings['byte-burst'],
  };
  const turn = turnOf(settings);
  const verifyToken = createTokenVerifier({
    required: settings.auth === 'token',
    keys: verificationKeys(settings, {
      failed: (reason) => log.warn({ reason }, 'the key set that tokens are checked with cannot be fetched'),
    }),
    issuer: settings['token-issuer'],
    audience: settings['token-audience'],
    leeway: settings['token-leeway'],
  });
  const addresses = new AddressBudgets(addressLimits(settings));
  return {
    store,
    sessions: createSessions(settings['session-key'] ?? randomKey()),
    // Tokens and TURN credentials carry times of other systems' clocks, hence Date.now().
    authorise: (token, room) => verifyToken(token, room, Date.now()),
    addresses,
    refusedTo: refusalsByAddress(
      addresses,
      clock,
      inNetworks([...privateNetworks, ...settings['allow-from'], ...settings['trusted-proxies']]),
      log,
    ),
    roomGuesses: new KeyedBuckets(perMinute(settings, 'room-attempt')),
    passcodes: new PasscodeHasher(),
    seats: new SeatBudgets(seatLimits, store.worker !== undefined),
    fanout: new Fanout(store, Math.floor(Math.min(settings['log-events'], 1024) / 4)),
    ice: (peer, network, now) => {
      const date = Date.now();
      const { servers, renewAt } = iceSet(settings['stun-url'], turn, peer, network, date);
      return { servers, renewAt: now + renewAt - date };
    },
    clock,
    log,
    counts,
    limits: {
      rules,
      messageBytes: settings['max-message-bytes'],
      unsentBytes: settings['max-unsent-bytes'],
      ...seatLimits,
      joinTimeout: seconds('join-timeout'),
      pollGrace: seconds('poll-grace'),
      // A long poll must end, even one tick late, before harakiri answers it.
      pollWait: settings.harakiri > 0 ? Math.min(seconds('poll-wait'), settings.harakiri * 700) : seconds('poll-wait'),
      heartbeat: seconds('heartbeat'),
      pingInterval: seconds('ping-interval'),
      maxQuiet: seconds('max-quiet'),
      ackDelay: settings['ack-delay'],
      lobbyShows: settings['lobby-shows'],
    },
  };
};

const perMinute = (
  settings: Settings,
  name: 'join' | 'resume' | 'refusal' | 'attempt' | 'room-attempt' | 'hash' | 'seat-resume',
): RateLimits => ({ rate: settings[`${name}-rate`] / 60, burst: settings[`${name}-burst`] });

const addressLimits = (settings: Settings): AddressLimits => ({
  rates: {
    joins: perMinute(settings, 'join'),
    lookups: perMinute(settings, 'join'),
    resumes: perMinute(settings, 'resume'),
    guesses: perMinute(settings, 'attempt'),
    hashes: perMinute(settings, 'hash'),
    messages: { rate: settings['address-message-rate'], burst: settings['address-message-burst'] },
    bytes: { rate: settings['address-byte-rate'], burst: settings['address-byte-burst'] },
    refusals: perMinute(settings, 'refusal'),
    replay: { rate: settings['replay-rate'], burst: settings['replay-burst'] },
  },
  held: {
    rooms: settings['max-rooms-per-address'],
    seats: settings['max-seats-per-address'],
    connections: settings['max-seats-per-address'],
  },
});

const turnOf = (settings: Settings): Turn | undefined => {
  // Of several secrets, the first one signs; during rotation the TURN server may still know another.
  const secret = settings['turn-secret']?.split(/\s+/)[0];
  return secret === undefined
    ? undefined
    : {
        urls: settings['turn-url'],
        secret,
        life: settings['turn-ttl'] * 1000,
        names: settings['turn-names'],
      };
};

type ServerListener = { server: Server; endpoint: NamedEndpoint };

const createListeners = (
  settings: Settings,
  endpoints: NamedEndpoint[],
  logger: Logger,
  counts: Counts,
  isBarred: (client: string) => boolean,
): ServerListener[] => {
  const allowFrom = inNetworks(['127.0.0.0/8', '::1', ...settings['allow-from']]);
  const isProxy = inNetworks(settings['trusted-proxies']);
  const maxConnections = connectionsOf(settings, logger);
  const limits = { ...limitsOf(settings), isBarred, admit: connectionLimit(maxConnections, logger) };
  const log = (setting: ListenSetting) => countRefusals(logger, counts, setting);
  const perAddress = settings['max-connections-per-address'] ?? connectionsPerAddress(maxConnections);
  const admitAddress = addressLimit(perAddress, logger);
  const admit = (socket: Socket): boolean => admitAddress(socket) && limits.admit(socket);
  const create = {
    http: () => publicServer({ ...limits, admit, log: log('http') }),
    'http-socket': () => frontedServer({ ...limits, allowFrom, isProxy, log: log('http-socket') }),
    socket: () => createUwsgiServer({ ...limits, allowFrom, log: log('socket') }),
  };
  return endpoints.map((endpoint) => ({ server: create[endpoint.setting](), endpoint }));
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

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    // The callback also runs, with an error, if the server was never listening.
    server.close(() => resolve());
  });

const describe = ({ server, endpoint }: ServerListener): Running['listening'][number] => {
  const { setting, address, shown } = endpoint;
  const bound = server.address();
  const url = setting === 'socket' ? undefined : localUrl(server);
  // Port 0 requests any free port; report the actual one.
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return { setting, address: shown ?? showAddress(real), ...(url === undefined ? {} : { url }) };
};
