/** Test peers: the same methods over a WebSocket and over HTTP, with polling or an event stream. */
import { setTimeout as sleep } from 'node:timers/promises';
import { most } from '../protocol/limits.ts';
import { binaryProtocolVersion, type Joined, protocolVersion, type Waiting } from '../protocol/messages.ts';
import { nestsDeeper } from '../protocol/nesting.ts';
import { signalFrame } from '../protocol/signal-frame.ts';
import {
  acceptedJson,
  bearer,
  eventsIn,
  type HttpResponse,
  jsonOf,
  PeerSocket,
  rateLimited,
  responseOf,
  type SocketClose,
} from './peer-client.ts';
import { type Fields, NumberedPeer, type TestPeer, urlOf } from './test-peer.ts';

export type { Fields, TestPeer } from './test-peer.ts';

export class WebSocketPeer extends NumberedPeer implements TestPeer {
  /** The subprotocols that it offers. */
  protected readonly versions: string[] = [protocolVersion];
  #socket: PeerSocket | undefined;

  /** How the connection was closed; undefined while it is open. */
  get closed(): SocketClose | undefined {
    return this.#socket?.closedWith;
  }

  async open(): Promise<void> {
    const url = urlOf(this.base.replace('http', 'ws'), this.room, 'ws');
    const opened = await PeerSocket.open(url, this.inbox, {}, this.versions);
    if (opened instanceof PeerSocket) this.#socket = opened;
    else if (opened.status === 429) throw rateLimited();
    else throw new Error(`the WebSocket handshake was answered with ${opened.status}`);
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
    if (!this.#socket?.isOpen) await this.open();
    this.write(JSON.stringify({ type: 'join', ...this.always, ...fields }));
  }

  async send(message: Fields): Promise<void> {
    this.write(JSON.stringify(this.number(message)));
  }

  async sendMany(messages: Fields[]): Promise<void> {
    for (const message of messages) await this.send(message);
  }

  /** The subprotocol that the server has chosen; undefined before the connection is open. */
  get protocol(): string | undefined {
    return this.#socket?.protocol;
  }

  /** Sends raw data. */
  write(data: string | Uint8Array): void {
    this.#socket?.write(data);
  }

  /** Stops reading from the socket, like a peer on a busy machine. */
  stall(): void {
    this.#socket?.pause();
  }

  async closing(ms = 15_000): Promise<SocketClose> {
    const timeout = sleep(ms, undefined, { ref: false });
    const closed = await Promise.race([this.#socket?.closed, timeout]);
    if (!closed) throw new Error('the WebSocket was not closed');
    return closed;
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

/** A peer that sends and gets signals in binary frames, if the server supports that. */
export class BinaryPeer extends WebSocketPeer {
  protected override readonly versions = [binaryProtocolVersion, protocolVersion];

  override async send(message: Fields): Promise<void> {
    const numbered = this.number(message);
    const { type, n, to, epoch, data } = numbered;
    const isSignal = type === 'signal' && typeof n === 'number' && typeof to === 'string' && typeof epoch === 'number';
    const text = JSON.stringify(data) ?? '';
    // What only a text can have is sent as one.
    const isPlain =
      Object.keys(numbered).length === 5 &&
      text !== '' &&
      text.length <= most.signal &&
      !nestsDeeper(text, most.depth - 1);
    if (this.protocol === binaryProtocolVersion && isSignal && isPlain) this.write(signalFrame(n, to, epoch, text));
    else this.write(JSON.stringify(numbered));
  }
}

export class HttpPeer extends NumberedPeer implements TestPeer {
  #listening: AbortController | undefined;
  /** The event number for the next request. */
  protected after = 0;

  async post(rest: string, body: unknown): Promise<{ status: number; json: unknown }> {
    const response = await this.#post(rest, body);
    return { status: response.status, json: jsonOf(response) };
  }

  async #post(rest: string, body: unknown): Promise<HttpResponse> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(urlOf(this.base, this.room, rest), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.joined ? bearer(this.joined.session) : {}),
      },
      body: text,
    });
    return responseOf(response);
  }

  /** Sends one request for events. */
  async poll(wait = 0, signal?: AbortSignal, after = this.after): Promise<{ status: number; json: Fields }> {
    const response = await this.events(`after=${after}&wait=${wait}`, {}, signal);
    return { status: response.status, json: jsonOf(await responseOf(response)) as Fields };
  }

  events(query: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(urlOf(this.base, this.room, `events?${query}`), {
      headers: { ...bearer(this.session), ...headers },
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
    this.inbox.put(acceptedJson(await this.#post('join', { ...this.always, ...fields })));
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
      if (response.status !== 200) return this.inbox.put(jsonOf(await responseOf(response)));
      for await (const { id, data } of eventsIn(response)) {
        if (id !== undefined) this.after = Number(id);
        if (data !== undefined) this.inbox.putText(data);
      }
    }
  }
}
