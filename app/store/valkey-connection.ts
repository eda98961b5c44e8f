/** The connection to Valkey: one at a time, with reconnects and back-off when it breaks or a response does not arrive. */
import { createClient, createCluster, ErrorReply } from '@redis/client';
import type { Script } from './scripts.ts';

export type ValkeyConnectionOptions = {
  /** `valkey://user@host:port/database`, or `valkeys:` for TLS; `redis:` and `rediss:` are the same. */
  url: string;
  password?: string | undefined;
  /** The URL names one node of a cluster. */
  cluster: boolean;
  /** Response timeout in ms. */
  timeout: number;
};
export type StoreLog = { info(fields: object, message: string): void; warn(fields: object, message: string): void };

/** The store is unreachable or temporarily refuses; whether the command was executed is unknown. */
export class StoreUnavailable extends Error {}

/** Logs an error of one room. While the store is unavailable every room has one, and the connection logs the cause. */
export const logUnreadable = (log: StoreLog, error: unknown): void => {
  if (!(error instanceof StoreUnavailable)) log.warn({ err: error }, 'a room could not be read');
};

/** Prefixes of transient errors: while loading, failing over, out of memory, not yet primary. */
const transient = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/;
/** Not only at the start: errors from a script begin with the script's name. */
const isFull = /\bOOM\b/;
const refusesUser = /\b(WRONGPASS|NOAUTH|NOPERM)\b/;
/** First and longest delay before a reconnect, in ms. */
const backOff = { first: 50, most: 2000 };

type Client = {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  send(key: string, args: string[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  /** Removes only this listener: without it the library would also drop one that subscribes before the response. */
  unsubscribe(channel: string, listener: (message: string) => void): Promise<void>;
  destroy(): void;
};

export class ValkeyConnection {
  /** Settles after the first attempt to connect. @throws if the credentials are refused, which is a configuration error */
  readonly tried: Promise<void>;
  #client: Client | undefined;
  #closed = false;
  /** Commands without a response, and the time of the last response (ms of performance.now()). */
  #pending = 0;
  #silentSince = 0;
  #offset = 0;
  #full = false;
  /** Separate from the server's ticker, which may be waiting for the missing response. */
  readonly #watch: NodeJS.Timeout;
  readonly #options: ValkeyConnectionOptions;
  readonly #log: StoreLog;
  /** Called after every connect and reconnect. */
  readonly #connected: () => void;

  constructor(options: ValkeyConnectionOptions, log: StoreLog, connected: () => void) {
    this.#options = options;
    this.#log = log;
    this.#connected = connected;
    this.#watch = setInterval(() => this.#checkTimeout(), options.timeout / 4).unref();
    this.tried = this.#attempt().catch((error: unknown) => {
      if (refusesUser.test(String(error))) throw error;
      this.#logUnreachable(error);
      void this.#connect();
    });
  }

  get ready(): boolean {
    return this.#client !== undefined;
  }

  /** The store refuses writes because it is out of memory. */
  get full(): boolean {
    return this.#full;
  }

  /** Checks whether a full store accepts writes again. @throws StoreUnavailable */
  async probe(key: string): Promise<void> {
    await this.send(key, 'SET', key, '', 'PX', '1000');
    this.#full = false;
    this.#log.info({}, 'the store accepts writes again');
  }

  /** ms since 1970 by the store's clock, which all workers share. */
  now(): number {
    return Date.now() + this.#offset;
  }

  /** @throws StoreUnavailable */
  async send(key: string, ...args: string[]): Promise<unknown> {
    const client = this.#client;
    if (!client) throw new StoreUnavailable('not connected');
    if (this.#pending === 0) this.#silentSince = performance.now();
    this.#pending += 1;
    try {
      return await client.send(key, args);
    } catch (error) {
      if (error instanceof ErrorReply && isFull.test(error.message)) this.#noteFull(error);
      else if (error instanceof ErrorReply && !transient.test(error.message)) throw error;
      if (error instanceof ErrorReply && error.message.startsWith('READONLY')) this.#drop(client, error);
      throw new StoreUnavailable(String(error), { cause: error });
    } finally {
      this.#silentSince = performance.now();
      if (this.#client === client) this.#pending -= 1;
    }
  }

  /** Runs a script on keys of one slot; sends its text if the store does not have it cached. @throws StoreUnavailable */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    const [key = ''] = keys;
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(key, 'EVALSHA', script.sha1, ...rest);
    } catch (error) {
      if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
      return this.send(key, 'EVAL', script.text, ...rest);
    }
  }

  /** Subscribes to a sharded channel (https://valkey.io/topics/pubsub/) until the connection ends. @throws StoreUnavailable */
  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    try {
      if (!this.#client) throw new StoreUnavailable('not connected');
      await this.#client.subscribe(channel, listener);
    } catch (error) {
      throw new StoreUnavailable(String(error), { cause: error });
    }
  }

  unsubscribe(channel: string, listener: (message: string) => void): void {
    this.#client?.unsubscribe(channel, listener).catch(() => {});
  }

  /** Synchronizes with the store's clock. Called repeatedly, because either clock may be set. @throws StoreUnavailable */
  async setClock(): Promise<void> {
    this.#offset = await offsetBy((args) => this.send('', ...args));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#client?.destroy();
    this.#client = undefined;
  }

  /** Never rejects: every failed attempt is logged and repeated. */
  async #connect(): Promise<void> {
    for (let wait = backOff.first; !this.#closed; wait = Math.min(2 * wait, backOff.most)) {
      // Jitter, because many workers lose the store at the same time.
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())).unref());
      try {
        await this.#attempt();
        return;
      } catch (error) {
        this.#logUnreachable(error);
      }
    }
  }

  /** Detects a connection that is dead but was never closed. */
  #checkTimeout(): void {
    const { timeout } = this.#options;
    if (this.#client && this.#pending > 0 && performance.now() - this.#silentSince > timeout)
      this.#drop(this.#client, new Error(`no response for ${timeout} ms`));
  }

  #noteFull(error: Error): void {
    if (!this.#full) this.#log.warn({ err: error.message }, 'the store is full: rooms cannot change');
    this.#full = true;
  }

  #logUnreachable(error: unknown): void {
    this.#log.warn({ err: String(error) }, 'the store cannot be reached');
  }

  async #attempt(): Promise<void> {
    let onError = (error: unknown): void =>
      this.#log.warn({ err: String(error) }, 'error while connecting to the store');
    if (this.#closed) return;
    const { client, offset } = await open(this.#options, (error) => onError(error));
    if (this.#closed) return client.destroy();
    onError = (error) => this.#drop(client, error);
    this.#client = client;
    this.#offset = offset;
    this.#pending = 0;
    this.#log.info({}, 'connected to the store');
    this.#connected();
  }

  /** Drops the connection; all pending commands fail. */
  #drop(client: Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#log.warn({ err: String(error) }, 'the connection to the store is lost');
    this.#client = undefined;
    client.destroy();
    void this.#connect();
  }
}

/** ms by which the store's clock is ahead of this one. @throws if the store does not respond, as while it is loading */
const offsetBy = async (send: (args: string[]) => Promise<unknown>): Promise<number> => {
  const before = Date.now();
  const response = await send(['TIME']);
  const [seconds = 0, micros = 0] = Array.isArray(response) ? response.map(Number) : [];
  return Math.round(seconds * 1000 + micros / 1000 - (before + Date.now()) / 2);
};

/** @throws if the store is unreachable or does not respond in time */
const open = async (
  options: ValkeyConnectionOptions,
  onError: (error: unknown) => void,
): Promise<{ client: Client; offset: number }> => {
  const client = options.cluster ? clusterClient(options) : singleClient(options);
  client.on('error', onError);
  // The library's timeout covers connecting, but not the first response.
  const timer = setTimeout(() => client.destroy(), 2 * options.timeout);
  try {
    await client.connect();
    return { client, offset: await offsetBy((args) => client.send('', args)) };
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
};

const singleClient = (options: ValkeyConnectionOptions): Client => {
  const client = createClient(optionsOf(options));
  return {
    on: (event, listener) => client.on(event, listener),
    connect: () => client.connect(),
    send: (_key, args) => client.sendCommand(args),
    subscribe: (channel, listener) => client.sSubscribe(channel, listener),
    unsubscribe: (channel, listener) => client.sUnsubscribe(channel, listener),
    destroy: () => client.destroy(),
  };
};

const clusterClient = (options: ValkeyConnectionOptions): Client => {
  const { url, ...defaults } = optionsOf(options);
  const nodes = createCluster({ rootNodes: [{ url }], defaults });
  return {
    on: (event, listener) => nodes.on(event, listener),
    connect: () => nodes.connect(),
    send: (key, args) => nodes.sendCommand(key === '' ? undefined : key, false, args),
    subscribe: (channel, listener) => nodes.sSubscribe(channel, listener),
    unsubscribe: (channel, listener) => nodes.sUnsubscribe(channel, listener),
    destroy: () => nodes.destroy(),
  };
};

/** The library only knows the `redis:` scheme, and uses the user name in a URL only if the password is there too. */
const optionsOf = ({ url, password, timeout }: ValkeyConnectionOptions) => {
  const parsed = new URL(url.replace(/^valkey/, 'redis'));
  const username = decodeURIComponent(parsed.username);
  parsed.username = '';
  return {
    url: parsed.href,
    ...(username === '' ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    socket: { connectTimeout: timeout, reconnectStrategy: false },
    disableOfflineQueue: true,
    // CLIENT SETINFO would need one more permission, and Redis 7.0 does not have it.
    disableClientInfo: true,
    // A timer per command would cost as much as the command itself; `#checkTimeout` covers all of them.
    commandOptions: { timeout: 0 },
  } as const;
};
