/** Peers for the behavioural spec: the same few verbs over a WebSocket and over plain HTTP requests, with polls or a stream. */
import WebSocket from 'ws';
import type { ErrorCode } from '../../app/protocol/errors.ts';
import {
  type Joined,
  protocolVersion,
  type ServerMessage,
  serverMessage,
  type Waiting,
} from '../../app/protocol/messages.ts';

export type Fields = Record<string, unknown>;
type Of<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;
/** How something was refused: the code, and the HTTP status or the close code (0: the connection goes on). */
export type Refused = { code: ErrorCode; fate: number };

/** What a peer was told and has not been asked about yet; everything is checked against the protocol's schema. */
class Inbox {
  readonly all: ServerMessage[] = [];
  /** As they came, with what no schema knows. */
  readonly raw: unknown[] = [];
  #taken = new Set<ServerMessage>();
  #waiting = new Set<() => void>();

  put(json: unknown): void {
    this.raw.push(json);
    this.all.push(serverMessage.parse(json));
    for (const wake of this.#waiting) wake();
  }

  /** The next message of a type that was not taken before; waits up to `ms` for it. */
  async take<T extends ServerMessage['type']>(type: T, ms = 15_000): Promise<Of<T>> {
    const isWanted = (message: ServerMessage): message is Of<T> => message.type === type && !this.#taken.has(message);
    const until = Date.now() + ms;
    for (;;) {
      const found = this.all.find(isWanted);
      if (found) {
        this.#taken.add(found);
        return found;
      }
      if (Date.now() > until)
        throw new Error(`no ${type} in ${ms} ms; the last: ${JSON.stringify(this.all.slice(-5))}`);
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

  of<T extends ServerMessage['type']>(type: T): Of<T>[] {
    return this.all.filter((message): message is Of<T> => message.type === type);
  }
}

export interface TestPeer {
  readonly inbox: Inbox;
  readonly id: string;
  readonly session: string;
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
  /** Ends everything the test still has open. */
  dispose(): void;
}

/** What the tests need from a way to reach the server. */
export type Transport = {
  name: 'WebSocket' | 'HTTP' | 'SSE';
  peer(base: string, room: string): TestPeer;
  /** Sends a text as it is, in a joined session or before one, and tells how it was refused. */
  refusal(base: string, room: string, texts: string[]): Promise<Refused>;
};

abstract class Numbered {
  readonly inbox = new Inbox();
  #n = 0;
  protected joined: Joined | Waiting | undefined;

  async admitted(): Promise<Joined> {
    return this.entered(await this.inbox.take('joined'));
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
    if (!this.joined) throw new Error('the test peer has not joined');
    return this.joined;
  }
}

const url = (base: string, room: string, rest: string): string => `${base}/rooms/${encodeURIComponent(room)}/${rest}`;

export class WebSocketPeer extends Numbered implements TestPeer {
  #socket: WebSocket | undefined;
  readonly #url: string;
  closed: { code: number; reason: string } | undefined;

  constructor(base: string, room: string) {
    super();
    this.#url = url(base.replace('http', 'ws'), room, 'ws');
  }

  async open(): Promise<void> {
    const socket = new WebSocket(this.#url, protocolVersion);
    this.#socket = socket;
    this.closed = undefined;
    socket.on('message', (data) => this.inbox.put(JSON.parse(String(data))));
    socket.on('close', (code, reason) => {
      if (this.#socket === socket) this.closed = { code, reason: reason.toString() };
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
  }

  async join(fields: Fields = {}): Promise<Joined> {
    await this.#arrive(fields);
    return this.entered(await this.inbox.take('joined'));
  }

  async knock(fields: Fields = {}): Promise<Waiting> {
    await this.#arrive(fields);
    return this.entered(await this.inbox.take('waiting'));
  }

  async #arrive(fields: Fields): Promise<void> {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) await this.open();
    this.write(JSON.stringify({ type: 'join', ...fields }));
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
  readonly #base: string;
  readonly room: string;
  #listening: AbortController | undefined;
  /** The number to ask after next. */
  protected after = 0;

  constructor(base: string, room: string) {
    super();
    this.#base = base;
    this.room = room;
  }

  async post(rest: string, body: unknown): Promise<{ status: number; json: unknown }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(url(this.#base, this.room, rest), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.joined ? { authorization: `Bearer ${this.joined.session}` } : {}),
      },
      body: text,
    });
    const said = await answer.text();
    return { status: answer.status, json: said === '' ? undefined : JSON.parse(said) };
  }

  /** One request for events; the answer's status and messages. */
  async poll(wait = 0, signal?: AbortSignal, after = this.after): Promise<{ status: number; json: Fields }> {
    const answer = await this.events(`after=${after}&wait=${wait}`, {}, signal);
    return { status: answer.status, json: await answer.json() };
  }

  events(query: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(url(this.#base, this.room, `events?${query}`), {
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
    const { status, json } = await this.post('join', fields);
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

export class StreamPeer extends HttpPeer {
  /** Reads streams, one after the other as they end, until a `bye`. */
  protected override async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.inbox.of('bye').length === 0) {
      const answer = await this.events(`after=${this.after}`, { accept: 'text/event-stream' }, signal);
      if (answer.status !== 200) return this.inbox.put(await answer.json());
      for await (const { id, data } of eventsIn(answer)) {
        if (id !== undefined) this.after = Number(id);
        if (data !== undefined) this.inbox.put(JSON.parse(data));
      }
    }
  }
}

/** A block of an event stream; `comment` is what follows a colon at the beginning of a line. */
export type Block = { id?: string; data?: string; retry?: string; comment?: string };

/** The blocks of an event stream as they come; https://html.spec.whatwg.org/multipage/server-sent-events.html */
export async function* eventsIn(answer: Response): AsyncGenerator<Block> {
  let text = '';
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon) || 'comment', line.slice(colon + 1).replace(/^ /, '')];
      });
      yield Object.fromEntries(fields);
    }
  }
}

export const webSocket: Transport = {
  name: 'WebSocket',
  peer: (base, room) => new WebSocketPeer(base, room),
  async refusal(base, room, texts) {
    const peer = new WebSocketPeer(base, room);
    await peer.open();
    for (const text of texts) peer.write(text);
    const isRefusal = (message: ServerMessage) => message.type === 'error' || message.type === 'bye';
    while (!peer.inbox.all.some(isRefusal)) await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = peer.inbox.all.find(isRefusal);
    if (refused?.type === 'bye') return { code: refused.code, fate: (await peer.closing()).code };
    peer.dispose();
    if (refused?.type !== 'error') throw new Error('unreachable');
    return { code: refused.code, fate: 0 };
  },
};

export const plainHttp: Transport = {
  name: 'HTTP',
  peer: (base, room) => new HttpPeer(base, room),
  /** A text of type join goes to `join`, every other to `messages`, with the session of the join before. */
  async refusal(base, room, texts) {
    const peer = new HttpPeer(base, room);
    try {
      for (const text of texts) {
        const isJoin = text.includes('"type":"join"');
        if (isJoin && texts.indexOf(text) === 0 && texts.length > 1) {
          await peer.join(JSON.parse(text));
          continue;
        }
        const { status, json } = await peer.post(isJoin && texts.length === 1 ? 'join' : 'messages', text);
        const reply = Array.isArray((json as Fields)?.messages) ? (json as { messages: Fields[] }).messages[0] : json;
        const message = serverMessage.parse(reply);
        if (message.type === 'error') return { code: message.code, fate: status };
      }
    } finally {
      peer.dispose();
    }
    throw new Error('nothing was refused');
  },
};

export const eventStream: Transport = {
  ...plainHttp,
  name: 'SSE',
  peer: (base, room) => new StreamPeer(base, room),
};
