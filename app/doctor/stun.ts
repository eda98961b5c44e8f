/** STUN messages as bytes, with as much of TURN as it takes to ask for a relay: RFC 8489 and RFC 8656. */
import { createHash, createHmac } from 'node:crypto';

export const methods = { bind: 0x001, allocate: 0x003, refresh: 0x004, permit: 0x008 } as const;
export type Method = (typeof methods)[keyof typeof methods];
export const attributes = {
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
export type Attribute = [type: number, value: Buffer];

export type Credential = { username: string; credential: string };
/** What a server asks a credential to be signed with. */
export type Challenge = { realm: Buffer; nonce: Buffer };
/** `outcome` 0: it succeeded. Else the error code, such as 401 (credential), 403 (address), 486 (quota). */
export type StunAnswer = { outcome: number; challenge?: Challenge };

export const cookie = Buffer.from('2112a442', 'hex');
/** REQUESTED-TRANSPORT: what is relayed is UDP, whatever leads to the server. */
export const relayUdp: Attribute = [attributes.transport, Buffer.from([17, 0, 0, 0])];
const headBytes = 20;

/** @param transaction 12 bytes that the answer has as well */
export const message = (method: number, transaction: Buffer, body: Attribute[]): Buffer => {
  const all = Buffer.concat(body.map(encode));
  return Buffer.concat([uint16(method), uint16(all.length), cookie, transaction, all]);
};

/** The same with the long-term credential mechanism, RFC 8489 section 9.2. */
export const signed = (
  method: Method,
  transaction: Buffer,
  body: Attribute[],
  { username, credential }: Credential,
  { realm, nonce }: Challenge,
): Buffer => {
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
};

const encode = ([type, value]: Attribute): Buffer =>
  Buffer.concat([uint16(type), uint16(value.length), value, Buffer.alloc(-value.length & 3)]);

/** Whether these bytes are the answer to a transaction. */
export const answers = (data: Buffer, transaction: Buffer): boolean =>
  data.length >= headBytes && data.subarray(4, 8).equals(cookie) && data.subarray(8, 20).equals(transaction);

/** Over TCP: the first whole message of what has come; undefined while there is more to come. */
export const firstOf = (data: Buffer): Buffer | undefined => {
  const length = data.length < headBytes ? Number.POSITIVE_INFINITY : headBytes + data.readUInt16BE(2);
  return data.length < length ? undefined : data.subarray(0, length);
};

export const readAnswer = (data: Buffer): StunAnswer => {
  const found = new Map<number, Buffer>();
  for (let at = headBytes; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2);
    found.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + length));
    at += 4 + length + (-length & 3);
  }
  const error = found.get(attributes.error);
  const [realm, nonce] = [found.get(attributes.realm), found.get(attributes.nonce)];
  // The hundreds stand in the third byte, the rest in the fourth.
  const outcome = error === undefined || error.length < 4 ? 0 : error.readUInt8(2) * 100 + error.readUInt8(3);
  return { outcome, ...(realm && nonce && { challenge: { realm, nonce } }) };
};

export const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
