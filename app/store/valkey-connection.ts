/** The connection to Valkey: one at a time, made anew with back-off when it breaks or an answer stays out. */
import { createClient, createCluster, ErrorReply } from '@redis/client';
import type { Script } from './scripts.ts';

export type ValkeyConnectionOptions = {
  /** `valkey://user@host:port/database`, or `valkeys:` for TLS; `redis:` and `rediss:` are the same. */
  url: string;
  password?: string | undefined;
  /** The URL names one node of a cluster. */
  cluster: boolean;
  /** ms that an answer may take. */
  timeout: number;
};
type Log = { info(fields: object, message: string): void; warn(fields: object, message: string): void };

/** The store cannot be reached, or cannot do it now; whether it was done is not known. */
export class StoreUnavailable extends Error {}

/** What an answer begins with that will be another one later: while loading, failing over, out of memory, not yet primary. */
const passing = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|BUSY|MISCONF|NOREPLICAS|UNBLOCKED)\b/;
/** Also within a script, where it stands behind the name of the script. */
const isFull = /\bOOM\b/;
const refusesUser = /\b(WRONGPASS|NOAUTH|NOPERM)\b/;
/** ms before the first attempt to connect again, and at most. */
const backOff = { first: 50, most: 2000 };

type Client = {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  send(key: string, args: string[]): Promise<unknown>;
  hear(channel: string, listener: (message: string) => void): Promise<void>;
  /** Without its listener the library would forget one that is to hear the channel next, before this is answered. */
  leave(channel: string, listener: (message: string) => void): Promise<void>;
  destroy(): void;
};

export class ValkeyConnection {
  /** Settles after the first attempt to connect. @throws when the user is refused: that is a mistake in the settings */
  readonly tried: Promise<void>;
  #client: Client | undefined;
  #closed = false;
  /** Commands that are not answered yet, and since when (ms of performance.now()) none was. */
  #open = 0;
  #silentSince = 0;
  #offset = 0;
  #full = false;
  /** Not the server's ticker: that one may be waiting for the very answer that stays out. */
  readonly #watch: NodeJS.Timeout;
  readonly #options: ValkeyConnectionOptions;
  readonly #log: Log;
  /** Called whenever it is connected anew. */
  readonly #connected: () => void;

  constructor(options: ValkeyConnectionOptions, log: Log, connected: () => void) {
    this.#options = options;
    this.#log = log;
    this.#connected = connected;
    this.#watch = setInterval(() => this.#look(), options.timeout / 4).unref();
    this.tried = this.#attempt().catch((error: unknown) => {
      if (refusesUser.test(String(error))) throw error;
      this.#unreachable(error);
      void this.#connect();
    });
  }

  get ready(): boolean {
    return this.#client !== undefined;
  }

  /** The store refuses to write for want of memory. */
  get full(): boolean {
    return this.#full;
  }

  /** Asks a full store whether it can write again. @throws Away */
  async probe(key: string): Promise<void> {
    await this.send(key, 'SET', key, '', 'PX', '1000');
    this.#full = false;
    this.#log.info({}, 'the store can write again');
  }

  /** ms since 1970 by the clock of the store, which is the same for all who share it. */
  now(): number {
    return Date.now() + this.#offset;
  }

  /** @throws Away */
  async send(key: string, ...args: string[]): Promise<unknown> {
    const client = this.#client;
    if (!client) throw new StoreUnavailable('not connected');
    if (this.#open === 0) this.#silentSince = performance.now();
    this.#open += 1;
    try {
      return await client.send(key, args);
    } catch (error) {
      if (error instanceof ErrorReply && isFull.test(error.message)) this.#noteFull(error);
      else if (error instanceof ErrorReply && !passing.test(error.message)) throw error;
      if (error instanceof ErrorReply && error.message.startsWith('READONLY')) this.#drop(client, error);
      throw new StoreUnavailable(String(error), { cause: error });
    } finally {
      this.#silentSince = performance.now();
      if (this.#client === client) this.#open -= 1;
    }
  }

  /** Runs a script on keys of one slot; it is sent whole when the store does not know it yet. @throws Away */
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

  /** Hears a sharded channel (https://valkey.io/topics/pubsub/) from when it resolves, until the connection ends. @throws Away */
  async hear(channel: string, listener: (message: string) => void): Promise<void> {
    try {
      if (!this.#client) throw new StoreUnavailable('not connected');
      await this.#client.hear(channel, listener);
    } catch (error) {
      throw new StoreUnavailable(String(error), { cause: error });
    }
  }

  leave(channel: string, listener: (message: string) => void): void {
    this.#client?.leave(channel, listener).catch(() => {});
  }

  /** Compares clocks, now and then, since either may be set. @throws Away */
  async setClock(): Promise<void> {
    this.#offset = await offsetBy((args) => this.send('', ...args));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#client?.destroy();
    this.#client = undefined;
  }

  async #connect(): Promise<void> {
    for (let wait = backOff.first; !this.#closed; wait = Math.min(2 * wait, backOff.most)) {
      // Many workers lost it at once.
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())).unref());
      try {
        await this.#attempt();
        return;
      } catch (error) {
        this.#unreachable(error);
      }
    }
  }

  /** A connection may be dead without having ended. */
  #look(): void {
    const { timeout } = this.#options;
    if (this.#client && this.#open > 0 && performance.now() - this.#silentSince > timeout)
      this.#drop(this.#client, new Error(`no answer for ${timeout} ms`));
  }

  #noteFull(error: Error): void {
    if (!this.#full) this.#log.warn({ err: error.message }, 'the store is full: rooms cannot change');
    this.#full = true;
  }

  #unreachable(error: unknown): void {
    this.#log.warn({ err: String(error) }, 'the store cannot be reached');
  }

  async #attempt(): Promise<void> {
    let broken = (error: unknown): void => this.#log.warn({ err: String(error) }, 'while connecting to the store');
    if (this.#closed) return;
    const { client, offset } = await open(this.#options, (error) => broken(error));
    if (this.#closed) return client.destroy();
    broken = (error) => this.#drop(client, error);
    this.#client = client;
    this.#offset = offset;
    this.#open = 0;
    this.#log.info({}, 'connected to the store');
    this.#connected();
  }

  /** Everything that waits for an answer gets an error. */
  #drop(client: Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#log.warn({ err: String(error) }, 'the store is away');
    this.#client = undefined;
    client.destroy();
    void this.#connect();
  }
}

/** ms by which the store's clock is ahead of this one. @throws when the store does not tell, which it does once it has loaded */
const offsetBy = async (send: (args: string[]) => Promise<unknown>): Promise<number> => {
  const before = Date.now();
  const answer = await send(['TIME']);
  const [seconds = 0, micros = 0] = Array.isArray(answer) ? answer.map(Number) : [];
  return Math.round(seconds * 1000 + micros / 1000 - (before + Date.now()) / 2);
};

/** @throws when it cannot be reached, or does not answer in time */
const open = async (
  options: ValkeyConnectionOptions,
  broken: (error: unknown) => void,
): Promise<{ client: Client; offset: number }> => {
  const client = options.cluster ? ofCluster(options) : ofOne(options);
  client.on('error', broken);
  // The library waits for a connection at most so long, but for ever for the first answer.
  const late = setTimeout(() => client.destroy(), 2 * options.timeout);
  try {
    await client.connect();
    return { client, offset: await offsetBy((args) => client.send('', args)) };
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
};

const ofOne = (options: ValkeyConnectionOptions): Client => {
  const client = createClient(optionsOf(options));
  return {
    on: (event, listener) => client.on(event, listener),
    connect: () => client.connect(),
    send: (_key, args) => client.sendCommand(args),
    hear: (channel, listener) => client.sSubscribe(channel, listener),
    leave: (channel, listener) => client.sUnsubscribe(channel, listener),
    destroy: () => client.destroy(),
  };
};

const ofCluster = (options: ValkeyConnectionOptions): Client => {
  const { url, ...defaults } = optionsOf(options);
  const nodes = createCluster({ rootNodes: [{ url }], defaults });
  return {
    on: (event, listener) => nodes.on(event, listener),
    connect: () => nodes.connect(),
    send: (key, args) => nodes.sendCommand(key === '' ? undefined : key, false, args),
    hear: (channel, listener) => nodes.sSubscribe(channel, listener),
    leave: (channel, listener) => nodes.sUnsubscribe(channel, listener),
    destroy: () => nodes.destroy(),
  };
};

/** The library knows the scheme of old, and takes the user of a URL only with the password in it. */
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
    // CLIENT SETINFO is one more right that the user would need, and Redis 7.0 does not know it.
    disableClientInfo: true,
    // A timer for each command would cost as much as the command; `#look` does that for all.
    commandOptions: { timeout: 0 },
  } as const;
};
