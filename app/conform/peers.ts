/** Peers for the spec: the same few verbs over a WebSocket and over plain HTTP requests, with polls or a stream. */
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
  /** The number of its last message that has one. */
  readonly n: number;
  /** Joins; resolves with the answer. */
  join(fields?: Fields): Promise<Joined>;
  /** Joins where one has to knock; resolves with the answer. */
  knock(fields?: Fields): Promise<Waiting>;
  /** Resolves when it was let in. */
  admitted(): Promise<Joined>;
  /** Sends a message; signals, chats and updates get the next number unless one is given. */
  send(message: Fields): Promise<void>;
  /** Sends several in one go. */
  sendMany(messages: Fields[]): Promise<void>;
  /** Loses the connection without a word. */
  cut(): Promise<void>;
  /** Takes the session up again after a cut, from the last event seen. */
  resume(): Promise<Joined>;
  /** Leaves; `mayReturn` as a page that may be loaded again. */
  leave(mayReturn?: boolean): Promise<void>;
  /** Ends everything it still has open. */
  dispose(): void;
  /** Lets go of its seat, whatever became of its connection. */
  goodbye(): Promise<void>;
}

abstract class Numbered {
  readonly inbox = new Inbox();
  readonly room: string;
  protected readonly base: string;
  /** What it says in every join besides, such as a token. */
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
    return this.#have().self.id;
  }

  get session(): string {
    return this.#have().session;
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

  #have(): Joined | Waiting {
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
    socket.on('message', (data) => this.inbox.hear(String(data)));
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
            : new Error(`the handshake of the WebSocket was answered ${statusCode}`),
        );
      });
    });
    socket.on('error', () => {});
  }

  async join(fields: Fields = {}): Promise<Joined> {
    const before = this.inbox.all.length;
    await this.#arrive(fields);
    return this.entered(await this.inbox.answer('joined', before));
  }

  async knock(fields: Fields = {}): Promise<Waiting> {
    const before = this.inbox.all.length;
    await this.#arrive(fields);
    return this.entered(await this.inbox.answer('waiting', before));
  }

  async #arrive(fields: Fields): Promise<void> {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) await this.open();
    this.write(JSON.stringify({ type: 'join', ...this.always, ...fields }));
  }

  async send(message: Fields): Promise<void> {
    this.write(JSON.stringify(this.number(message)));
  }

  async sendMany(messages: Fields[]): Promise<void> {
    for (const message of messages) await this.send(message);
  }

  /** Sends bytes as they are. */
  write(data: string | Buffer): void {
    this.#socket?.send(data);
  }

  /** Reads nothing more from the socket, as a peer whose machine is busy. */
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
  /** The number to ask after next. */
  protected after = 0;

  async post(rest: string, body: unknown): Promise<{ status: number; json: unknown }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(url(this.base, this.room, rest), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.joined ? { authorization: `Bearer ${this.joined.session}` } : {}),
      },
      body: text,
    });
    return { status: answer.status, json: answer.status === 204 ? undefined : await jsonOf(answer) };
  }

  /** One request for events; the answer's status and messages. */
  async poll(wait = 0, signal?: AbortSignal, after = this.after): Promise<{ status: number; json: Fields }> {
    const answer = await this.events(`after=${after}&wait=${wait}`, {}, signal);
    return { status: answer.status, json: await jsonOf(answer) };
  }

  events(query: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(url(this.base, this.room, `events?${query}`), {
      headers: { authorization: `Bearer ${this.session}`, ...headers },
      ...(signal ? { signal } : {}),
    });
  }

  async join(fields: Fields = {}): Promise<Joined> {
    await this.#arrive(fields);
    if (fields.after !== undefined) this.after = Number(fields.after);
    return this.#begin(await this.inbox.take('joined'));
  }

  async knock(fields: Fields = {}): Promise<Waiting> {
    await this.#arrive(fields);
    return this.#begin(await this.inbox.take('waiting'));
  }

  async #arrive(fields: Fields): Promise<void> {
    const { status, json } = await this.post('join', { ...this.always, ...fields });
    const { data } = serverMessage.safeParse(json);
    if (status !== 200 && data?.type === 'error') throw new TurnedAway(data.code, data.message);
    if (status !== 200) throw new Error(`join was answered ${status} ${JSON.stringify(json)}`);
    this.inbox.put(json);
  }

  #begin<First extends Joined | Waiting>(first: First): First {
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

  /** Asks for events again and again, as a client does. */
  protected async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { json } = await this.poll(5, signal);
      if (!Array.isArray(json.messages)) return this.inbox.put(json);
      for (const message of json.messages) this.inbox.put(message);
      this.after = Number(json.seq);
    }
  }
}

/** One that asks for events only when it is told to. */
export class AskingPeer extends HttpPeer {
  protected override async listen(): Promise<void> {}
}

export class StreamPeer extends HttpPeer {
  /** Reads streams, one after the other as they end, until a `bye`. */
  protected override async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.inbox.of('bye').length === 0) {
      const answer = await this.events(`after=${this.after}`, { accept: 'text/event-stream' }, signal);
      if (answer.status !== 200) return this.inbox.put(await jsonOf(answer));
      for await (const { id, data } of eventsIn(answer)) {
        if (id !== undefined) this.after = Number(id);
        if (data !== undefined) this.inbox.hear(data);
      }
    }
  }
}

/** What nginx answers to those in haste is told in its own words. */
const jsonOf = async (answer: Response): Promise<Fields> => {
  const said = await answer.text();
  try {
    return JSON.parse(said);
  } catch {
    if (answer.status === 429) throw new TurnedAway('rate-limited', errors['rate-limited'].message);
    throw new Error(`${answer.status} was answered with what is no JSON: ${said.slice(0, 80)}`);
  }
};

/** The blocks of an event stream as they come. */
export async function* eventsIn(answer: Response): AsyncGenerator<Block> {
  const blocks = new BlockReader();
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) yield* blocks.read(chunk);
}
