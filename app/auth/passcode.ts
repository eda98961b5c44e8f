/** Room passcodes: stored as salted hashes, compared in constant time. */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Both in base64url. */
export type Passcode = { salt: string; hash: string };

export const matches = ({ hash }: Passcode, other: string): boolean => {
  const [a, b] = [Buffer.from(hash), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
};

export const newSalt = (): string => randomBytes(16).toString('base64url');

type Hash = (text: string, salt: string) => Promise<string>;

/**
 * scrypt (RFC 7914) with Node's default cost (N = 2^14, about 35 ms): passcodes are short, so each guess has to be expensive.
 * Runs on another thread.
 */
const scryptHash: Hash = (text, salt) =>
  new Promise((resolve, reject) => {
    scrypt(text, salt, 32, (error, hash) => (error ? reject(error) : resolve(hash.toString('base64url'))));
  });

/** Maximum number of cached results: about 200 kB. */
const mostKnown = 1024;

/**
 * Hashes passcodes one at a time, so that they use at most one core, and round-robin by network, so that one network cannot delay
 * the others. Recent results are cached: a class that joins with the same passcode costs one hash.
 */
export class PasscodeHasher {
  /** Cached results in order of last use. The keys are HMACs, so that no passcode is kept. */
  readonly #known = new Map<string, Promise<string>>();
  readonly #key = randomBytes(32);
  /** By network; the first one is next. */
  readonly #queues = new Map<string, (() => Promise<void>)[]>();
  #running = false;
  readonly #hash: Hash;

  constructor(hash = scryptHash) {
    this.#hash = hash;
  }

  /** Whether the result is cached or pending, so that `hash` costs nothing. */
  knows(text: string, salt: string): boolean {
    return this.#known.has(this.#keyOf(text, salt));
  }

  /** @param network the queue to use */
  hash(text: string, salt: string, network: string): Promise<string> {
    const key = this.#keyOf(text, salt);
    const result = this.#known.get(key) ?? this.#enqueue(text, salt, network);
    this.#known.delete(key);
    this.#known.set(key, result);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKnown) break;
      this.#known.delete(oldest);
    }
    return result;
  }

  #enqueue(text: string, salt: string, network: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const queue = this.#queues.get(network) ?? [];
    this.#queues.set(network, queue);
    // Never rejects: the caller gets the error, and `#run` continues with the next one.
    queue.push(async () => {
      try {
        resolve(await this.#hash(normal(text), salt));
      } catch (error) {
        reject(error);
      }
    });
    promise.catch(() => this.#known.delete(this.#keyOf(text, salt)));
    void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let [next] = this.#queues; next; [next] = this.#queues) {
      const [network, queue] = next;
      this.#queues.delete(network);
      const task = queue.shift();
      if (queue.length > 0) this.#queues.set(network, queue);
      await task?.();
    }
    this.#running = false;
  }

  #keyOf(text: string, salt: string): string {
    return createHmac('sha256', this.#key)
      .update(`${salt}\0${normal(text)}`)
      .digest('base64url');
  }
}

/** Other keyboards may compose the same text differently. */
const normal = (text: string): string => text.normalize('NFC');
