/** Session secrets: what a peer shows to go on with its conversation after a lost connection, or a lost room. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PeerId, RoomName } from '../protocol/messages.ts';

/** `session` is given to the peer, once; the server keeps the hash only. */
export type MintedSession = { id: PeerId; session: string; secretHash: string };

export type Sessions = {
  /** A new secret: for a new peer (its id has 72 random bits), or for one that has shown who it was. */
  mint(room: RoomName, id?: PeerId): MintedSession;
  /** Whether a session was minted for this room, with this key; whoever shows it was the peer that it names. */
  proves(room: RoomName, session: string): boolean;
};

/** A key for this process and those it gives it to. */
export const randomKey = (): string => randomBytes(32).toString('base64url');

/** Characters of a secret that are random (96 bits), and as many behind them that prove where it comes from. */
const half = 16;

/** @param key what secrets are proven with: it outlives the process, or is the same for several */
export const createSessions = (key: string): Sessions => {
  const proofOf = (room: RoomName, beginning: string): string =>
    createHmac('sha256', key).update(`session\n${room}\n${beginning}`).digest('base64url').slice(0, half);
  return {
    mint(room, id = randomBytes(9).toString('base64url')) {
      const beginning = `${id}.${randomBytes(12).toString('base64url')}`;
      const session = beginning + proofOf(room, beginning);
      return { id, session, secretHash: hash(session.slice(id.length + 1)) };
    },
    proves(room, session) {
      if (!readSession(session)) return false;
      const beginning = session.slice(0, -half);
      return timingSafeEqual(Buffer.from(session.slice(-half)), Buffer.from(proofOf(room, beginning)));
    },
  };
};

/** The peer id and the hash of the secret in a `session`; undefined when it does not have that form. */
export const readSession = (session: string): { id: PeerId; secretHash: string } | undefined => {
  const [, id, secret] = /^([\w-]{1,32})\.([\w-]{32})$/.exec(session) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hash(secret) };
};

// One round of SHA-256 is enough: the secret is random, so there is nothing to guess. Hashes are compared, never secrets,
// so the time a comparison takes tells nothing about the secret.
const hash = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
