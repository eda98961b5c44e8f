/** Reads the keys in the settings that verify or sign tokens. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { type KeySetOptions, remoteKeySet } from './key-set.ts';
import { privateKey, publicKey, type SigningKey, secretKey, type VerificationKey } from './keys.ts';

/** @throws if a file cannot be used; the message says which and why */
export const verificationKeys = (settings: Settings, options: KeySetOptions = {}): VerificationKey[] => {
  const url = settings['token-jwks-url'];
  return [
    ...settings['token-secret'].map(secretKey),
    ...settings['token-key'].map((path) => readKey('--token-key', path, publicKey)),
    ...(url === undefined ? [] : [remoteKeySet(new URL(url), options)]),
  ];
};

/** @throws as above */
export const signingKey = (path: string): SigningKey => readKey('--private-key', path, privateKey);

const readKey = <Key>(option: string, path: string, parse: (pem: string) => Key): Key => {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(`${option}: ${path} ${/^[A-Z]+: /.test(reason) ? `cannot be read: ${reason}` : reason}`);
  }
};
