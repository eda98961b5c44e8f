/** Session secrets: what a peer shows to go on with its conversation after a lost connection, or a lost room. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PeerId, RoomName } from '../protocol/messages.ts';

/** `session` is given to the peer, once; the server keeps the hash only. */
export type MintedSession = { id: PeerId; session: string; secretHash: string };

export type Sessions = {
  /** A new secret: for a new peer (its id has 72 random bits), or for one that has shown who it was. @param now ms since 1970 */
  mint(room: RoomName, now: number, id?: PeerId): MintedSession;
  /**
   * Whether a session was minted for this room, with this key, less than `proofLife` before `now` (ms since 1970); whoever shows
   * it was the peer that it names.
   */
  proves(room: RoomName, session: string, now: number): boolean;
};

/** A key for this process and those it gives it to. */
export const randomKey = (): string => randomBytes(32).toString('base64url');

/**
 * ms for which a session proves its peer where the room is lost: long enough for every outage that people wait for. A room that
 * still knows the session asks for no proof.
 */
export const proofLife = 24 * 3_600_000;

/** Characters of a secret that are the hour it was made (24 bits) and random (72 bits), and as many that prove where it comes from. */
const half = 16;
const hourBytes = 3;
const hour = 3_600_000;

/** @param key what secrets are proven with: it outlives the process, or is the same for several */
export const createSessions = (key: string): Sessions => {
  const proofOf = (room: RoomName, beginning: string): string =>
    createHmac('sha256', key).update(`dated session\n${room}\n${beginning}`).digest('base64url').slice(0, half);
  return {
    mint(room, now, id = randomBytes(9).toString('base64url')) {
      const secret = randomBytes(12);
      secret.writeUIntBE(Math.floor(now / hour), 0, hourBytes);
      const beginning = `${id}.${secret.toString('base64url')}`;
      const session = beginning + proofOf(room, beginning);
      return { id, session, secretHash: hash(session.slice(id.length + 1)) };
    },
    proves(room, session, now) {
      if (!readSession(session)) return false;
      const [beginning, proof] = [session.slice(0, -half), session.slice(-half)];
      if (!timingSafeEqual(Buffer.from(proof), Buffer.from(proofOf(room, beginning)))) return false;
      const made = Buffer.from(beginning.slice(-half), 'base64url').readUIntBE(0, hourBytes) * hour;
      // Nor from the future, as one that was made while a clock was wrong.
      return Math.abs(now - made) < proofLife;
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
