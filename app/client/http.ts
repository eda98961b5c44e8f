/** A conversation over plain HTTP in the shape of a socket: posts for what is sent, a stream or polls for what comes. */
import type { ErrorCode } from '../protocol/errors.ts';
import { BlockReader } from '../protocol/event-stream.ts';
import type { ServerMessage } from '../protocol/messages.ts';
import { Alarm, type Clock } from './clock.ts';
import type { Timing } from './timing.ts';
import { isFinal, type Socket, type Transport } from './wire.ts';

/** Seconds that a poll waits, and milliseconds between polls that do not. */
const pollWait = 20;
const pollPause = 1_000;
/** Characters in one post: with three bytes for each still less than any server takes at once. */
const postLength = 200_000;
/**
 * By HTTP/1.1 all tabs of a browser share six connections to a host. So many of them may be held by streams and polls that
 * wait; the others stay free for posts, and for the short polls of further tabs.
 */
const heldConnections = 4;

/** What the server answers to any request: of `joined` only what matters here. */
type Answer =
  | { type: 'joined' | 'waiting'; session: string; seq: number; recovered?: boolean }
  | { type: 'error'; code: ErrorCode; message: string; retry?: number | null }
  | { type?: never; messages: ServerMessage[]; seq?: number };

/** undefined when the request failed. */
type Fetched = Response | undefined;

/** Whether this network lets streams through, as far as is known. */
export class Streams {
  #breaks = 0;
  #pause: number;
  #until = 0;

  /** @param pause milliseconds for which polls take the place of streams that fail; it doubles each time */
  constructor(pause: number) {
    this.#pause = pause;
  }

  /** Milliseconds until the next one may be tried. */
  get rest(): number {
    return Math.max(0, this.#until - performance.now());
  }

  lasted(): void {
    this.#breaks = 0;
  }

  /** One that gave nothing at all is enough, of those that ended early it takes two in a row. */
  failed(silent: boolean): void {
    this.#breaks += silent ? 2 : 1;
    if (this.#breaks < 2) return;
    this.#breaks = 0;
    this.#until = performance.now() + this.#pause;
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
  #headers: Record<string, string> = { 'content-type': 'application/json' };
  #after = 0;
  #unsent: string[] = [];
  #posting = false;
  #closed = false;
  /** The request for events: ended after a silence, and at the end. */
  #reading = new AbortController();
  /** A silence that is too long, or a pause. */
  #alarm: Alarm;

  /** @param url `ws:` or `wss:` URL of the room */
  constructor(url: string, streams: Streams, clock: Clock, timing: Timing) {
    this.#base = url.replace(/^ws/, 'http').replace(/ws$/, '');
    this.#timing = timing;
    this.#streams = streams;
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
    this.#reading.abort();
  }

  async #join(text: string, after: number): Promise<void> {
    const answer = await this.#answer(this.#post('join', text));
    const arrived = answer?.type === 'joined' || answer?.type === 'waiting';
    if (arrived) {
      this.#headers.authorization = `Bearer ${answer.session}`;
      this.#after = answer.recovered ? after : answer.seq;
    }
    if (answer) this.#tell(answer);
    if (arrived) await this.#listen();
  }

  /** Also for a page that goes away. The others would first see a lost connection if the stream ended before it. */
  async #leave(text: string): Promise<void> {
    const reading = this.#reading;
    this.#reading = new AbortController();
    await this.#post('leave', text, true);
    reading.abort();
  }

  // ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** One post at a time, so that they stay in order; what gathers meanwhile goes with the next. */
  async #flush(): Promise<void> {
    if (this.#posting) return;
    this.#posting = true;
    // What is sent in the same turn goes in the same post.
    await undefined;
    while (this.#unsent.length > 0 && !this.#closed) await this.#hear(this.#post('messages', this.#nextPost()));
    this.#posting = false;
  }

  #nextPost(): string {
    let post = this.#unsent.shift() ?? '';
    while (this.#unsent[0] && post.length + this.#unsent[0].length < postLength) post += `,${this.#unsent.shift()}`;
    return `[${post}]`;
  }

  #post(path: string, body: string, keepalive = false): Promise<Fetched> {
    const signal = AbortSignal.timeout(this.#timing.answer);
    return fetch(this.#base + path, { method: 'POST', headers: this.#headers, body, keepalive, signal }).catch(nothing);
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  async #listen(): Promise<void> {
    while (!this.#closed) {
      if (await hold(() => this.#wait(this.#streams.rest))) continue;
      await this.#poll(0);
      if (!this.#closed) await new Promise<void>((resolve) => this.#alarm.arm(pollPause, resolve));
    }
  }

  #wait(rest: number): Promise<void> {
    return rest === 0 ? this.#stream() : this.#poll(Math.min(pollWait, rest / 1000));
  }

  async #poll(wait: number): Promise<void> {
    this.transport = 'poll';
    await this.#hear(this.#get(`&wait=${wait}`, 'application/json', 1000 * wait + this.#timing.answer));
  }

  async #stream(): Promise<void> {
    this.transport = 'sse';
    const began = performance.now();
    const response = await this.#get('', 'text/event-stream', this.#timing.opening);
    // What fails at once would fail for a poll as well; what is silent may be kept back by someone between.
    const streams = response?.headers.get('content-type')?.startsWith('text/event-stream');
    if (!streams && !this.#reading.signal.aborted) return this.#hear(response);
    const silent = !response?.body || !(await this.#read(response.body));
    if (this.#closed) return;
    if (performance.now() - began < 2 * this.#timing.ping) this.#streams.failed(silent);
    else this.#streams.lasted();
  }

  /** Reads a stream to its end, however it ends. @returns whether anything came */
  async #read(body: ReadableStream<BufferSource>): Promise<boolean> {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const blocks = new BlockReader();
    for (let came = false; ; came = true) {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined || this.#closed) return came;
      // Its heartbeats come more often than that.
      this.#endAfter(2 * this.#timing.ping);
      for (const { id, data } of blocks.read(value)) {
        if (id && /^\d+$/.test(id)) this.#after = Number(id);
        if (data) this.#say(data);
      }
    }
  }

  /** @param silence milliseconds after which it is given up, unless something comes */
  #get(query: string, accept: string, silence: number): Promise<Fetched> {
    this.#reading = new AbortController();
    this.#endAfter(silence);
    return fetch(`${this.#base}events?after=${this.#after}${query}`, {
      headers: { ...this.#headers, accept },
      signal: this.#reading.signal,
      // Otherwise Chromium lets tabs with the same URL wait for each other.
      cache: 'no-store',
    }).catch(nothing);
  }

  #endAfter(milliseconds: number): void {
    this.#alarm.arm(milliseconds, () => this.#reading.abort());
  }

  async #hear(response: Promise<Fetched> | Fetched): Promise<void> {
    const answer = await this.#answer(response);
    if (answer?.type === 'error') return this.#refused(answer);
    if (answer?.type !== undefined || !answer) return;
    if (answer.seq !== undefined) this.#after = answer.seq;
    for (const message of answer.messages) this.#tell(message);
  }

  /** Without an answer, or with one that is not ours, the connection is lost. */
  async #answer(response: Promise<Fetched> | Fetched): Promise<Answer | undefined> {
    const answer: Answer | undefined = await (await response)?.json().catch(nothing);
    if (this.#closed) return undefined;
    if (answer?.type ?? answer?.messages) return answer;
    this.#drop(1006);
    return undefined;
  }

  /** A request that was refused as a whole ends the conversation, as `bye` does; a session that is over is joined anew. */
  #refused({ code, message, retry = null }: Answer & { type: 'error' }): void {
    if (retry === null && !isFinal(code)) this.#drop(4000);
    else this.#tell({ type: 'bye', code, message, retry });
  }

  #tell(message: Answer | ServerMessage): void {
    let data: string;
    try {
      data = JSON.stringify(message);
    } catch {
      // Nested so deep that it cannot be written: one message is lost, not the conversation.
      return;
    }
    this.#say(data);
  }

  #say(data: string): void {
    // Nothing comes after it. Asking for more would take the session back from whoever has it now.
    if (data.startsWith('{"type":"bye"')) this.close();
    try {
      this.onmessage?.(new MessageEvent('message', { data }));
    } catch (error) {
      // Otherwise a message that fails would end the reading of all that follow.
      reportError(error);
    }
  }

  #drop(code: number): void {
    this.close();
    this.onclose?.(new CloseEvent('close', { code }));
  }
}

const nothing = (): undefined => undefined;

/** Runs `wait` with one of the connections that may be held; @returns whether there was one. Locks end with their tab. */
const hold = async (wait: () => Promise<void>, nth = 0): Promise<boolean> => {
  // Absent on pages without https: there tabs cannot know of each other.
  const locks: LockManager | undefined = navigator.locks;
  if (!locks) return wait().then(() => true);
  if (nth === heldConnections) return false;
  const got = await locks.request(`genkan-${nth}`, { ifAvailable: true }, (lock) => lock && wait().then(() => true));
  return got ?? hold(wait, nth + 1);
};
