/** Session secrets, with which a peer resumes after losing its connection or its room. */
import { createHmac, hash as digest, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import type { PeerId, RoomName } from '../protocol/messages.ts';

/** `session` is sent to the peer once; the server keeps only the hash. */
export type MintedSession = { id: PeerId; session: string; secretHash: string };

export type Sessions = {
  /** A new secret, for a new peer (with an id of 72 random bits) or one that has proved its `id`. @param now ms since 1970 */
  mint(room: RoomName, now: number, id?: PeerId): MintedSession;
  /**
   * Whether a session was minted for this room with this key, less than `proofLife` before `now` (ms since 1970). If so, its bearer
   * was the peer that it names.
   */
  proves(room: RoomName, session: string, now: number): boolean;
};

/** A key for this process and those it shares it with. */
export const randomKey = (): string => randomBytes(32).toString('base64url');

/**
 * ms for which a session proves its peer's id after the room was lost: longer than any outage that people wait out. A room that
 * still knows the session needs no proof.
 */
export const proofLife = 24 * 3_600_000;

/** Length of each half of a secret: first the hour it was made (24 bits) and random data (72 bits), then the proof of its origin. */
const half = 16;
const hourBytes = 3;
const hour = 3_600_000;

/** @param key HMAC key of the proofs; must outlive the process, or be shared by several, for proofs to be accepted there */
export const createSessions = (key: string): Sessions => {
  const proofOf = (room: RoomName, beginning: string): string =>
    createHmac('sha256', key).update(`dated session\n${room}\n${beginning}`).digest('base64url').slice(0, half);
  return {
    mint(room, now, id = randomPart(9).toString('base64url')) {
      const secret = Buffer.from(randomPart(12));
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
      // abs: also refuses dates in the future, made while a clock was wrong.
      return Math.abs(now - made) < proofLife;
    },
  };
};

/** The peer id and the hash of the secret in a `session`; undefined if it is malformed. */
export const readSession = (session: string): { id: PeerId; secretHash: string } | undefined => {
  const [, id, secret] = /^([\w-]{1,32})\.([\w-]{32})$/.exec(session) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hash(secret) };
};

// One round of SHA-256 is enough, since the secret is random and cannot be guessed. Only hashes are compared, so the timing
// of a comparison reveals nothing about the secret.
const hash = (secret: string): string => digest('sha256', secret, 'base64url');

/** Random bytes that were not used yet: one call to the generator takes as long for 4 KiB as for a few bytes. */
const pool = Buffer.allocUnsafeSlow(4096);
let used = pool.length;

/** @returns a view of the pool, to be read at once */
const randomPart = (length: number): Buffer => {
  if (used + length > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += length;
  return pool.subarray(used - length, used);
};
