/** A session by plain HTTP requests, each on a line of its own. */
import { request } from 'node:http';
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import { eventsAnswer } from '../../../app/protocol/http-answers.ts';
import { serverMessage } from '../../../app/protocol/messages.ts';
import { type Direction, Line, type Manner } from './line.ts';
import { AnyLink, type Fields, type Link } from './links.ts';

type Answer = { status: number; json: unknown };
/** The longest wait of a request for events, in seconds. */
export const pollWait = 25;
/** Messages in one request. */
const batch = 12;

export class HttpLink extends AnyLink implements Link {
  readonly kind = 'HTTP';
  session = '';
  after = 0;
  readonly #lines = new Set<Line>();
  #posts = Promise.resolve();
  #unanswered = 0;
  /** It makes no more requests. */
  retired = false;
  /** Of the requests for events only the last counts. */
  #polls = 0;
  #polling = false;
  #fault: ((line: Line) => void) | undefined;

  get quiet(): boolean {
    return this.#unanswered === 0;
  }

  /** Whether a request for events waits. */
  get polls(): boolean {
    return this.#polling;
  }

  join(fields: Fields): void {
    this.#post('join', fields, ({ json }) => this.#hear(json));
  }

  say(messages: Fields[]): void {
    // The size of a body is limited separately.
    for (let at = 0; at < messages.length; at += batch) this.#sayBatch(messages.slice(at, at + batch));
  }

  #sayBatch(messages: Fields[]): void {
    this.#post('messages', messages, ({ status, json }) => {
      const several = typeof json === 'object' && json !== null && 'messages' in json ? json.messages : undefined;
      if (!Array.isArray(several)) return this.#refused(status, json);
      for (const one of several) this.#hear(one);
    });
  }

  leave(): void {
    this.mayEnd.add('left');
    // A waiting one is answered as well, which is ignored.
    this.#polls += 1;
    this.#polling = false;
    this.#post('leave', {}, ({ status, json }) => {
      if (status === 204) this.#end(204, 'left');
      else this.#refused(status, json);
    });
  }

  drain(): void {
    this.poll(0);
  }

  /**
   * One request for events; a second ends the first.
   * @param wait seconds
   */
  poll(wait: number): void {
    this.#unanswered += wait === 0 ? 1 : 0;
    this.#polls += 1;
    this.#polling = true;
    const mine = this.#polls;
    void this.#ask('GET', `events?after=${this.after}&wait=${wait}`, undefined).then((answer) => {
      if (wait === 0) this.#unanswered -= 1;
      if (mine === this.#polls) {
        this.#polling = false;
        if (answer && this.condition !== 'over') this.#polled(answer, wait);
      }
      this.listener.stirred();
    });
  }

  /** The next request is cut at some byte; the link itself continues. */
  loseNext(direction: Direction, bytes: number, manner: Manner): void {
    this.#fault = (line) => {
      line.cutAfter(direction, bytes, manner);
      this.#fault = undefined;
    };
  }

  cut(manner: Manner): void {
    this.condition = 'over';
    for (const line of this.#lines) line.cut(manner);
  }

  cutAfter(direction: Direction, bytes: number, manner: Manner): void {
    this.condition = 'armed';
    this.#fault = (line) => line.cutAfter(direction, bytes, manner);
  }

  freeze(): void {
    this.condition = 'frozen';
    this.excused = true;
    this.#fault = (line) => line.freeze();
    for (const line of this.#lines) line.freeze();
  }

  stall(): void {
    this.freeze();
  }

  thaw(): void {
    this.condition = 'whole';
    this.#fault = undefined;
    for (const line of this.#lines) line.thaw();
  }

  #polled({ status, json }: Answer, wait: number): void {
    if (status !== 200) return this.#refused(status, json);
    const { messages, seq } = eventsAnswer.parse(json);
    for (const message of messages) this.#hear(message);
    this.after = Math.max(this.after, seq);
    this.listener.receivedUpTo(this, seq);
    // The client polls again at once, with its latest number; one response may not hold everything.
    if ((wait > 0 || messages.length > 0) && this.condition === 'whole' && !this.retired) this.poll(wait);
  }

  /** One request after the other, so that numbers stay in order. */
  #post(rest: string, body: unknown, answered: (answer: Answer) => void): void {
    this.#unanswered += 1;
    this.#posts = this.#posts.then(async () => {
      const answer = this.condition === 'over' ? undefined : await this.#ask('POST', rest, body);
      this.#unanswered -= 1;
      if (answer && this.condition !== 'over') answered(answer);
      this.listener.returned(this);
    });
  }

  /** Undefined if the connection was lost before the whole response arrived. */
  #ask(method: string, rest: string, body: unknown): Promise<Answer | undefined> {
    const line = new Line(this.path);
    this.#lines.add(line);
    this.#fault?.(line);
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      host: 'model',
      authorization: `Bearer ${this.session}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    return new Promise((resolve) => {
      const over = (answer?: Answer) => {
        this.#lines.delete(line);
        line.destroy();
        resolve(answer);
      };
      const path = `/rooms/${this.room}/${rest}`;
      const asking = request({ method, path, headers, createConnection: () => line }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('error', () => over());
        response.on('end', () => {
          if (!response.complete) return over();
          over({ status: response.statusCode ?? 0, json: body === '' ? undefined : JSON.parse(body) });
        });
      });
      asking.on('error', () => over());
      line.on('close', () => over());
      asking.end(text);
    });
  }

  #hear(json: unknown): void {
    const message = serverMessage.parse(json);
    if (message.type === 'joined') {
      this.session = message.session;
      this.welcomed = true;
      if (!message.recovered) this.after = message.seq;
    }
    this.listener.received(this, message);
  }

  /** A whole request was refused. */
  #refused(status: number, json: unknown): void {
    const message = serverMessage.parse(json);
    if (message.type !== 'error') throw new Error(`status ${status} came with ${message.type}`);
    this.#end(status, message.code);
  }

  #end(status: number, refused: ErrorCode): void {
    this.ended = { code: status, refused };
    this.condition = 'over';
    for (const line of this.#lines) line.destroy();
    this.listener.returned(this);
  }
}
