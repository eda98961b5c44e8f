/** What a peer was told and has not been asked about yet; everything is checked against the protocol's schema. */
import { z } from 'zod';
import { type ErrorCode, errors } from '../protocol/errors.ts';
import { type ServerMessage, serverMessage } from '../protocol/messages.ts';
import { shown } from './expect.ts';

type Type = ServerMessage['type'];
type Of<T extends Type> = Extract<ServerMessage, { type: T }>;

/** A peer was not let in. */
export class TurnedAway extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(`entering was refused: ${code}: ${message}`);
    this.code = code;
  }
}

export class Inbox {
  readonly all: ServerMessage[] = [];
  /** As they came, with what no schema knows. */
  readonly raw: unknown[] = [];
  #taken = new Set<ServerMessage>();
  #waiting = new Set<() => void>();
  #fault: Error | undefined;

  put(json: unknown): void {
    this.raw.push(json);
    const { success, data, error } = serverMessage.safeParse(json);
    if (success) this.all.push(data);
    else this.#fault ??= new Error(`${shown(json)} is no message of the protocol: ${z.prettifyError(error)}`);
    for (const wake of this.#waiting) wake();
  }

  /** The same, of what should be JSON. */
  hear(text: string): void {
    try {
      this.put(JSON.parse(text));
    } catch {
      this.#fault ??= new Error(`${shown(text)} is no JSON`);
    }
  }

  /** The next message of a type that was not taken before; waits up to `ms` for it. */
  async take<T extends Type>(type: T, ms = 15_000): Promise<Of<T>> {
    const isWanted = (message: ServerMessage): message is Of<T> => message.type === type && !this.#taken.has(message);
    const message = await this.#until(() => this.all.find(isWanted), type, ms);
    this.#taken.add(message);
    return message;
  }

  /** The answer to a join that was sent when `before` messages had come. @throws TurnedAway */
  async answer<T extends 'joined' | 'waiting'>(type: T, before: number): Promise<Of<T>> {
    const isAnswer = (message: ServerMessage): message is Of<T> => message.type === type;
    const answer = () => {
      const since = this.all.slice(before);
      for (const message of since) {
        if (message.type === 'bye') throw new TurnedAway(message.code, message.message);
        if (message.type === 'waiting' && type === 'joined') throw new TurnedAway('waiting', errors.waiting.message);
      }
      return since.find(isAnswer);
    };
    const message = await this.#until(answer, type, 15_000);
    this.#taken.add(message);
    return message;
  }

  /** What was refused first, with or without the end of the connection. */
  refusal(): Promise<Of<'bye'> | Of<'error'>> {
    const isRefusal = (message: ServerMessage) => message.type === 'error' || message.type === 'bye';
    return this.#until(() => this.all.find(isRefusal), 'error or bye', 15_000);
  }

  /** Waits until so many pings were answered, or something was refused. */
  async pongs(many: number): Promise<void> {
    const isRefusal = ({ type }: ServerMessage) => type === 'error' || type === 'bye';
    await this.#until(() => this.of('pong')[many - 1] ?? this.all.find(isRefusal), `pong ${many}`, 15_000);
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
      if (this.#fault) throw this.#fault;
      const found = find();
      if (found) return found;
      if (Date.now() > until) {
        const last = this.all.slice(-5).map((message) => ('code' in message ? message.code : message.type));
        throw new Error(`no ${wanted} in ${ms / 1000} s; the last to come: ${last.join(', ') || 'nothing'}`);
      }
      await this.#wakened();
    }
  }

  async #wakened(): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 50);
      this.#waiting.add(wake);
    });
  }
}
