/** Test peers: the same methods over a WebSocket and over HTTP, with polling or an event stream. */
import WebSocket from 'ws';
import { errors } from '../protocol/errors.ts';
import { type Block, BlockReader } from '../protocol/event-stream.ts';
import { type Joined, protocolVersion, serverMessage, type Waiting } from '../protocol/messages.ts';
import { Inbox, TurnedAway } from './inbox.ts';

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

abstract class Numbered {
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
    await fetch(url(this.base, this.room, 'leave'), {
      method: 'POST',
      headers: { authorization: `Bearer ${this.session}` },
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

const url = (base: string, room: string, rest: string): string => `${base}/rooms/${encodeURIComponent(room)}/${rest}`;

export class WebSocketPeer extends Numbered implements TestPeer {
  #socket: WebSocket | undefined;
  closed: { code: number; reason: string } | undefined;

  async open(): Promise<void> {
    const socket = new WebSocket(url(this.base.replace('http', 'ws'), this.room, 'ws'), protocolVersion);
    this.#socket = socket;
    this.closed = undefined;
    socket.on('message', (data) => this.inbox.putText(String(data)));
    socket.on('close', (code, reason) => {
      if (this.#socket === socket) this.closed = { code, reason: reason.toString() };
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (request, { statusCode }) => {
        request.destroy();
        const { message } = errors['rate-limited'];
        reject(
          statusCode === 429
            ? new TurnedAway('rate-limited', message)
            : new Error(`the WebSocket handshake was answered with ${statusCode}`),
        );
      });
    });
    socket.on('error', () => {});
  }

  async join(fields: Fields = {}): Promise<Joined> {
    const before = this.inbox.all.length;
    await this.#sendJoin(fields);
    return this.entered(await this.inbox.answer('joined', before));
  }

  async knock(fields: Fields = {}): Promise<Waiting> {
    const before = this.inbox.all.length;
    await this.#sendJoin(fields);
    return this.entered(await this.inbox.answer('waiting', before));
  }

  async #sendJoin(fields: Fields): Promise<void> {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) await this.open();
    this.write(JSON.stringify({ type: 'join', ...this.always, ...fields }));
  }

  async send(message: Fields): Promise<void> {
    this.write(JSON.stringify(this.number(message)));
  }

  async sendMany(messages: Fields[]): Promise<void> {
    for (const message of messages) await this.send(message);
  }

  /** Sends raw data. */
  write(data: string | Buffer): void {
    this.#socket?.send(data);
  }

  /** Stops reading from the socket, like a peer on a busy machine. */
  stall(): void {
    this.#socket?.pause();
  }

  async closing(ms = 15_000): Promise<{ code: number; reason: string }> {
    const until = Date.now() + ms;
    while (!this.closed) {
      if (Date.now() > until) throw new Error('the WebSocket was not closed');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.closed;
  }

  async cut(): Promise<void> {
    this.#socket?.terminate();
  }

  async resume(): Promise<Joined> {
    await this.open();
    return this.join({ session: this.session, after: this.lastSeq() });
  }

  async leave(mayReturn = false): Promise<void> {
    this.write(JSON.stringify({ type: 'leave', mayReturn }));
    await this.closing();
  }

  dispose(): void {
    this.#socket?.terminate();
  }
}

export class HttpPeer extends Numbered implements TestPeer {
  #listening: AbortController | undefined;
  /** The event number for the next request. */
  protected after = 0;

  async post(rest: string, body: unknown): Promise<{ status: number; json: unknown }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(url(this.base, this.room, rest), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.joined ? { authorization: `Bearer ${this.joined.session}` } : {}),
      },
      body: text,
    });
    return { status: response.status, json: response.status === 204 ? undefined : await jsonOf(response) };
  }

  /** Sends one request for events. */
  async poll(wait = 0, signal?: AbortSignal, after = this.after): Promise<{ status: number; json: Fields }> {
    const response = await this.events(`after=${after}&wait=${wait}`, {}, signal);
    return { status: response.status, json: await jsonOf(response) };
  }

  events(query: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(url(this.base, this.room, `events?${query}`), {
      headers: { authorization: `Bearer ${this.session}`, ...headers },
      ...(signal ? { signal } : {}),
    });
  }

  async join(fields: Fields = {}): Promise<Joined> {
    await this.#sendJoin(fields);
    if (fields.after !== undefined) this.after = Number(fields.after);
    return this.#startListening(await this.inbox.take('joined'));
  }

  async knock(fields: Fields = {}): Promise<Waiting> {
    await this.#sendJoin(fields);
    return this.#startListening(await this.inbox.take('waiting'));
  }

  async #sendJoin(fields: Fields): Promise<void> {
    const { status, json } = await this.post('join', { ...this.always, ...fields });
    const { data } = serverMessage.safeParse(json);
    if (status !== 200 && data?.type === 'error') throw new TurnedAway(data.code, data.message);
    if (status !== 200) throw new Error(`join was answered with ${status} ${JSON.stringify(json)}`);
    this.inbox.put(json);
  }

  #startListening<First extends Joined | Waiting>(first: First): First {
    this.entered(first);
    if (first.type === 'waiting' || !first.recovered) this.after = first.seq;
    this.#listening?.abort();
    this.#listening = new AbortController();
    this.listen(this.#listening.signal).catch(() => {});
    return first;
  }

  send(message: Fields): Promise<void> {
    return this.sendMany([message]);
  }

  async sendMany(messages: Fields[]): Promise<void> {
    const numbered = messages.map((message) => this.number(message));
    const { json } = await this.post('messages', numbered.length === 1 ? numbered[0] : numbered);
    const replies = typeof json === 'object' && json !== null && 'messages' in json ? json.messages : [];
    for (const reply of Array.isArray(replies) ? replies : [json]) this.inbox.put(reply);
  }

  async cut(): Promise<void> {
    this.#listening?.abort();
  }

  resume(): Promise<Joined> {
    return this.join({ session: this.session, after: this.after });
  }

  async leave(mayReturn = false): Promise<void> {
    this.#listening?.abort();
    await this.post('leave', { mayReturn });
  }

  dispose(): void {
    this.#listening?.abort();
  }

  /** Polls continuously, like a client. */
  protected async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { json } = await this.poll(5, signal);
      if (!Array.isArray(json.messages)) return this.inbox.put(json);
      for (const message of json.messages) this.inbox.put(message);
      this.after = Number(json.seq);
    }
  }
}

/** A peer that requests events only when `poll` or `events` is called. */
export class AskingPeer extends HttpPeer {
  protected override async listen(): Promise<void> {}
}

export class StreamPeer extends HttpPeer {
  /** Reads event streams, a new one whenever one ends, until a `bye`. */
  protected override async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.inbox.of('bye').length === 0) {
      const response = await this.events(`after=${this.after}`, { accept: 'text/event-stream' }, signal);
      if (response.status !== 200) return this.inbox.put(await jsonOf(response));
      for await (const { id, data } of eventsIn(response)) {
        if (id !== undefined) this.after = Number(id);
        if (data !== undefined) this.inbox.putText(data);
      }
    }
  }
}

/** The body as JSON. A 429 with another body comes from nginx's rate limit. */
const jsonOf = async (response: Response): Promise<Fields> => {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    if (response.status === 429) throw new TurnedAway('rate-limited', errors['rate-limited'].message);
    throw new Error(`response ${response.status} is not JSON: ${text.slice(0, 80)}`);
  }
};

/** The blocks of an event stream as they arrive. */
export async function* eventsIn(response: Response): AsyncGenerator<Block> {
  const blocks = new BlockReader();
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) yield* blocks.read(chunk);
}
