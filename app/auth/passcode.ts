/** Passcodes of rooms: kept as salted hashes, compared in constant time. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Both in base64url. */
export type Passcode = { salt: string; hash: string };

export const hashPasscode = async (text: string): Promise<Passcode> => {
  const salt = randomBytes(16).toString('base64url');
  return { salt, hash: await saltedHash(text, salt) };
};

/**
 * scrypt (RFC 7914) with Node's usual costs (N = 2^14): a passcode is short, so each guess has to be dear. It runs beside
 * the event loop.
 */
export const saltedHash = (text: string, salt: string): Promise<string> =>
  new Promise((resolve, reject) => {
    // The same text typed on another keyboard may be composed otherwise.
    scrypt(text.normalize('NFC'), salt, 32, (error, hash) =>
      error ? reject(error) : resolve(hash.toString('base64url')),
    );
  });

export const matches = ({ hash }: Passcode, given: string): boolean => {
  const [a, b] = [Buffer.from(hash), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
};
