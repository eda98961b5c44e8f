/** A client of the protocol, without a policy of its own: what the peers of `genkan conform` and of `genkan doctor` are made of. */
import { text } from 'node:stream/consumers';
import WebSocket, { type ClientOptions } from 'ws';
import { z } from 'zod';
import { errors } from '../protocol/errors.ts';
import { type Block, BlockReader } from '../protocol/event-stream.ts';
import { protocolVersion, type ServerMessage } from '../protocol/messages.ts';
import { jsonOfData, readSignalFrame } from '../protocol/signal-frame.ts';
import { shown } from './expect.ts';
import { Inbox, RefusedError } from './inbox.ts';

export type SocketClose = { code: number; reason: string };
export type HttpResponse = { status: number; body: string };

/** A WebSocket to a room. */
export class PeerSocket {
  /** Receives its messages. */
  readonly inbox: Inbox;
  readonly closed: Promise<SocketClose>;
  /** How it was closed; undefined while it is open. */
  closedWith: SocketClose | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket, inbox: Inbox) {
    this.#socket = socket;
    this.inbox = inbox;
    socket.on('message', (data, isBinary) =>
      isBinary ? inbox.put(binarySignal(data as Buffer)) : inbox.putText(String(data)),
    );
    const { promise, resolve } = Promise.withResolvers<SocketClose>();
    this.closed = promise;
    socket.once('close', (code, reason) => {
      this.closedWith = { code, reason: reason.toString() };
      resolve(this.closedWith);
    });
  }

  /** @returns the HTTP response if the server sends one instead of opening @throws if there is no response, or one that is not HTTP */
  static open(
    url: string | URL,
    inbox = new Inbox(),
    options: ClientOptions = {},
    versions: string[] = [protocolVersion],
  ): Promise<PeerSocket | HttpResponse> {
    const socket = new WebSocket(url, versions, options);
    const opened = new PeerSocket(socket, inbox);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(opened));
      socket.once('unexpected-response', (_request, response) => {
        const finish = (body: string) => resolve({ status: response.statusCode ?? 0, body });
        text(response).then(finish, () => finish(''));
      });
      // After the opening, 'close' follows.
      socket.on('error', reject);
    });
  }

  /** The subprotocol that the server has chosen. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: object): void {
    this.write(JSON.stringify(message));
  }

  /** Sends raw data. */
  write(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  /** Like `Inbox.next`, until the connection closes. */
  receive<T extends ServerMessage['type']>(type: T, ms: number) {
    return this.inbox.next(type, ms, () => this.#socket.readyState >= WebSocket.CLOSING);
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause();
  }

  /** Leaves the room and closes; after a second without a response, destroys the connection. */
  leave(): void {
    if (this.isOpen) this.send({ type: 'leave' });
    this.#socket.close();
    const timer = setTimeout(() => this.terminate(), 1000);
    void this.closed.then(() => clearTimeout(timer));
  }

  /** Destroys the connection. */
  terminate(): void {
    this.#socket.terminate();
  }
}

/** A signal in a binary frame, with its data as JSON. */
const binarySignal = (payload: Buffer): unknown => {
  const signal = readSignalFrame(payload);
  if (!signal) throw new Error('a binary frame does not begin with seq, from and epoch');
  return { ...signal, data: jsonOfData(signal.data) };
};

/** The header that identifies the peer of a session over plain HTTP. */
export const bearer = (session: string) => ({ authorization: `Bearer ${session}` });

/** The body of a response; undefined if it has none by its status. @throws RefusedError for a 429 that is not JSON, as nginx sends it */
export const jsonOf = ({ status, body }: HttpResponse): unknown => {
  if (status === 204) return undefined;
  try {
    return JSON.parse(body);
  } catch {
    if (status === 429) throw rateLimited();
    throw new Error(`response ${status} is not JSON: ${body.slice(0, 80)}`);
  }
};

/** The body of a response that accepts a request. @throws RefusedError if it is an error of the app or 429, Error for any other status from 400 */
export const acceptedJson = (response: HttpResponse): unknown => {
  const json = jsonOf(response);
  const { data: error } = errorResponse.safeParse(json);
  if (error) throw new RefusedError(error.code, error.message);
  if (response.status === 429) throw rateLimited();
  if (response.status >= 400) throw new Error(`response ${response.status}: ${shown(json)}`);
  return json;
};

/** Also those of other versions, with codes that this one does not know. */
const errorResponse = z.object({ type: z.literal('error'), code: z.string(), message: z.string() });

/** A response of `fetch`, read to its end. */
export const responseOf = async (response: Response): Promise<HttpResponse> => ({
  status: response.status,
  body: await response.text(),
});

/** The blocks of an event stream as they arrive. */
export async function* eventsIn(response: Response): AsyncGenerator<Block> {
  const blocks = new BlockReader();
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) yield* blocks.read(chunk);
}

export const rateLimited = () => new RefusedError('rate-limited', errors['rate-limited'].message);
