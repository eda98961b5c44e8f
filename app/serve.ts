/** Puts the server together from its settings, and takes it down again. */
import type { Server } from 'node:http';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { type Address, showAddress } from './config/address.ts';
import type { Settings } from './config/schema.ts';
import { buildApp } from './http/app.ts';
import { frontedServer, publicServer } from './http/server.ts';
import { startTicker } from './ops/lifecycle.ts';
import { listen, localUrl } from './ops/listen.ts';
import type { Signaling } from './signaling/conversation.ts';
import { Fanout } from './signaling/fanout.ts';
import { HttpConversations } from './signaling/http.ts';
import { WebSockets } from './signaling/websocket.ts';
import { memoryStore } from './store/store.ts';
import { createUwsgiServer } from './uwsgi/server.ts';

export type Running = {
  /** Where each listener is, in the order http, http-socket, socket; `url` for those a browser can open. */
  listening: { setting: string; address: string; url?: string }[];
  /** Stops taking visitors, tells those there to come back, ends requests; resolves when all is closed. */
  stop(): Promise<void>;
};

/** @throws when an address cannot be listened on; everything is closed again then */
export const serve = async (settings: Settings, logger: Logger = createLogger(settings)): Promise<Running> => {
  let ready = true;
  const clock = Date.now;
  const signaling = createSignaling(settings, clock, logger);
  const webSockets = new WebSockets(signaling);
  const conversations = new HttpConversations(signaling);
  const app = await buildApp({
    logger,
    publicDir: join(import.meta.dirname, '../dist/public'),
    limitPost: settings['limit-post'],
    messageBytes: settings['max-message-bytes'],
    webSockets,
    conversations,
    allowedOrigins: settings['allowed-origins'],
    ready: () => ready,
    count: () => signaling.store.count(),
  });
  const listeners = createListeners(settings, logger);
  for (const { server } of listeners) {
    server.on('request', (request, response) => app.server.emit('request', request, response));
    server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  }
  const ticker = startTicker(async () => {
    const now = clock();
    webSockets.tick(now);
    conversations.tick(now);
    await signaling.store.sweep();
  }, logger);

  const stop = async (): Promise<void> => {
    ready = false;
    const closed = listeners.map(({ server }) => close(server));
    webSockets.drain();
    conversations.drain();
    for (const { server } of listeners) server.closeIdleConnections();
    const cut = setTimeout(() => {
      webSockets.cut();
      for (const { server } of listeners) server.closeAllConnections();
    }, settings['drain-timeout'] * 1000);
    await Promise.all(closed);
    clearTimeout(cut);
    ticker.stop();
    await app.close();
  };

  try {
    for (const { server, address, host } of listeners) await listen(server, address, host, settings['chmod-socket']);
  } catch (error) {
    await stop();
    throw error;
  }
  return { listening: listeners.map(describe), stop };
};

export const createLogger = (settings: Pick<Settings, 'log-level'>): Logger =>
  pino({ level: settings['log-level'], base: null });

const createSignaling = (settings: Settings, clock: () => number, log: Logger): Signaling => {
  const seconds = (name: 'grace' | 'join-timeout' | 'poll-grace' | 'poll-wait' | 'ping-interval') =>
    settings[name] * 1000;
  const store = memoryStore(
    {
      rooms: settings['max-rooms'],
      grace: seconds('grace'),
      // What is older than a session may be away can be of use to nobody.
      log: { events: settings['log-events'], bytes: settings['log-bytes'], age: 2 * seconds('grace') + 60_000 },
    },
    clock,
  );
  return {
    store,
    fanout: new Fanout(store),
    ice: settings['stun-url'].length > 0 ? [{ urls: settings['stun-url'] }] : [],
    clock,
    log,
    limits: {
      maxPeers: settings['max-peers'],
      messageBytes: settings['max-message-bytes'],
      unsentBytes: settings['max-unsent-bytes'],
      rate: settings['message-rate'],
      burst: settings['message-burst'],
      joinTimeout: seconds('join-timeout'),
      grace: seconds('grace'),
      pollGrace: seconds('poll-grace'),
      pollWait: seconds('poll-wait'),
      pingInterval: seconds('ping-interval'),
      ackDelay: settings['ack-delay'],
    },
  };
};

/** `host`: where `:port` listens. */
type Listening = { setting: string; server: Server; address: Address; host?: string };

const createListeners = (settings: Settings, log: Logger): Listening[] => {
  const allowFrom = allowed(settings['allow-from']);
  const http = { bufferSize: settings['buffer-size'], headerTimeout: settings['header-timeout'] * 1000 };
  const uwsgi = { ...http, limitPost: settings['limit-post'], bodyTimeout: settings['body-timeout'] * 1000 };
  const loopback = '127.0.0.1';
  return [
    ...settings.http.map((address) => ({ setting: 'http', server: publicServer(http), address })),
    ...settings['http-socket'].map((address) => ({
      setting: 'http-socket',
      server: frontedServer({ ...http, allowFrom, log }),
      address,
      host: loopback,
    })),
    ...settings.socket.map((address) => ({
      setting: 'socket',
      server: createUwsgiServer({ ...uwsgi, allowFrom, log }),
      address,
      host: loopback,
    })),
  ];
};

/** Loopback and the networks of the setting. */
const allowed = (networks: string[]): ((address: string) => boolean) => {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addAddress('::1', 'ipv6');
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d; BlockList compares those with the IPv4 rules by itself.
  return (address) => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
};

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    // A server that never came to listen has nothing to close.
    server.close(() => resolve());
  });

const describe = ({ setting, server, address }: Listening): Running['listening'][number] => {
  const bound = server.address();
  const url = setting === 'socket' ? undefined : localUrl(server);
  // Port 0 asks for any; what it became is what counts.
  const real =
    address.kind === 'tcp' && bound && typeof bound === 'object' ? { ...address, port: bound.port } : address;
  return { setting, address: showAddress(real), ...(url === undefined ? {} : { url }) };
};
