/** As much of a TURN client (RFC 8656, over UDP) as it takes to ask a server what it allows, and to read the error when it does not. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

export type Credential = { username: string; credential: string };
/** 0: it succeeded. Else the error code, such as 401 (credential), 403 (address), 486 (quota). */
export type Outcome = number;

const methods = { allocate: 0x003, refresh: 0x004, permit: 0x008 } as const;
const attributes = {
  username: 0x0006,
  integrity: 0x0008,
  error: 0x0009,
  lifetime: 0x000d,
  peer: 0x0012,
  realm: 0x0014,
  nonce: 0x0015,
  family: 0x0017,
  transport: 0x0019,
} as const;
type Attribute = [type: number, value: Buffer];
type Answer = { outcome: Outcome; realm?: Buffer; nonce?: Buffer };

const cookie = Buffer.from('2112a442', 'hex');
const udp = Buffer.from([17, 0, 0, 0]);

export class TurnClient {
  readonly #socket: Socket;
  readonly #server: { address: string; port: number };
  readonly #credential: Credential;
  #challenge: Answer = { outcome: 401 };

  constructor(server: { address: string; port: number }, credential: Credential) {
    this.#socket = createSocket('udp4');
    this.#server = server;
    this.#credential = credential;
  }

  /** Asks for a relay address. @param ipv6 of that family */
  allocate({ ipv6 = false } = {}): Promise<Outcome> {
    const family: Attribute[] = ipv6 ? [[attributes.family, Buffer.from([2, 0, 0, 0])]] : [];
    return this.#ask(methods.allocate, [[attributes.transport, udp], ...family]);
  }

  /** Keeps the allocation for ten minutes more. */
  refresh(): Promise<Outcome> {
    return this.#ask(methods.refresh, [[attributes.lifetime, Buffer.from([0, 0, 2, 88])]]);
  }

  /** Asks to be relayed to an address. */
  permit(address: string): Promise<Outcome> {
    return this.#ask(methods.permit, (transaction) => [[attributes.peer, xorAddress(address, transaction)]]);
  }

  close(): void {
    this.#socket.close();
  }

  /** Signs with the challenge it has; when the server has another, once more with that. */
  async #ask(method: number, wanted: Attribute[] | ((transaction: Buffer) => Attribute[])): Promise<Outcome> {
    for (let tries = 0; ; tries += 1) {
      const transaction = randomBytes(12);
      const body = typeof wanted === 'function' ? wanted(transaction) : wanted;
      const answer = await this.#exchange(this.#sign(method, transaction, body), transaction);
      const challenged = answer.nonce !== undefined && (answer.outcome === 401 || answer.outcome === 438);
      if (!challenged || tries === 1) return answer.outcome;
      this.#challenge = answer;
    }
  }

  #sign(method: number, transaction: Buffer, body: Attribute[]): Buffer {
    const { realm, nonce } = this.#challenge;
    if (!realm || !nonce) return message(method, transaction, body);
    const { username, credential } = this.#credential;
    const who: Attribute[] = [
      [attributes.username, Buffer.from(username)],
      [attributes.realm, realm],
      [attributes.nonce, nonce],
    ];
    const key = createHash('md5').update(`${username}:${realm}:${credential}`).digest();
    // The signature covers all before it, with a length in the header that counts it in already.
    const unsigned = message(method, transaction, [...body, ...who, [attributes.integrity, Buffer.alloc(20)]]);
    const integrity = createHmac('sha1', key).update(unsigned.subarray(0, -24)).digest();
    return Buffer.concat([unsigned.subarray(0, -20), integrity]);
  }

  async #exchange(request: Buffer, transaction: Buffer): Promise<Answer> {
    const { address, port } = this.#server;
    const send = () => this.#socket.send(request, port, address);
    const again = setInterval(send, 500);
    const signal = AbortSignal.timeout(10_000);
    try {
      send();
      for (;;) {
        const [data]: Buffer[] = await once(this.#socket, 'message', { signal });
        if (data?.subarray(8, 20).equals(transaction)) return read(data);
      }
    } finally {
      clearInterval(again);
    }
  }
}

const message = (method: number, transaction: Buffer, body: Attribute[]): Buffer => {
  const all = Buffer.concat(body.map(encode));
  return Buffer.concat([uint16(method), uint16(all.length), cookie, transaction, all]);
};

const encode = ([type, value]: Attribute): Buffer =>
  Buffer.concat([uint16(type), uint16(value.length), value, Buffer.alloc(-value.length & 3)]);

const read = (data: Buffer): Answer => {
  const found = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2);
    found.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + length));
    at += 4 + length + (-length & 3);
  }
  const error = found.get(attributes.error);
  const [realm, nonce] = [found.get(attributes.realm), found.get(attributes.nonce)];
  // The hundreds stand in the third byte, the rest in the fourth.
  const outcome = error === undefined ? 0 : error.readUInt8(2) * 100 + error.readUInt8(3);
  return { outcome, ...(realm && { realm }), ...(nonce && { nonce }) };
};

/** Family, port 9 and address, the latter two blended with the cookie (and, for IPv6, the transaction). */
const xorAddress = (address: string, transaction: Buffer): Buffer => {
  const bytes = isIPv6(address) ? ipv6Bytes(address) : Buffer.from(address.split('.').map(Number));
  const mask = Buffer.concat([cookie, transaction]);
  const blended = Buffer.from(bytes.map((byte, index) => byte ^ mask.readUInt8(index)));
  return Buffer.concat([Buffer.from([0, isIPv6(address) ? 2 : 1]), uint16(9 ^ 0x2112), blended]);
};

const ipv6Bytes = (address: string): Buffer => {
  // URLs write IPv6 in one way, IPv4 at its end as hex.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const words = (text: string) => text.split(':').filter(Boolean);
  const after = words(tail ?? '');
  const before = words(head);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.concat([...before, ...zeros, ...after].map((word) => uint16(Number.parseInt(word, 16))));
};

const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
