/** A client that checks over UDP, TCP or TLS whether a STUN or TURN server responds and allocates a relay. */
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

export type IceEndpoint = { scheme: string; host: string; port: number; transport: 'udp' | 'tcp' | 'tls' };

/** Parses `stun:host:port`, `turns:[::1]?transport=tcp` …: RFC 7064 and RFC 7065. */
export const parseIceUrl = (url: string): IceEndpoint | undefined => {
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

type Transport = { send(bytes: Buffer): void; close(): void };
type PendingRequest = { transaction: Buffer; resolve(answer: StunAnswer): void };

/** ms after which a UDP request, which may be lost, is sent again. */
const retransmitDelay = 500;

export class Relay {
  readonly #transport: Transport;
  readonly #timeout: number;
  #pending: PendingRequest | undefined;

  private constructor(open: (onData: (data: Buffer) => void) => Transport, timeout: number) {
    this.#transport = open((data) => this.#receive(data));
    this.#timeout = timeout;
  }

  /** @param ca PEM of the authorities to trust for TLS @throws if the server is unreachable */
  static async reach({ host, port, transport }: IceEndpoint, timeout: number, ca?: string): Promise<Relay> {
    if (transport !== 'udp') {
      const trusted = ca === undefined ? {} : { ca };
      const socket =
        transport === 'tls' ? connectTls({ host, port, servername: host, ...trusted }) : connectTcp({ host, port });
      await waitForOpen(socket, transport === 'tls' ? 'secureConnect' : 'connect', timeout);
      return new Relay((onData) => overTcp(socket, onData), timeout);
    }
    const { address, family } = await lookup(host);
    return new Relay((onData) => overUdp(address, port, family, onData), timeout);
  }

  /** Sends a binding request; undefined if there is no response. */
  bind(): Promise<StunAnswer | undefined> {
    return this.#exchange((transaction) => message(methods.bind, transaction, []));
  }

  /** Allocates a relay and releases it. → 0 or the error code; undefined if there is no response. */
  async allocate(credential: Credential): Promise<number | undefined> {
    const first = await this.#exchange((transaction) => message(methods.allocate, transaction, [relayUdp]));
    if (first?.outcome !== 401 || !first.challenge) return first?.outcome;
    const { challenge } = first;
    const send = (method: Method, body: Attribute[]) =>
      this.#exchange((transaction) => signed(method, transaction, body, credential, challenge));
    const answer = await send(methods.allocate, [relayUdp]);
    if (answer?.outcome === 0) await send(methods.refresh, [[attributes.lifetime, Buffer.alloc(4)]]);
    return answer?.outcome;
  }

  close(): void {
    this.#transport.close();
  }

  #receive(data: Buffer): void {
    if (this.#pending && answers(data, this.#pending.transaction)) this.#pending.resolve(readAnswer(data));
  }

  async #exchange(encode: (transaction: Buffer) => Buffer): Promise<StunAnswer | undefined> {
    const transaction = randomBytes(12);
    const request = encode(transaction);
    const { promise, resolve } = Promise.withResolvers<StunAnswer | undefined>();
    this.#pending = { transaction, resolve };
    this.#transport.send(request);
    const retransmit = setInterval(() => this.#transport.send(request), retransmitDelay);
    const timer = setTimeout(resolve, this.#timeout, undefined);
    return promise.finally(() => {
      clearInterval(retransmit);
      clearTimeout(timer);
    });
  }
}

const waitForOpen = (socket: Socket, event: string, timeout: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no connection in ${timeout} ms`)), timeout);
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });

const overUdp = (address: string, port: number, family: number, onData: (data: Buffer) => void): Transport => {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  // An error such as "connection refused" ends in a timeout, as silence does.
  socket.on('error', () => {});
  socket.on('message', onData);
  return { send: (bytes) => socket.send(bytes, port, address, () => {}), close: () => socket.close() };
};

const overTcp = (socket: Socket, onData: (data: Buffer) => void): Transport => {
  let buffered = Buffer.alloc(0);
  let isSent = false;
  socket.on('error', () => {});
  socket.on('data', (data: Buffer) => {
    buffered = Buffer.concat([buffered, data]);
    for (let first = firstOf(buffered); first; first = firstOf(buffered)) {
      buffered = buffered.subarray(first.length);
      isSent = false;
      onData(first);
    }
  });
  const send = (bytes: Buffer) => {
    // TCP loses nothing, so a request is not retransmitted.
    if (!isSent) socket.write(bytes);
    isSent = true;
  };
  return { send, close: () => socket.destroy() };
};
