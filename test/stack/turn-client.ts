/** As much of a TURN client (RFC 8656, over UDP) as is needed to test what a server allows, and to read its errors. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import {
  type Attribute,
  answers,
  attributes,
  type Challenge,
  type Credential,
  cookie,
  type Method,
  message,
  methods,
  readAnswer,
  relayUdp,
  type StunAnswer,
  signed,
  uint16,
} from '../../app/doctor/stun.ts';

/** 0: success. Otherwise the error code, such as 401 (credential), 403 (address), 486 (quota). */
export type Outcome = number;

export class TurnClient {
  readonly #socket: Socket;
  readonly #server: { address: string; port: number };
  readonly #credential: Credential;
  #challenge: Challenge | undefined;

  constructor(server: { address: string; port: number }, credential: Credential) {
    this.#socket = createSocket('udp4');
    this.#server = server;
    this.#credential = credential;
  }

  /**
   * Requests a relay address.
   * @param ipv6 of that family
   */
  allocate({ ipv6 = false } = {}): Promise<Outcome> {
    const family: Attribute[] = ipv6 ? [[attributes.family, Buffer.from([2, 0, 0, 0])]] : [];
    return this.#ask(methods.allocate, () => [relayUdp, ...family]);
  }

  /** Refreshes the allocation for ten more minutes. */
  refresh(): Promise<Outcome> {
    return this.#ask(methods.refresh, () => [[attributes.lifetime, Buffer.from([0, 0, 2, 88])]]);
  }

  /** Requests a permission to relay to an address. */
  permit(address: string): Promise<Outcome> {
    return this.#ask(methods.permit, (transaction) => [[attributes.peer, xorAddress(address, transaction)]]);
  }

  close(): void {
    this.#socket.close();
  }

  /** Signs with its latest challenge; if the server has another, once more with that. */
  async #ask(method: Method, wanted: (transaction: Buffer) => Attribute[]): Promise<Outcome> {
    for (let tries = 0; ; tries += 1) {
      const transaction = randomBytes(12);
      const body = wanted(transaction);
      const request = this.#challenge
        ? signed(method, transaction, body, this.#credential, this.#challenge)
        : message(method, transaction, body);
      const { outcome, challenge } = await this.#exchange(request, transaction);
      if (!challenge || (outcome !== 401 && outcome !== 438) || tries === 1) return outcome;
      this.#challenge = challenge;
    }
  }

  async #exchange(request: Buffer, transaction: Buffer): Promise<StunAnswer> {
    const { address, port } = this.#server;
    const send = () => this.#socket.send(request, port, address);
    const again = setInterval(send, 500);
    const signal = AbortSignal.timeout(10_000);
    try {
      send();
      for (;;) {
        const [data]: Buffer[] = await once(this.#socket, 'message', { signal });
        if (data && answers(data, transaction)) return readAnswer(data);
      }
    } finally {
      clearInterval(again);
    }
  }
}

/** Family, port 9 and address, the latter two XORed with the cookie (and, for IPv6, the transaction). */
const xorAddress = (address: string, transaction: Buffer): Buffer => {
  const bytes = isIPv6(address) ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number));
  const mask = Buffer.concat([cookie, transaction]);
  const blended = Buffer.from(bytes.map((byte, index) => byte ^ mask.readUInt8(index)));
  return Buffer.concat([Buffer.from([0, isIPv6(address) ? 2 : 1]), uint16(9 ^ 0x2112), blended]);
};

const ipv6Bytes = (address: string): Buffer => {
  // URLs normalize IPv6, with an IPv4 part at its end in hex.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const words = (text: string) => text.split(':').filter(Boolean);
  const after = words(tail ?? '');
  const before = words(head);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.concat([...before, ...zeros, ...after].map((word) => uint16(Number.parseInt(word, 16))));
};
