/** Builds the server from its settings. */
import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf } from './config/result.ts';
import type { Settings } from './config/schema.ts';
import { createAccessLog } from './logging/access-log.ts';
import { createLogger } from './logging/logger.ts';
import { type ListenSetting, singleWorkerEndpoints } from './process/bind-plan.ts';
import { acceptsWhenBusy } from './process/busy-accepts.ts';
import { createSignaling } from './process/create-signaling.ts';
import { startTicker, steadyClock } from './process/lifecycle.ts';
import { createListeners, describeListener, type NamedEndpoint, startListening } from './process/listeners.ts';
import { createShutdown, type Shutdown } from './process/shutdown.ts';
import type { Listening } from './process/supervisor/ipc.ts';
import { version } from './process/version.ts';
import type { Signaling } from './signaling/context.ts';
import { HttpConversations } from './signaling/transports/http.ts';
import { WebSockets } from './signaling/transports/websocket.ts';
import { waitingAt } from './stats/backlog.ts';
import { createReports, type Reports } from './stats/process-stats.ts';
import { createMetrics } from './stats/prometheus.ts';
import type { Store } from './store/store.ts';
import { buildApp } from './web/app.ts';
import { attach } from './web/request-log.ts';

export type Running = Shutdown & {
  /** Listen addresses, in the order http, http-socket, socket; `url` for those that a browser can open. */
  listening: Listening[];
  count(): { rooms: number; peers: number };
  /** Frees memory that is not essential. */
  shed(): void;
  /** False once new clients should go elsewhere. */
  ready(): boolean;
  /** Statistics and metrics of this process; `report` is sent to the supervisor. */
  readings: Pick<Reports, 'stats' | 'metrics' | 'report'>;
};

type ServeOptions = {
  /** Listen endpoints, overriding the settings: sockets that a supervisor has already bound. */
  places?: NamedEndpoint[];
  /** Number of this worker, from 1. */
  worker?: number;
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
  const { places: endpoints = singleWorkerEndpoints(settings), accepting = () => true, inheritance } = options;
  const { clock: localClock = steadyClock, ticker: startTicking = startTicker, worker = 1 } = options;
  const state = { ready: true };
  const metrics = createMetrics();
  const hooks = { localClock, accepting, settled: metrics.settled, worker };
  const signaling = await createSignaling(settings, logger, hooks);
  const { store, counts } = signaling;
  const access = createAccessLog(logger, settings);
  const webSockets = new WebSockets(signaling, access);
  const conversations = new HttpConversations(signaling, access);
  const listeners = createListeners(settings, endpoints, logger, signaling);
  const sockets = () => waitingAt(listeners.map(describeListener), settings.listen);
  const sources = { counts, store, webSockets, accepting: () => state.ready && accepting(), sockets };
  const reports = createReports(sources, metrics, version());
  const app = await buildApp({
    ...{ logger, webSockets, conversations, counts, access },
    ...appSettings(settings),
    ready: () => state.ready,
    reachable: () => store.ready(),
    count: () => store.count(),
    took: metrics.took,
    refusedTo: signaling.refusedTo,
    unsent: signaling.unsent,
    readings: reports,
  });
  const attachTo = (server: Server, setting: ListenSetting) => attach(server, app, setting);
  for (const { server, endpoint } of listeners) attachTo(server, endpoint.setting);
  const acceptMore = acceptsWhenBusy(listeners, attachTo, logger, settings.listen);
  const ticker = startTicking(() => tick(signaling, [webSockets, conversations], acceptMore), logger);
  const parts = { state, listeners, webSockets, conversations, ticker, reports, app, store };
  const shutdown = createShutdown(parts, settings);
  try {
    const parts = (await inheritance?.()) ?? [];
    await store.open?.();
    for (const part of parts) importPart(store, part, logger);
    await startListening(listeners, settings);
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
  return {
    ...shutdown,
    listening: listeners.map(describeListener),
    readings: reports,
    shed: () => store.shed?.(),
    count: () => store.count(),
    ready: () => state.ready && store.ready(),
  };
};

const appSettings = (settings: Settings) => ({
  publicDir: join(import.meta.dirname, '../dist/public'),
  staticMaps: settings['static-map'],
  limitPost: settings['limit-post'],
  messageBytes: settings['max-message-bytes'],
  allowedOrigins: settings['allowed-origins'],
});

/** Applies what is due by now: timeouts, pings, expired budgets. */
const tick = async (
  { store, addresses, roomGuesses, seats, unsent, clock }: Signaling,
  transports: { tick(now: number): void }[],
  acceptMore: () => void,
): Promise<void> => {
  acceptMore();
  const now = clock();
  for (const transport of transports) transport.tick(now);
  unsent.enforce();
  roomGuesses.sweep(now);
  seats.sweep(now);
  await store.sweep();
  addresses.recount(store.holdings());
  addresses.sweep(now);
};

/** A part that cannot be read loses only its room; the others are still served. */
const importPart = (store: Store, part: unknown, log: Logger): void => {
  try {
    store.adopt?.(part);
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'a room could not be taken over');
  }
};
