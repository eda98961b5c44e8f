/** Peers in the doctor's hands: over a WebSocket and by plain requests. */
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import WebSocket from 'ws';
import { z } from 'zod';
import {
  type Joined,
  joined,
  protocolVersion,
  type ServerMessage,
  serverMessage,
  waiting,
} from '../protocol/messages.ts';
import { type Answer, ask, codeOf, jsonOf, type Site, tlsOptions } from './target.ts';

/** The app did not do what was asked of it, and said why. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a visitor of the site would say. */
const greeting = ({ token }: Site) => ({ name: 'genkan doctor', ...(token === undefined ? {} : { token }) });

/** An open WebSocket, and what came over it. */
export class Line {
  /** Settles when it is closed, with the code. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #heard: ServerMessage[] = [];
  #wake = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        resolve(code);
        this.#wake();
      });
    });
    socket.on('message', (data) => {
      const message = serverMessage.safeParse(jsonOf({ body: String(data) }));
      if (message.success) this.#heard.push(message.data);
      this.#wake();
    });
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /**
   * The next message of a type; undefined when it did not come in `ms`, or the line was cut.
   * @throws Refused when an error or an end comes instead
   */
  async hear<T extends ServerMessage['type']>(
    type: T,
    ms: number,
  ): Promise<Extract<ServerMessage, { type: T }> | undefined> {
    const isWanted = (message: ServerMessage): message is Extract<ServerMessage, { type: T }> => message.type === type;
    const until = Date.now() + ms;
    for (;;) {
      for (let message = this.#heard.shift(); message; message = this.#heard.shift()) {
        if (isWanted(message)) return message;
        if (message.type === 'bye' || message.type === 'error') throw new Refused(message.code, message.message);
        if (message.type === 'waiting') throw knocks();
      }
      const left = until - Date.now();
      if (left <= 0 || this.#socket.readyState >= WebSocket.CLOSING) return undefined;
      await this.#next(left);
    }
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }

  end(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.say({ type: 'leave' });
    this.#socket.close();
    const late = setTimeout(() => this.#socket.terminate(), 1000);
    void this.closed.then(() => clearTimeout(late));
  }
}

const knocks = () => new Refused('waiting', 'whoever comes has to wait for a host');

export type Handshake = { line: Line } | { status: number; body: string };

/** Opens a WebSocket as a page of the site would. @throws when there is no answer, or one that is no HTTP */
export const shake = (site: Site, room: string): Promise<Handshake> => {
  const url = new URL(`rooms/${room}/ws`, site.url);
  url.protocol = url.protocol.replace('http', 'ws');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocolVersion, {
      origin: site.url.origin,
      handshakeTimeout: site.timeout,
      ...tlsOptions(site),
    });
    socket.once('open', () => resolve({ line }));
    socket.once('unexpected-response', (_request, answer: IncomingMessage) => {
      const told = (body: string) => resolve({ status: answer.statusCode ?? 0, body });
      text(answer).then(told, () => told(''));
    });
    socket.on('error', reject);
    const line = new Line(socket);
  });
};

/** A peer that has joined over a WebSocket. @throws Refused */
export const joinBy = async (site: Site, line: Line): Promise<Joined | undefined> => {
  line.say({ type: 'join', ...greeting(site) });
  return line.hear('joined', site.timeout);
};

/** A peer that has joined by plain requests. */
export type Visitor = Joined & { place: string };

const entered = z.discriminatedUnion('type', [joined, waiting]);

/** @throws Refused */
export const visit = async (site: Site, room: string): Promise<Visitor> => {
  const place = `rooms/${room}`;
  const told = entered.parse(await post(site, `${place}/join`, greeting(site)));
  if (told.type === 'waiting') throw knocks();
  return { ...told, place };
};

const replies = z.object({ messages: z.array(z.looseObject({ type: z.string() })) });

/** Says one message. @throws Refused */
export const speak = async (site: Site, { place, session }: Visitor, message: object): Promise<void> => {
  const { messages } = replies.parse(await post(site, `${place}/messages`, message, session));
  const [first] = messages;
  if (first?.type === 'error') throw new Refused(String(first.code), String(first.message));
};

export const leave = async (site: Site, { place, session }: Visitor): Promise<void> => {
  await post(site, `${place}/leave`, {}, session);
};

/** What was told in answer to a request. @throws Refused when that is an error, Error when it is not of the app */
export const toldBy = (answer: Answer): unknown => {
  const code = codeOf(answer);
  const json = jsonOf(answer);
  if (code !== undefined) throw new Refused(code, z.object({ message: z.string() }).parse(json).message);
  if (answer.status === 429) throw new Refused('rate-limited', 'too much from here at once');
  if (answer.status >= 400) throw new Error(`${answer.url.pathname} is answered ${answer.status}`);
  return json;
};

export const sessionOf = ({ session }: Visitor) => ({ Authorization: `Bearer ${session}` });

const post = async (site: Site, path: string, body: object, session?: string): Promise<unknown> => {
  const headers: Record<string, string> = session === undefined ? {} : { Authorization: `Bearer ${session}` };
  return toldBy(await ask(site, path, { method: 'POST', headers, body: JSON.stringify(body) }));
};
