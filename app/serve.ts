/** Puts the server together from its settings, and takes it down again. */
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
import { Fanout } from './signaling/fanout.ts';
import type { Signaling } from './signaling/handle-message.ts';
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
  /** Where each listener is, in the order http, http-socket, socket; `url` for those a browser can open. */
  listening: { setting: string; address: string; url?: string }[];
  count(): { rooms: number; peers: number };
  /**
   * Takes visitors for `delay` seconds more while it is no longer ready, then none, tells those there to come back, ends
   * requests; resolves when all is closed. `within`: seconds until what is still open is cut, the drain-timeout when not
   * given; asked again, it is the same end, with the earlier cut.
   */
  stop(limits?: { within?: number; delay?: number }): Promise<void>;
  /**
   * Takes no visitors any more, tells those there to come back, and gives away the rooms, as JSON in parts, for a successor;
   * what is left is to `stop`.
   */
  handOver(): Iterable<unknown>;
  /** Lets go of memory that can be missed. */
  shed(): void;
  /** Cuts everything at once. */
  kill(): void;
  /** False once new visitors should go elsewhere. */
  ready(): boolean;
  /** Statistics and metrics of this process; `report` is what a supervisor is told. */
  readings: Pick<Reports, 'stats' | 'metrics' | 'report'>;
};

/** `shown`: what the log calls it, when the address is a mere descriptor. */
type Named = ListenEndpoint & { shown?: string };
export type ServeOptions = {
  /** Where to listen instead of where the settings say: a supervisor has bound the sockets already. */
  places?: Named[];
  /** Whether new rooms may be opened; asked again and again. */
  accepting?: () => boolean;
  /** Asked for the parts that a predecessor gave away, when all else is ready and before anyone is let in. */
  inheritance?: () => Promise<unknown[]>;
  /** ms since 1970, never less than before */
  clock?: () => number;
  /** Makes time pass: calls what it is given again and again. */
  ticker?: typeof startTicker;
};

/** @throws when a key cannot be read, or an address not be listened on; everything is closed again then */
export const serve = async (
  settings: Settings,
  logger: Logger = createLogger(settings),
  options: ServeOptions = {},
): Promise<Running> => {
  const {
    places = placesOf(settings),
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
  const listeners = createListeners(settings, places, logger, counts, isBarred);
  for (const { server, place } of listeners) attach(server, app, place.setting);
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
  const sendAway = (): Promise<void>[] => {
    ready = false;
    closed ??= listeners.map(({ server }) => close(server));
    webSockets.drain();
    conversations.drain();
    return closed;
  };
  const drain = async (delay: number): Promise<void> => {
    ready = false;
    if (delay > 0) await sleep(delay * 1000);
    await Promise.all(sendAway());
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
    const late = setTimeout(cut, (within + delay) * 1000);
    await draining.finally(() => clearTimeout(late));
  };

  const handOver = (): Iterable<unknown> => {
    sendAway();
    return store.handOver?.() ?? [];
  };

  try {
    for (const part of (await inheritance?.()) ?? []) adopt(store, part, logger);
    const listening = listenOptions(settings);
    for (const { server, place } of listeners)
      removals.push(await listen(server, place.address, { ...listening, host: hostOf(place.setting) }));
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

/** What cannot be read is one room that begins anew, and no reason not to serve the others. */
const adopt = (store: Store, part: unknown, log: Logger): void => {
  try {
    store.adopt?.(part);
  } catch (error) {
    log.error({ reason: error instanceof Error ? error.message : String(error) }, 'a room could not be taken over');
  }
};

/** Those of the one worker that there is. */
const placesOf = (settings: Settings): ListenEndpoint[] => {
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
  const gate = createTokenVerifier({
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
    // Tokens and credentials are dated by clocks of others, which the system's follows.
    authorise: (token, room) => gate(token, room, Date.now()),
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
      // A wait is no hang: it ends, a tick later at most, before harakiri would answer in its place.
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
  // Of several, the first signs: the TURN server may still know another one while this changes.
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

type Listening = { server: Server; place: Named };

const createListeners = (
  settings: Settings,
  places: Named[],
  logger: Logger,
  counts: Counts,
  isBarred: (client: string) => boolean,
): Listening[] => {
  const allowFrom = inNetworks(['127.0.0.0/8', '::1', ...settings['allow-from']]);
  const isProxy = inNetworks(settings['trusted-proxies']);
  const most = connectionsOf(settings, logger);
  const limits = { ...limitsOf(settings), isBarred, admit: connectionLimit(most, logger) };
  const log = (setting: ListenSetting) => countRefusals(logger, counts, setting);
  const admitAddress = addressLimit(settings['max-connections-per-address'] ?? connectionsPerAddress(most), logger);
  const admit = (socket: Socket): boolean => admitAddress(socket) && limits.admit(socket);
  const create = {
    http: () => publicServer({ ...limits, admit, log: log('http') }),
    'http-socket': () => frontedServer({ ...limits, allowFrom, isProxy, log: log('http-socket') }),
    socket: () => createUwsgiServer({ ...limits, allowFrom, log: log('socket') }),
  };
  return places.map((place) => ({ server: create[place.setting](), place }));
};

/** What holds for every listener. */
const limitsOf = (settings: Settings) => ({
  bufferSize: settings['buffer-size'],
  limitPost: settings['limit-post'],
  headerTimeout: settings['header-timeout'] * 1000,
  bodyTimeout: settings['body-timeout'] * 1000,
  idleTimeout: settings['idle-timeout'] * 1000,
  // The default is longer than a front end keeps an idle connection (nginx: 60 s), or it would write into one that closes.
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
    // A server that never came to listen has nothing to close.
    server.close(() => resolve());
  });

const describe = ({ server, place }: Listening): Running['listening'][number] => {
  const { setting, address, shown } = place;
  const bound = server.address();
  const url = setting === 'socket' ? undefined : localUrl(server);
  // Port 0 asks for any; what it became is what counts.
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return { setting, address: shown ?? showAddress(real), ...(url === undefined ? {} : { url }) };
};
