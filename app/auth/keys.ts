/** The keys that tokens are signed and checked with, and the one algorithm that goes with each. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { errors, type JWTVerifyGetKey } from 'jose';

/** `algorithms`: what a token's head may name; it follows from the kind of key, so no token can choose another. */
export type VerificationKey = { algorithms: string[]; find: JWTVerifyGetKey };
export type SigningKey = { algorithm: string; key: KeyObject | Uint8Array };

/** The key set at a URL cannot be fetched now, which is no fault of the token. */
export class KeysUnavailable extends Error {}

export const secretKey = (secret: string): VerificationKey => {
  const bytes = new TextEncoder().encode(secret);
  return { algorithms: ['HS256'], find: async () => bytes };
};
export const signingSecret = (secret: string): SigningKey => ({
  algorithm: 'HS256',
  key: new TextEncoder().encode(secret),
});

/** @throws a sentence without a subject when the PEM text holds no public key that can be used */
export const publicKey = (pem: string): VerificationKey => {
  // A private key would be taken as well, by its public half; where it is not needed it should not lie about.
  if (/PRIVATE KEY/.test(pem)) throw new Error('holds a private key; the server wants the public one');
  const key = parse(pem, createPublicKey, 'public');
  return { algorithms: algorithmsOf(key), find: async () => key };
};

/** @throws a sentence without a subject when the PEM text holds no private key that can be used */
export const privateKey = (pem: string): SigningKey => {
  const key = parse(pem, createPrivateKey, 'private');
  const [algorithm = ''] = algorithmsOf(key);
  return { algorithm, key };
};

/** The keys of a JSON Web Key Set, by RFC 7517; only public ones count. @param find as jose makes it from a URL */
export const keySet = (find: JWTVerifyGetKey): VerificationKey => ({
  algorithms: ['EdDSA', 'Ed25519', 'ES256', 'RS256'],
  find: async (...asked) => {
    try {
      return await find(...asked);
    } catch (error) {
      if (answersOfSet.some((kind) => error instanceof kind)) throw error;
      throw new KeysUnavailable('the key set that tokens are checked with cannot be had', { cause: error });
    }
  },
});
const answersOfSet = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

const parse = (pem: string, read: (pem: string) => KeyObject, kind: string): KeyObject => {
  try {
    return read(pem);
  } catch {
    // What node:crypto says of it helps nobody, and could repeat a part of the text.
    throw new Error(`holds no ${kind} key in PEM form${/ENCRYPTED/.test(pem) ? ' without a passphrase' : ''}`);
  }
};

/** Ed25519 has two names: RFC 8037's, which everybody writes, and that of RFC 9864. */
const algorithmsOf = ({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): string[] => {
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  if (type === 'ec' && details.namedCurve === 'prime256v1') return ['ES256'];
  if (type === 'rsa' && (details.modulusLength ?? 0) >= 2048) return ['RS256'];
  const size = details.modulusLength === undefined ? '' : ` of ${details.modulusLength} bits`;
  throw new Error(`holds a key of another kind (${type} ${details.namedCurve ?? ''}${size}); ${wanted}`);
};
const wanted = 'use Ed25519, EC on P-256, or RSA with at least 2048 bits';
