/** The messages that a peer has received; each is checked against the protocol's schema. */
import { z } from 'zod';
import { errors } from '../protocol/errors.ts';
import { type ServerMessage, serverMessage } from '../protocol/messages.ts';
import { shown } from './expect.ts';

type Type = ServerMessage['type'];
type Of<T extends Type> = Extract<ServerMessage, { type: T }>;

/** The server refused a join or a request: the code and the sentence of its error. */
export class RefusedError extends Error {
  readonly code: string;
  readonly sentence: string;

  constructor(code: string, sentence: string) {
    super(`refused: ${code}: ${sentence}`);
    this.code = code;
    this.sentence = sentence;
  }
}

export class Inbox {
  readonly all: ServerMessage[] = [];
  /** As received, including fields that are not in the schema. */
  readonly raw: unknown[] = [];
  #taken = new Set<ServerMessage>();
  /** How many of all `next` has read. */
  #read = 0;
  #waiters = new Set<() => void>();
  #error: Error | undefined;

  put(json: unknown): void {
    this.raw.push(json);
    const { success, data, error } = serverMessage.safeParse(json);
    if (success) this.all.push(data);
    else this.#error ??= new Error(`${shown(json)} is not a message of the protocol: ${z.prettifyError(error)}`);
    for (const wake of this.#waiters) wake();
  }

  /** Like `put`, for text that should be JSON. */
  putText(text: string): void {
    try {
      this.put(JSON.parse(text));
    } catch {
      this.#error ??= new Error(`${shown(text)} is not JSON`);
    }
  }

  /** The next message of a type that was not taken yet; waits up to `ms` for it. */
  async take<T extends Type>(type: T, ms = 15_000): Promise<Of<T>> {
    const isWanted = (message: ServerMessage): message is Of<T> => message.type === type && !this.#taken.has(message);
    const message = await this.#until(() => this.all.find(isWanted), type, ms);
    this.#taken.add(message);
    return message;
  }

  /**
   * The next message of a type; undefined if there is none within `ms` or before `isOver`. Skips messages of other types.
   * @throws RefusedError if `error`, `bye` or `waiting` comes first
   */
  async next<T extends Type>(type: T, ms: number, isOver: () => boolean): Promise<Of<T> | undefined> {
    const isWanted = (message: ServerMessage): message is Of<T> => message.type === type;
    const until = Date.now() + ms;
    for (;;) {
      for (const message of this.all.slice(this.#read)) {
        this.#read += 1;
        if (isWanted(message)) return message;
        if (message.type === 'bye' || message.type === 'error') throw new RefusedError(message.code, message.message);
        if (message.type === 'waiting') throw new RefusedError('waiting', errors.waiting.message);
      }
      if (isOver() || Date.now() >= until) return undefined;
      await this.#nextMessage();
    }
  }

  /** The response to a join that was sent after `before` messages had been received. @throws RefusedError */
  async answer<T extends 'joined' | 'waiting'>(type: T, before: number): Promise<Of<T>> {
    const isResponse = (message: ServerMessage): message is Of<T> => message.type === type;
    const response = () => {
      const since = this.all.slice(before);
      for (const message of since) {
        if (message.type === 'bye') throw new RefusedError(message.code, message.message);
        if (message.type === 'waiting' && type === 'joined') throw new RefusedError('waiting', errors.waiting.message);
      }
      return since.find(isResponse);
    };
    const message = await this.#until(response, type, 15_000);
    this.#taken.add(message);
    return message;
  }

  /** The first refusal, whether it ends the connection or not. */
  refusal(): Promise<Of<'bye'> | Of<'error'>> {
    const isRefusal = (message: ServerMessage) => message.type === 'error' || message.type === 'bye';
    return this.#until(() => this.all.find(isRefusal), 'error or bye', 15_000);
  }

  /** Waits for `count` pongs or for a refusal. */
  async pongs(count: number): Promise<void> {
    const isRefusal = ({ type }: ServerMessage) => type === 'error' || type === 'bye';
    await this.#until(() => this.of('pong')[count - 1] ?? this.all.find(isRefusal), `pong ${count}`, 15_000);
  }

  of<T extends Type>(type: T): Of<T>[] {
    return this.all.filter((message): message is Of<T> => message.type === type);
  }

  async #until<Message extends ServerMessage>(
    find: () => Message | undefined,
    wanted: string,
    ms: number,
  ): Promise<Message> {
    const until = Date.now() + ms;
    for (;;) {
      if (this.#error) throw this.#error;
      const found = find();
      if (found) return found;
      if (Date.now() > until) {
        const last = this.all.slice(-5).map((message) => ('code' in message ? message.code : message.type));
        throw new Error(`no ${wanted} within ${ms / 1000} s; last received: ${last.join(', ') || 'nothing'}`);
      }
      await this.#nextMessage();
    }
  }

  /** Resolves with the next message, or after 50 ms. */
  async #nextMessage(): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 50);
      this.#waiters.add(wake);
    });
  }
}
