/** What a test case uses of a peer, and what all peers have in common, whatever their transport. */
import type { Joined, Waiting } from '../protocol/messages.ts';
import { Inbox } from './inbox.ts';
import { bearer } from './peer-client.ts';

export type Fields = Record<string, unknown>;

export interface TestPeer {
  readonly inbox: Inbox;
  readonly room: string;
  readonly id: string;
  readonly session: string;
  /** The number of its last numbered message. */
  readonly n: number;
  /** Joins; resolves with the response. */
  join(fields?: Fields): Promise<Joined>;
  /** Joins a room with a lobby; resolves with the response. */
  knock(fields?: Fields): Promise<Waiting>;
  /** Resolves when the peer was admitted. */
  admitted(): Promise<Joined>;
  /** Sends a message; all but `leave` and `ping` get the next number unless they have a field `n`. */
  send(message: Fields): Promise<void>;
  /** Sends several at once. */
  sendMany(messages: Fields[]): Promise<void>;
  /** Drops the connection without a close or leave. */
  cut(): Promise<void>;
  /** Resumes the session after a cut, from the last event received. */
  resume(): Promise<Joined>;
  /** Leaves; `mayReturn`: like a page that may be reloading. */
  leave(mayReturn?: boolean): Promise<void>;
  /** Closes all connections. */
  dispose(): void;
  /** Frees its seat, whatever the state of its connection. */
  goodbye(): Promise<void>;
}

/** A peer that numbers its messages. */
export abstract class NumberedPeer {
  readonly inbox = new Inbox();
  readonly room: string;
  protected readonly base: string;
  /** Additional fields of every join, such as a token. */
  protected readonly always: Fields;
  #n = 0;
  protected joined: Joined | Waiting | undefined;

  constructor(base: string, room: string, always: Fields = {}) {
    this.base = base;
    this.room = room;
    this.always = always;
  }

  async goodbye(): Promise<void> {
    if (!this.joined) return;
    await fetch(urlOf(this.base, this.room, 'leave'), {
      method: 'POST',
      headers: bearer(this.session),
      signal: AbortSignal.timeout(5000),
    });
  }

  async admitted(): Promise<Joined> {
    return this.entered(await this.inbox.take('joined'));
  }

  get n(): number {
    return this.#n;
  }

  get id(): string {
    return this.#requireJoined().self.id;
  }

  get session(): string {
    return this.#requireJoined().session;
  }

  protected entered<First extends Joined | Waiting>(first: First): First {
    if (first.type === 'joined' && !first.recovered) this.#n = 0;
    this.joined = first;
    return first;
  }

  protected number(message: Fields): Fields {
    if (message.type === 'leave' || message.type === 'ping' || 'n' in message) return message;
    this.#n += 1;
    const { type, ...rest } = message;
    return { type, n: this.#n, ...rest };
  }

  protected lastSeq(): number {
    const seqs = this.inbox.all.map((message) => ('seq' in message ? message.seq : 0));
    return Math.max(0, ...seqs);
  }

  #requireJoined(): Joined | Waiting {
    if (!this.joined) throw new Error('the peer has not joined');
    return this.joined;
  }
}

/** @param rest of the path, below the room */
export const urlOf = (base: string, room: string, rest: string): string =>
  `${base}/rooms/${encodeURIComponent(room)}/${rest}`;
