/** Keys that sign and verify tokens, and the algorithm of each. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { errors, type JWTVerifyGetKey } from 'jose';

/** `algorithms`: accepted `alg` values in a token's header. They follow from the type of key, so a token cannot choose. */
export type VerificationKey = { algorithms: string[]; find: JWTVerifyGetKey };
export type SigningKey = { algorithm: string; key: KeyObject | Uint8Array };

/** The key set cannot be fetched now, which says nothing about the token. */
export class KeysUnavailable extends Error {}

export const secretKey = (secret: string): VerificationKey => {
  const bytes = new TextEncoder().encode(secret);
  return { algorithms: ['HS256'], find: async () => bytes };
};
export const signingSecret = (secret: string): SigningKey => ({
  algorithm: 'HS256',
  key: new TextEncoder().encode(secret),
});

/** @throws if the PEM text has no usable public key; the message is a sentence without its subject */
export const publicKey = (pem: string): VerificationKey => {
  // createPublicKey would accept a private key too, but a private key should not be stored where it is not needed.
  if (/PRIVATE KEY/.test(pem)) throw new Error('holds a private key; the server wants the public one');
  const key = parse(pem, createPublicKey, 'public');
  return { algorithms: algorithmsOf(key), find: async () => key };
};

/** @throws if the PEM text has no usable private key; the message is a sentence without its subject */
export const privateKey = (pem: string): SigningKey => {
  const key = parse(pem, createPrivateKey, 'private');
  const [algorithm = ''] = algorithmsOf(key);
  return { algorithm, key };
};

/** The keys of a JSON Web Key Set (RFC 7517); only public keys are accepted. @param find as created by jose for a URL */
export const keySet = (find: JWTVerifyGetKey): VerificationKey => ({
  algorithms: ['EdDSA', 'Ed25519', 'ES256', 'RS256'],
  find: async (...request) => {
    try {
      return await find(...request);
    } catch (error) {
      if (keySetErrors.some((kind) => error instanceof kind)) throw error;
      throw new KeysUnavailable('the key set that tokens are checked with cannot be had', { cause: error });
    }
  },
});
const keySetErrors = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

const parse = (pem: string, read: (pem: string) => KeyObject, kind: string): KeyObject => {
  try {
    return read(pem);
  } catch {
    // The error of node:crypto is not helpful, and could contain part of the text.
    throw new Error(`holds no ${kind} key in PEM form${/ENCRYPTED/.test(pem) ? ' without a passphrase' : ''}`);
  }
};

/** Ed25519 has two names: that of RFC 8037, which is in common use, and that of RFC 9864. */
const algorithmsOf = ({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): string[] => {
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  if (type === 'ec' && details.namedCurve === 'prime256v1') return ['ES256'];
  if (type === 'rsa' && (details.modulusLength ?? 0) >= 2048) return ['RS256'];
  const size = details.modulusLength === undefined ? '' : ` of ${details.modulusLength} bits`;
  throw new Error(`holds a key of another kind (${type} ${details.namedCurve ?? ''}${size}); ${supportedKeys}`);
};
const supportedKeys = 'use Ed25519, EC on P-256, or RSA with at least 2048 bits';
