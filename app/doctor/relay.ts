/** Asks STUN and TURN servers over UDP, TCP or TLS whether they answer, and whether they give a relay. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  type Attribute,
  answers,
  attributes,
  type Credential,
  firstOf,
  type Method,
  message,
  methods,
  readAnswer,
  relayUdp,
  type StunAnswer,
  signed,
} from './stun.ts';

export type IceServer = { scheme: string; host: string; port: number; transport: 'udp' | 'tcp' | 'tls' };

/** `stun:host:port`, `turns:[::1]?transport=tcp` …: RFC 7064 and RFC 7065. */
export const parseIceUrl = (url: string): IceServer | undefined => {
  const [, scheme, bracketed, plain, port, transport = 'udp'] =
    /^(stuns?|turns?):(?:\[([^\]]+)\]|([^:?[\]]+))(?::(\d+))?(?:\?transport=(udp|tcp))?$/.exec(url) ?? [];
  const host = bracketed ?? plain;
  if (scheme === undefined || host === undefined) return undefined;
  const isSecure = scheme.endsWith('s');
  return {
    scheme,
    host,
    port: Number(port ?? (isSecure ? 5349 : 3478)),
    transport: isSecure ? 'tls' : transport === 'tcp' ? 'tcp' : 'udp',
  };
};

type Wire = { send(bytes: Buffer): void; close(): void };
type Waiting = { transaction: Buffer; take(answer: StunAnswer): void };

/** ms after which UDP is sent again: it may be lost. */
const again = 500;

export class Relay {
  readonly #wire: Wire;
  readonly #timeout: number;
  #waiting: Waiting | undefined;

  private constructor(open: (heard: (data: Buffer) => void) => Wire, timeout: number) {
    this.#wire = open((data) => this.#hear(data));
    this.#timeout = timeout;
  }

  /** @param ca PEM of authorities for TLS besides the known ones @throws when the server cannot be reached */
  static async reach({ host, port, transport }: IceServer, timeout: number, ca?: string): Promise<Relay> {
    if (transport !== 'udp') {
      const trusted = ca === undefined ? {} : { ca };
      const socket =
        transport === 'tls' ? connectTls({ host, port, servername: host, ...trusted }) : connectTcp({ host, port });
      await opened(socket, transport === 'tls' ? 'secureConnect' : 'connect', timeout);
      return new Relay((heard) => overTcp(socket, heard), timeout);
    }
    const { address, family } = await lookup(host);
    return new Relay((heard) => overUdp(address, port, family, heard), timeout);
  }

  /** Whether it answers at all. */
  bind(): Promise<StunAnswer | undefined> {
    return this.#exchange((transaction) => message(methods.bind, transaction, []));
  }

  /** Asks for a relay, and gives it back; → 0 or the error code, undefined when there was no answer. */
  async allocate(credential: Credential): Promise<number | undefined> {
    const first = await this.#exchange((transaction) => message(methods.allocate, transaction, [relayUdp]));
    if (first?.outcome !== 401 || !first.challenge) return first?.outcome;
    const { challenge } = first;
    const ask = (method: Method, body: Attribute[]) =>
      this.#exchange((transaction) => signed(method, transaction, body, credential, challenge));
    const answer = await ask(methods.allocate, [relayUdp]);
    if (answer?.outcome === 0) await ask(methods.refresh, [[attributes.lifetime, Buffer.alloc(4)]]);
    return answer?.outcome;
  }

  close(): void {
    this.#wire.close();
  }

  #hear(data: Buffer): void {
    if (this.#waiting && answers(data, this.#waiting.transaction)) this.#waiting.take(readAnswer(data));
  }

  async #exchange(make: (transaction: Buffer) => Buffer): Promise<StunAnswer | undefined> {
    const transaction = randomBytes(12);
    const request = make(transaction);
    const { promise, resolve } = Promise.withResolvers<StunAnswer | undefined>();
    this.#waiting = { transaction, take: resolve };
    this.#wire.send(request);
    const repeat = setInterval(() => this.#wire.send(request), again);
    const late = setTimeout(resolve, this.#timeout, undefined);
    return promise.finally(() => {
      clearInterval(repeat);
      clearTimeout(late);
    });
  }
}

const opened = (socket: Socket, event: string, timeout: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => socket.destroy(new Error(`no connection in ${timeout} ms`)), timeout);
    socket.once(event, () => {
      clearTimeout(late);
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
  });

const overUdp = (address: string, port: number, family: number, heard: (data: Buffer) => void): Wire => {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  // "Nobody listens there", which ends in no answer like silence does.
  socket.on('error', () => {});
  socket.on('message', heard);
  return { send: (bytes) => socket.send(bytes, port, address, () => {}), close: () => socket.close() };
};

const overTcp = (socket: Socket, heard: (data: Buffer) => void): Wire => {
  let rest = Buffer.alloc(0);
  let isSent = false;
  socket.on('error', () => {});
  socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    for (let first = firstOf(rest); first; first = firstOf(rest)) {
      rest = rest.subarray(first.length);
      isSent = false;
      heard(first);
    }
  });
  const send = (bytes: Buffer) => {
    // Nothing is lost here, so that nothing is repeated.
    if (!isSent) socket.write(bytes);
    isSent = true;
  };
  return { send, close: () => socket.destroy() };
};
