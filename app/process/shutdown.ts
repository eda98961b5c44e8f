/** Shuts the server down: drains it, or closes everything immediately. */
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Settings } from '../config/schema.ts';
import type { HttpConversations } from '../signaling/transports/http.ts';
import type { WebSockets } from '../signaling/transports/websocket.ts';
import type { Store } from '../store/store.ts';
import type { ServerListener } from './listeners.ts';

export type Shutdown = {
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
  /** Closes everything immediately. */
  kill(): void;
};

/** What a shutdown closes. */
type ServerParts = {
  /** `ready` becomes false when the shutdown begins. */
  state: { ready: boolean };
  listeners: ServerListener[];
  webSockets: WebSockets;
  conversations: HttpConversations;
  ticker: { stop(): void };
  reports: { stop(): void };
  app: FastifyInstance;
  store: Store;
};

export const createShutdown = (
  { state, listeners, webSockets, conversations, ticker, reports, app, store }: ServerParts,
  settings: Settings,
): Shutdown => {
  let closed: Promise<void>[] | undefined;
  const begin = (): Promise<void>[] => {
    state.ready = false;
    closed ??= serversOf(listeners).map(close);
    webSockets.drain();
    conversations.drain();
    return closed;
  };
  const vacuum = (): void => {
    if (settings.vacuum) for (const { removeSocketFile } of listeners) removeSocketFile?.();
  };
  const drain = async (delay: number): Promise<void> => {
    state.ready = false;
    if (delay > 0) await sleep(delay * 1000);
    await Promise.all(begin());
    ticker.stop();
    reports.stop();
    await app.close();
    await store.close();
    vacuum();
  };
  const cut = (): void => {
    webSockets.cut();
    for (const server of serversOf(listeners)) server.closeAllConnections();
  };
  let draining: Promise<void> | undefined;
  return {
    async stop({ within = settings['drain-timeout'], delay = 0 } = {}) {
      draining ??= drain(delay);
      const timer = setTimeout(cut, (within + delay) * 1000);
      await draining.finally(() => clearTimeout(timer));
    },
    handOver() {
      begin();
      return store.handOver?.() ?? [];
    },
    kill() {
      state.ready = false;
      cut();
      vacuum();
    },
  };
};

const serversOf = (listeners: ServerListener[]): Server[] =>
  listeners.flatMap(({ server, copies }) => [server, ...copies]);

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    // The callback also runs, with an error, if the server was never listening.
    server.close(() => resolve());
  });
