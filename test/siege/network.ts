/** The network between honest clients and the server: it sets their addresses, can be cut for one client, and records every refusal. */
import WebSocket from 'ws';
import { browserClock } from '../../app/client/clock.ts';
import { HttpSocket, Streams } from '../../app/client/http-transport.ts';
import { defaultTiming } from '../../app/client/timeouts.ts';
import type { OpenSocket, Socket, Transport } from '../../app/client/transport.ts';
import { clientAt } from './addresses.ts';

/** Refusals that reloading pages cause by races, which refuse no client anything. */
const harmless = new Set(['stale-epoch', 'unknown-peer', 'replaced', 'events-gone', 'left']);
/** Nothing listens there. */
const nowhere = 'ws://127.0.0.1:9/';

/** A client whose streams never last. */
class PollsAlone extends Streams {
  override get rest(): number {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** `pageSince`: when the current page was opened; responses to an earlier one are not read. */
type Line = { cut: AbortController; cutUntil: number; pageSince: number; sockets: Set<WebSocket> };

export class Network {
  /** How often honest clients were refused, by code, and when last. */
  readonly refusals = new Map<string, number>();
  /** The first of them, in full. */
  readonly examples: string[] = [];
  /** Called for each refusal. */
  refused: (code: string) => void = () => {};
  readonly #lines = new Map<string, Line>();
  readonly #fetch = globalThis.fetch;

  /** From now on the fetch of this process goes through this network. */
  constructor() {
    globalThis.fetch = (input, init) => this.#ask(String(input), init);
  }

  /** Sockets of a client whose network supports this transport at best. */
  opener(transport: Transport): OpenSocket {
    const streams = new (transport === 'poll' ? PollsAlone : Streams)(defaultTiming.climb, browserClock);
    return (url, rung) =>
      rung === 'websocket'
        ? this.#webSocket(url, transport === 'websocket')
        : new HttpSocket(url, streams, browserClock, defaultTiming);
  }

  /** Breaks the connections of the client at this host, and refuses new ones for so many ms. */
  cut(host: string, ms: number): void {
    const line = this.#line(host);
    line.cutUntil = performance.now() + ms;
    for (const socket of line.sockets) socket.terminate();
    line.cut.abort();
    line.cut = new AbortController();
  }

  /** The client at this host has another page from now on. */
  newPage(host: string): void {
    this.#line(host).pageSince = performance.now();
  }

  close(): void {
    globalThis.fetch = this.#fetch;
  }

  #webSocket(url: string, passes: boolean): Socket {
    const { hostname } = new URL(url);
    const line = this.#line(hostname);
    const headers = { 'x-forwarded-for': clientAt(hostname) ?? hostname };
    const isCut = performance.now() < line.cutUntil;
    const socket = new WebSocket(passes && !isCut ? url : nowhere, 'genkan.v1', { perMessageDeflate: false, headers });
    line.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => line.sockets.delete(socket));
    socket.on('message', (data) => this.#overhear(String(data), hostname));
    // It has the properties of a browser's.
    return socket as unknown as Socket;
  }

  async #ask(url: string, init: RequestInit = {}): Promise<Response> {
    const { hostname, pathname } = new URL(url);
    const client = clientAt(hostname);
    if (client === undefined) return this.#fetch(url, init);
    const line = this.#line(hostname);
    const began = performance.now();
    if (began < line.cutUntil) throw new TypeError('the network is cut');
    const headers = new Headers(init.headers);
    headers.set('x-forwarded-for', client);
    const signal = init.signal ? AbortSignal.any([init.signal, line.cut.signal]) : line.cut.signal;
    const response = await this.#fetch(url, { ...init, headers, signal });
    if (response.headers.get('content-type')?.startsWith('text/event-stream'))
      return this.#overheard(response, hostname);
    if (response.status >= 400 || pathname.endsWith('/messages'))
      void response
        .clone()
        .text()
        .then((text) => began > line.pageSince && this.#overhear(text, `${hostname} ${pathname}`))
        .catch(() => {});
    return response;
  }

  /** A stream that is observed in transit. */
  #overheard(response: Response, by: string): Response {
    const decoder = new TextDecoder();
    const listening = new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, onward) => {
        this.#overhear(decoder.decode(bytes, { stream: true }), by);
        onward.enqueue(bytes);
      },
    });
    return new Response(response.body?.pipeThrough(listening) ?? null, response);
  }

  #overhear(text: string, by: string): void {
    if (!text.includes('"type":"error"') && !text.includes('"type":"bye"')) return;
    // Messages of peers are quoted inside texts.
    for (const [, code = ''] of text.matchAll(/"type":"(?:error|bye)","code":"([a-z-]+)"/g)) {
      if (harmless.has(code)) continue;
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
      this.refused(code);
      if (this.examples.length < 10) this.examples.push(`${by} received ${text.slice(0, 300)}`);
    }
  }

  #line(host: string): Line {
    const line = this.#lines.get(host) ?? { cut: new AbortController(), cutUntil: 0, pageSince: 0, sockets: new Set() };
    this.#lines.set(host, line);
    return line;
  }
}
