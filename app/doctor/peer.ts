/** Peers that the doctor controls: over a WebSocket or by plain HTTP requests. */
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

/** The app refused a request, with an error code and a message. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The fields of a join, as a visitor of the site would send them. */
const joinFields = ({ token }: Site) => ({ name: 'genkan doctor', ...(token === undefined ? {} : { token }) });

/** An open WebSocket and the messages received on it. */
export class Line {
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;
  readonly #received: ServerMessage[] = [];
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
      if (message.success) this.#received.push(message.data);
      this.#wake();
    });
  }

  send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /**
   * The next message of a type; undefined if it does not arrive within `ms` or the connection closes.
   * @throws Refused if `error`, `bye` or `waiting` arrives first
   */
  async receive<T extends ServerMessage['type']>(
    type: T,
    ms: number,
  ): Promise<Extract<ServerMessage, { type: T }> | undefined> {
    const isWanted = (message: ServerMessage): message is Extract<ServerMessage, { type: T }> => message.type === type;
    const deadline = Date.now() + ms;
    for (;;) {
      for (let message = this.#received.shift(); message; message = this.#received.shift()) {
        if (isWanted(message)) return message;
        if (message.type === 'bye' || message.type === 'error') throw new Refused(message.code, message.message);
        if (message.type === 'waiting') throw mustWait();
      }
      const remaining = deadline - Date.now();
      if (remaining <= 0 || this.#socket.readyState >= WebSocket.CLOSING) return undefined;
      await this.#next(remaining);
    }
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.send({ type: 'leave' });
    this.#socket.close();
    const timer = setTimeout(() => this.#socket.terminate(), 1000);
    void this.closed.then(() => clearTimeout(timer));
  }
}

const mustWait = () => new Refused('waiting', 'visitors wait in the lobby for a host');

export type Handshake = { line: Line } | { status: number; body: string };

/** Opens a WebSocket as a page of the site would. @throws if there is no response, or one that is not HTTP */
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
      const finish = (body: string) => resolve({ status: answer.statusCode ?? 0, body });
      text(answer).then(finish, () => finish(''));
    });
    socket.on('error', reject);
    const line = new Line(socket);
  });
};

/** Joins over a WebSocket; undefined if `joined` does not arrive in time. @throws Refused */
export const joinBy = async (site: Site, line: Line): Promise<Joined | undefined> => {
  line.send({ type: 'join', ...joinFields(site) });
  return line.receive('joined', site.timeout);
};

/** A peer that has joined by plain HTTP; `path` is that of its room, relative to the site. */
export type Visitor = Joined & { path: string };

const joinResponse = z.discriminatedUnion('type', [joined, waiting]);

/** Joins by plain HTTP. @throws Refused */
export const visit = async (site: Site, room: string): Promise<Visitor> => {
  const path = `rooms/${room}`;
  const response = joinResponse.parse(await post(site, `${path}/join`, joinFields(site)));
  if (response.type === 'waiting') throw mustWait();
  return { ...response, path };
};

const messagesResponse = z.object({ messages: z.array(z.looseObject({ type: z.string() })) });

/** Sends one message. @throws Refused */
export const speak = async (site: Site, { path, session }: Visitor, message: object): Promise<void> => {
  const { messages } = messagesResponse.parse(await post(site, `${path}/messages`, message, session));
  const [first] = messages;
  if (first?.type === 'error') throw new Refused(String(first.code), String(first.message));
};

export const leave = async (site: Site, { path, session }: Visitor): Promise<void> => {
  await post(site, `${path}/leave`, {}, session);
};

/** The JSON body of a response. @throws Refused if it is an error of the app or 429, Error for any other status from 400 */
export const toldBy = (answer: Answer): unknown => {
  const code = codeOf(answer);
  const json = jsonOf(answer);
  if (code !== undefined) throw new Refused(code, z.object({ message: z.string() }).parse(json).message);
  if (answer.status === 429) throw new Refused('rate-limited', 'too many requests from this address');
  if (answer.status >= 400) throw new Error(`${answer.url.pathname} returned ${answer.status}`);
  return json;
};

export const sessionOf = ({ session }: Visitor) => ({ Authorization: `Bearer ${session}` });

const post = async (site: Site, path: string, body: object, session?: string): Promise<unknown> => {
  const headers: Record<string, string> = session === undefined ? {} : { Authorization: `Bearer ${session}` };
  return toldBy(await ask(site, path, { method: 'POST', headers, body: JSON.stringify(body) }));
};
