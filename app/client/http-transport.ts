/** Plain HTTP behind the socket interface: POST requests to send, an event stream or long polling to receive. */
import { BlockReader } from '../protocol/event-stream.ts';
import { Backoff } from './backoff.ts';
import { Alarm, type Clock } from './clock.ts';
import { HttpRequest, longestText } from './request.ts';
import { type ErrorMessage, parse, parseBatch } from './shape.ts';
import type { Timing } from './timeouts.ts';
import { isFinal, type Socket, type Transport } from './transport.ts';

/** Seconds that a long poll waits. */
const pollWait = 20;
/** Milliseconds between short polls, and minimum milliseconds between the starts of two long polls. */
const pollPause = 1_000;
const pollDistance = 100;
/** Maximum characters of one POST body; at three bytes each, still below the body limit of any server. */
const postLength = 200_000;
/**
 * With HTTP/1.1 all tabs of a browser share six connections to a host. This many of them may be occupied by streams and long
 * polls; the others stay free for POST requests, and for the short polls of further tabs.
 */
const maxLongRequests = 4;

/** Tracks whether event streams work on this network. */
export class Streams {
  #failures = 0;
  #pause: number;
  #clock: Clock;
  #until = 0;

  /** @param pause milliseconds of polling after streams have failed; doubles each time */
  constructor(pause: number, clock: Clock) {
    this.#pause = pause;
    this.#clock = clock;
  }

  /** Milliseconds until the next stream may be tried. */
  get rest(): number {
    return Math.max(0, this.#until - this.#clock.now);
  }

  lasted(): void {
    this.#failures = 0;
  }

  /** Polling starts after one stream that delivered nothing, or after two in a row that ended early. */
  failed(silent: boolean): void {
    this.#failures += silent ? 2 : 1;
    if (this.#failures < 2) return;
    this.#failures = 0;
    this.#until = this.#clock.now + this.#pause;
    this.#pause = Math.min(2 * this.#pause, 600_000);
  }
}

export class HttpSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  transport: Transport = 'sse';
  #base: string;
  #timing: Timing;
  #streams: Streams;
  #clock: Clock;
  #backoff: Backoff;
  #headers: Record<string, string> = { 'content-type': 'application/json' };
  #after = 0;
  #unsent: string[] = [];
  #posting = false;
  #closed = false;
  /** The current request for events; aborted after a period of silence, and on close. */
  #eventRequest: HttpRequest;
  /** Whether a poll delivered any message. */
  #delivered = false;
  /** The delay before the next one. */
  #alarm: Alarm;

  /** @param url `ws:` or `wss:` URL of the room */
  constructor(url: string, streams: Streams, clock: Clock, timing: Timing) {
    this.#base = url.replace(/^ws/, 'http').replace(/ws$/, '');
    this.#timing = timing;
    this.#streams = streams;
    this.#clock = clock;
    this.#backoff = new Backoff(clock, timing);
    this.#eventRequest = new HttpRequest(clock);
    this.#alarm = new Alarm(clock);
    queueMicrotask(() => this.onopen?.(new Event('open')));
  }

  send(text: string): void {
    const { type, after = 0 } = JSON.parse(text);
    if (type === 'join') void this.#join(text, after);
    else if (type === 'leave') void this.#leave(text);
    else if (this.#unsent.push(text) === 1) void this.#flush();
  }

  /** The pending request stays open: if it ended now, peers would see a lost connection. */
  retire(): void {
    this.#closed = true;
  }

  close(): void {
    this.#closed = true;
    this.#alarm.disarm();
    this.#eventRequest.end();
  }

  async #join(text: string, after: number): Promise<void> {
    const answer = await this.#post('join', text);
    if (this.#closed) return;
    const message = parse(answer);
    if (!message) return this.#fail(1006);
    const accepted = message.type === 'joined' || message.type === 'waiting';
    if (accepted) {
      this.#headers.authorization = `Bearer ${message.session}`;
      this.#after = (message as { recovered?: boolean }).recovered ? after : message.seq;
    }
    this.#deliver(answer);
    if (accepted) await this.#receiveEvents();
  }

  /** Works while the page unloads. The stream ends only afterwards, or peers would first see a lost connection. */
  async #leave(text: string): Promise<void> {
    const eventRequest = this.#eventRequest;
    this.#eventRequest = new HttpRequest(this.#clock);
    await this.#post('leave', text, true);
    eventRequest.end();
  }

  // ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** One POST at a time, to preserve order; messages queued meanwhile are sent with the next. */
  async #flush(): Promise<void> {
    if (this.#posting) return;
    this.#posting = true;
    // Waits a microtask, so that messages sent in the same turn share a POST.
    await undefined;
    while (this.#unsent.length > 0 && !this.#closed) this.#onResponse(await this.#post('messages', this.#nextPost()));
    this.#posting = false;
  }

  #nextPost(): string {
    let post = this.#unsent.shift() ?? '';
    while (this.#unsent[0] && post.length + this.#unsent[0].length < postLength) post += `,${this.#unsent.shift()}`;
    return `[${post}]`;
  }

  /** @returns the text of the response; empty if the request failed */
  async #post(path: string, body: string, keepalive = false): Promise<string> {
    const request = new HttpRequest(this.#clock);
    const init = { method: 'POST', headers: this.#headers, body, keepalive };
    return request.text(await request.send(this.#base + path, init, this.#timing.answer));
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  async #receiveEvents(): Promise<void> {
    while (!this.#closed) {
      const startedAt = this.#clock.now;
      this.#delivered = false;
      const isLong = await withLongRequest(() => this.#wait(this.#streams.rest));
      if (!isLong) await this.#poll(0);
      if (this.#closed) return;
      const pause = isLong ? this.#pause(this.#clock.now - startedAt) : pollPause;
      await new Promise<void>((resolve) => this.#alarm.arm(pause, resolve));
    }
  }

  /** Milliseconds until the next request for events, after one that took `took`. One that ended early without a message has failed. */
  #pause(took: number): number {
    if (!this.#delivered && took < this.#timing.opening) return this.#backoff.next();
    this.#backoff.succeeded();
    return Math.max(0, pollDistance - took);
  }

  #wait(rest: number): Promise<void> {
    return rest === 0 ? this.#stream() : this.#poll(Math.min(pollWait, rest / 1000));
  }

  async #poll(wait: number): Promise<void> {
    this.transport = 'poll';
    const response = await this.#get(`&wait=${wait}`, 'application/json', 1000 * wait + this.#timing.answer);
    this.#onResponse(await this.#eventRequest.text(response));
  }

  async #stream(): Promise<void> {
    this.transport = 'sse';
    const startedAt = this.#clock.now;
    const response = await this.#get('', 'text/event-stream', this.#timing.opening);
    const eventRequest = this.#eventRequest;
    // An immediate failure would affect a poll as well; a silent stream may be buffered by a proxy.
    const streams = response?.headers.get('content-type')?.startsWith('text/event-stream');
    if (!streams && !eventRequest.over) return this.#onResponse(await eventRequest.text(response));
    const silent = !response?.body || !(await this.#read(eventRequest, response.body));
    if (this.#closed) return;
    if (this.#clock.now - startedAt < 2 * this.#timing.ping) this.#streams.failed(silent);
    else this.#streams.lasted();
  }

  /** Reads a stream until it ends, or until an event is too long. @returns whether anything was received */
  async #read(request: HttpRequest, body: ReadableStream<BufferSource>): Promise<boolean> {
    let received = false;
    const events = new BlockReader();
    await request.read(body, (chunk) => {
      received = true;
      // The server's heartbeats are more frequent than that.
      request.within(2 * this.#timing.ping);
      for (const { id = '', data } of events.read(chunk)) {
        if (this.#closed) return false;
        if (/^\d{1,15}$/.test(id)) this.#after = Number(id);
        if (data) this.#deliver(data);
      }
      return !this.#closed && events.pending <= longestText;
    });
    return received;
  }

  /** @param silence milliseconds without data after which the request is aborted */
  #get(query: string, accept: string, silence: number): Promise<Response | undefined> {
    this.#eventRequest = new HttpRequest(this.#clock);
    const url = `${this.#base}events?after=${this.#after}${query}`;
    return this.#eventRequest.send(url, { headers: { ...this.#headers, accept } }, silence);
  }

  /** Without a response, or with one that is not Genkan's, the connection is lost. */
  #onResponse(text: string): void {
    if (this.#closed) return;
    const answer = parseBatch(text);
    if (!answer) return this.#fail(1006);
    if ('type' in answer) return this.#onRefusal(answer);
    this.#after = answer.seq ?? this.#after;
    for (const message of answer.messages) {
      this.#delivered = true;
      this.#deliver(message);
    }
  }

  /** The refusal of a whole request ends the connection like `bye`; if the session has ended, the client joins again. */
  #onRefusal({ code, message, retry: retryAfter }: ErrorMessage): void {
    const retry = retryAfter ?? null;
    if (retry === null && !isFinal(code)) this.#fail(4000);
    else this.#deliver({ type: 'bye', code, message, retry });
  }

  /** @param data a message as text, or as a value */
  #deliver(data: unknown): void {
    // Nothing follows `bye`. Another request would take the session back from the connection that has it now.
    const { type = data } = Object(data);
    if (typeof type === 'string' && /^(\{"type":")?bye/.test(type)) this.close();
    this.onmessage?.(new MessageEvent('message', { data }));
  }

  #fail(code: number): void {
    this.close();
    this.onclose?.(new CloseEvent('close', { code }));
  }
}

/** Runs `wait` if one of the connections for long requests is free. @returns whether one was. Locks are released with their tab. */
const withLongRequest = async (wait: () => Promise<void>, index = 0): Promise<boolean> => {
  // Undefined without https: tabs cannot coordinate there.
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return wait().then(() => true);
  if (index === maxLongRequests) return false;
  const acquired = await locks.request(
    `genkan-${index}`,
    { ifAvailable: true },
    (lock) => lock && wait().then(() => true),
  );
  return acquired ?? withLongRequest(wait, index + 1);
};
