import { describe, expect, test } from 'vitest';
import { createSessions, proofLife, randomKey, readSession } from '../../app/auth/session.ts';

describe('a session', () => {
  const now = 1_800_000_000_000;
  const sessions = createSessions(randomKey());

  test('names its peer and has its own secret, even if minted for a known peer', () => {
    const { id, session, secretHash } = sessions.mint('r', now);
    expect(session).toMatch(/^[\w-]{12}\.[\w-]{32}$/);
    expect(readSession(session)).toEqual({ id, secretHash });
    const again = sessions.mint('r', now, id);
    expect(again.id).toBe(id);
    expect(again.secretHash).not.toBe(secretHash);
    expect(sessions.mint('r', now).id).not.toBe(id);
  });

  test('proves its peer in its room to every holder of the key', () => {
    const [one, other] = [createSessions('key'), createSessions('key')];
    const { session } = one.mint('r', now);
    expect(other.proves('r', session, now)).toBe(true);
    expect(other.proves('s', session, now)).toBe(false);
    expect(createSessions('another').proves('r', session, now)).toBe(false);
  });

  test('proves nothing if any character is changed', () => {
    const { session } = sessions.mint('r', now);
    for (let at = 0; at < session.length; at += 1) {
      const other = session[at] === 'A' ? 'B' : 'A';
      expect(sessions.proves('r', session.slice(0, at) + other + session.slice(at + 1), now)).toBe(false);
    }
    for (const odd of ['', '.', session.slice(1), session.slice(0, -1), `${session}A`, 'é'.repeat(45)])
      expect(sessions.proves('r', odd, now)).toBe(false);
  });

  test('proves nothing a day after it was minted, nor before', () => {
    const { session } = sessions.mint('r', now);
    const at = (later: number) => sessions.proves('r', session, now + later);
    // The date is in hours.
    expect(at(proofLife - 3_600_000)).toBe(true);
    expect(at(proofLife)).toBe(false);
    expect(at(400 * proofLife)).toBe(false);
    // The clock of one of two hosts is behind.
    expect(at(-3_600_000)).toBe(true);
    expect(at(-proofLife - 3_600_000)).toBe(false);
  });

  test('has random parts that are never used twice', () => {
    const parts = Array.from({ length: 2000 }, () => sessions.mint('r', now).session.split('.'));
    // The first four characters of a secret are the hour.
    const random = parts.flatMap(([id = '', secret = '']) => [id, secret.slice(4, 16)]);
    expect(new Set(random).size).toBe(random.length);
  });
});
