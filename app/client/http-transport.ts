/** A conversation over plain HTTP in the shape of a socket: posts for what is sent, a stream or polls for what comes. */
import type { ServerMessage } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import { Alarm, type Clock } from './clock.ts';
import { EventStream } from './event-stream.ts';
import { HttpRequest, longestText } from './request.ts';
import { parse, parseAnswer } from './shape.ts';
import type { Timing } from './timeouts.ts';
import { isFinal, type Socket, type Transport } from './transport.ts';

/** Seconds that a poll waits; milliseconds between polls that do not, and from the beginning of one that does to that of the next. */
const pollWait = 20;
const pollPause = 1_000;
const pollDistance = 100;
/** Characters in one post: with three bytes for each still less than any server takes at once. */
const postLength = 200_000;
/**
 * By HTTP/1.1 all tabs of a browser share six connections to a host. So many of them may be held by streams and polls that
 * wait; the others stay free for posts, and for the short polls of further tabs.
 */
const heldConnections = 4;

type Refusal = Extract<ServerMessage, { type: 'error' }>;

/** Whether this network lets streams through, as far as is known. */
export class Streams {
  #breaks = 0;
  #pause: number;
  #clock: Clock;
  #until = 0;

  /** @param pause milliseconds for which polls take the place of streams that fail; it doubles each time */
  constructor(pause: number, clock: Clock) {
    this.#pause = pause;
    this.#clock = clock;
  }

  /** Milliseconds until the next one may be tried. */
  get rest(): number {
    return Math.max(0, this.#until - this.#clock.now);
  }

  lasted(): void {
    this.#breaks = 0;
  }

  /** One that gave nothing at all is enough, of those that ended early it takes two in a row. */
  failed(silent: boolean): void {
    this.#breaks += silent ? 2 : 1;
    if (this.#breaks < 2) return;
    this.#breaks = 0;
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
  /** The request for events: ended after a silence, and at the end. */
  #reading: HttpRequest;
  /** Whether it brought anything. */
  #news = false;
  /** The pause before the next. */
  #alarm: Alarm;

  /** @param url `ws:` or `wss:` URL of the room */
  constructor(url: string, streams: Streams, clock: Clock, timing: Timing) {
    this.#base = url.replace(/^ws/, 'http').replace(/ws$/, '');
    this.#timing = timing;
    this.#streams = streams;
    this.#clock = clock;
    this.#backoff = new Backoff(clock, timing);
    this.#reading = new HttpRequest(clock);
    this.#alarm = new Alarm(clock);
    queueMicrotask(() => this.onopen?.(new Event('open')));
  }

  send(text: string): void {
    const { type, after = 0 } = JSON.parse(text);
    if (type === 'join') void this.#join(text, after);
    else if (type === 'leave') void this.#leave(text);
    else if (this.#unsent.push(text) === 1) void this.#flush();
  }

  /** What waits goes on waiting: if it ended now, the others would see a lost connection. */
  retire(): void {
    this.#closed = true;
  }

  close(): void {
    this.#closed = true;
    this.#alarm.disarm();
    this.#reading.end();
  }

  async #join(text: string, after: number): Promise<void> {
    const answer = await this.#post('join', text);
    if (this.#closed) return;
    const message = parse(answer);
    if (!message) return this.#drop(1006);
    const arrived = message.type === 'joined' || message.type === 'waiting';
    if (arrived) {
      this.#headers.authorization = `Bearer ${message.session}`;
      this.#after = (message as { recovered?: boolean }).recovered ? after : message.seq;
    }
    this.#say(answer);
    if (arrived) await this.#listen();
  }

  /** Also for a page that goes away. The others would first see a lost connection if the stream ended before it. */
  async #leave(text: string): Promise<void> {
    const reading = this.#reading;
    this.#reading = new HttpRequest(this.#clock);
    await this.#post('leave', text, true);
    reading.end();
  }

  // ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** One post at a time, so that they stay in order; what gathers meanwhile goes with the next. */
  async #flush(): Promise<void> {
    if (this.#posting) return;
    this.#posting = true;
    // What is sent in the same turn goes in the same post.
    await undefined;
    while (this.#unsent.length > 0 && !this.#closed) this.#hear(await this.#post('messages', this.#nextPost()));
    this.#posting = false;
  }

  #nextPost(): string {
    let post = this.#unsent.shift() ?? '';
    while (this.#unsent[0] && post.length + this.#unsent[0].length < postLength) post += `,${this.#unsent.shift()}`;
    return `[${post}]`;
  }

  /** @returns the text of the answer; empty when the request failed */
  async #post(path: string, body: string, keepalive = false): Promise<string> {
    const request = new HttpRequest(this.#clock);
    const init = { method: 'POST', headers: this.#headers, body, keepalive };
    return request.text(await request.send(this.#base + path, init, this.#timing.answer));
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  async #listen(): Promise<void> {
    while (!this.#closed) {
      const began = this.#clock.now;
      this.#news = false;
      const held = await hold(() => this.#wait(this.#streams.rest));
      if (!held) await this.#poll(0);
      if (this.#closed) return;
      const pause = held ? this.#pause(this.#clock.now - began) : pollPause;
      await new Promise<void>((resolve) => this.#alarm.arm(pause, resolve));
    }
  }

  /** Until the next request for events, after one that took so long. One that ended early with nothing to tell has failed. */
  #pause(took: number): number {
    if (!this.#news && took < this.#timing.opening) return this.#backoff.next();
    this.#backoff.works();
    return Math.max(0, pollDistance - took);
  }

  #wait(rest: number): Promise<void> {
    return rest === 0 ? this.#stream() : this.#poll(Math.min(pollWait, rest / 1000));
  }

  async #poll(wait: number): Promise<void> {
    this.transport = 'poll';
    const response = await this.#get(`&wait=${wait}`, 'application/json', 1000 * wait + this.#timing.answer);
    this.#hear(await this.#reading.text(response));
  }

  async #stream(): Promise<void> {
    this.transport = 'sse';
    const began = this.#clock.now;
    const response = await this.#get('', 'text/event-stream', this.#timing.opening);
    const reading = this.#reading;
    // What fails at once would fail for a poll as well; what is silent may be kept back by someone between.
    const streams = response?.headers.get('content-type')?.startsWith('text/event-stream');
    if (!streams && !reading.over) return this.#hear(await reading.text(response));
    const silent = !response?.body || !(await this.#read(reading, response.body));
    if (this.#closed) return;
    if (this.#clock.now - began < 2 * this.#timing.ping) this.#streams.failed(silent);
    else this.#streams.lasted();
  }

  /** Reads a stream to its end, however it ends, or to an event that is too long. @returns whether anything came */
  async #read(request: HttpRequest, body: ReadableStream<BufferSource>): Promise<boolean> {
    let came = false;
    const events = new EventStream(longestText, (id, data) => {
      if (/^\d{1,15}$/.test(id)) this.#after = Number(id);
      if (data) this.#say(data);
    });
    await request.read(body, (piece) => {
      came = true;
      // Its heartbeats come more often than that.
      request.within(2 * this.#timing.ping);
      return !this.#closed && events.take(piece);
    });
    return came;
  }

  /** @param silence milliseconds after which it is given up, unless something comes */
  #get(query: string, accept: string, silence: number): Promise<Response | undefined> {
    this.#reading = new HttpRequest(this.#clock);
    const url = `${this.#base}events?after=${this.#after}${query}`;
    return this.#reading.send(url, { headers: { ...this.#headers, accept } }, silence);
  }

  /** Without an answer, or with one that is not ours, the connection is lost. */
  #hear(text: string): void {
    if (this.#closed) return;
    const answer = parseAnswer(text);
    if (!answer) return this.#drop(1006);
    if ('type' in answer) return this.#refused(answer);
    this.#after = answer.seq ?? this.#after;
    for (const message of answer.messages) {
      this.#news = true;
      this.#say(message);
    }
  }

  /** A request that was refused as a whole ends the conversation, as `bye` does; a session that is over is joined anew. */
  #refused({ code, message, retry: asked }: Refusal): void {
    const retry = asked ?? null;
    if (retry === null && !isFinal(code)) this.#drop(4000);
    else this.#say({ type: 'bye', code, message, retry });
  }

  /** @param data a message as text, or as a value */
  #say(data: unknown): void {
    // Nothing comes after it. Asking for more would take the session back from whoever has it now.
    const { type = data } = Object(data);
    if (typeof type === 'string' && /^(\{"type":")?bye/.test(type)) this.close();
    this.onmessage?.(new MessageEvent('message', { data }));
  }

  #drop(code: number): void {
    this.close();
    this.onclose?.(new CloseEvent('close', { code }));
  }
}

/** Runs `wait` with one of the connections that may be held; @returns whether there was one. Locks end with their tab. */
const hold = async (wait: () => Promise<void>, nth = 0): Promise<boolean> => {
  // Absent on pages without https: there tabs cannot know of each other.
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return wait().then(() => true);
  if (nth === heldConnections) return false;
  const got = await locks.request(`genkan-${nth}`, { ifAvailable: true }, (lock) => lock && wait().then(() => true));
  return got ?? hold(wait, nth + 1);
};
