/** Encodes and decodes STUN messages, with the part of TURN needed to allocate a relay: RFC 8489 and RFC 8656. */
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
/** The realm and nonce that a server requires in a signed request. */
export type Challenge = { realm: Buffer; nonce: Buffer };
/** `outcome`: 0 for success, otherwise the error code, such as 401 (credential), 403 (address), 486 (quota). */
export type StunAnswer = { outcome: number; challenge?: Challenge };

export const cookie = Buffer.from('2112a442', 'hex');
/** REQUESTED-TRANSPORT: UDP is relayed, whatever the transport to the server. */
export const relayUdp: Attribute = [attributes.transport, Buffer.from([17, 0, 0, 0])];
const headerBytes = 20;

/** @param transaction 12 bytes, repeated in the response */
export const message = (method: number, transaction: Buffer, body: Attribute[]): Buffer => {
  const attributeBytes = Buffer.concat(body.map(encode));
  return Buffer.concat([uint16(method), uint16(attributeBytes.length), cookie, transaction, attributeBytes]);
};

/** The same with the long-term credential mechanism, RFC 8489 section 9.2. */
export const signed = (
  method: Method,
  transaction: Buffer,
  body: Attribute[],
  { username, credential }: Credential,
  { realm, nonce }: Challenge,
): Buffer => {
  const identity: Attribute[] = [
    [attributes.username, Buffer.from(username)],
    [attributes.realm, realm],
    [attributes.nonce, nonce],
  ];
  const key = createHash('md5').update(`${username}:${realm}:${credential}`).digest();
  // The signature covers everything before it, and the length in the header already includes it.
  const unsigned = message(method, transaction, [...body, ...identity, [attributes.integrity, Buffer.alloc(20)]]);
  const integrity = createHmac('sha1', key).update(unsigned.subarray(0, -24)).digest();
  return Buffer.concat([unsigned.subarray(0, -20), integrity]);
};

const encode = ([type, value]: Attribute): Buffer =>
  Buffer.concat([uint16(type), uint16(value.length), value, Buffer.alloc(-value.length & 3)]);

/** Whether these bytes are the response to a transaction. */
export const answers = (data: Buffer, transaction: Buffer): boolean =>
  data.length >= headerBytes && data.subarray(4, 8).equals(cookie) && data.subarray(8, 20).equals(transaction);

/** Over TCP: the first complete message of the bytes received; undefined while it is incomplete. */
export const firstOf = (data: Buffer): Buffer | undefined => {
  const length = data.length < headerBytes ? Number.POSITIVE_INFINITY : headerBytes + data.readUInt16BE(2);
  return data.length < length ? undefined : data.subarray(0, length);
};

export const readAnswer = (data: Buffer): StunAnswer => {
  const found = new Map<number, Buffer>();
  for (let offset = headerBytes; offset + 4 <= data.length; ) {
    const length = data.readUInt16BE(offset + 2);
    found.set(data.readUInt16BE(offset), data.subarray(offset + 4, offset + 4 + length));
    offset += 4 + length + (-length & 3);
  }
  const error = found.get(attributes.error);
  const [realm, nonce] = [found.get(attributes.realm), found.get(attributes.nonce)];
  // The third byte holds the hundreds, the fourth the rest.
  const outcome = error === undefined || error.length < 4 ? 0 : error.readUInt8(2) * 100 + error.readUInt8(3);
  return { outcome, ...(realm && nonce && { challenge: { realm, nonce } }) };
};

export const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
