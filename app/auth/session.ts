/** Session secrets: what a peer shows to go on with its conversation after a lost connection. */
import { createHash, randomBytes } from 'node:crypto';
import type { PeerId } from '../protocol/messages.ts';

/** `session` is given to the peer, once; the server keeps the hash only. */
export type MintedSession = { id: PeerId; session: string; secretHash: string };

/** A new peer id (72 random bits) with a new secret of 192 random bits. */
export const mintSession = (): MintedSession => {
  const id = randomBytes(9).toString('base64url');
  const secret = randomBytes(24).toString('base64url');
  return { id, session: `${id}.${secret}`, secretHash: hash(secret) };
};

/** The peer id and the hash of the secret in a `session`; undefined when it does not have that form. */
export const readSession = (session: string): { id: PeerId; secretHash: string } | undefined => {
  const [, id, secret] = /^([\w-]{1,32})\.([\w-]{32})$/.exec(session) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hash(secret) };
};

// One round of SHA-256 is enough: the secret is random, so there is nothing to guess. Hashes are compared, never secrets,
// so the time a comparison takes tells nothing about the secret.
const hash = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
