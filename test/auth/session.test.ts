import { describe, expect, test } from 'vitest';
import { createSessions, randomKey, readSession } from '../../app/auth/session.ts';

describe('a session', () => {
  const sessions = createSessions(randomKey());

  test('names its peer and has a secret of its own, also when it is minted for a known peer', () => {
    const { id, session, secretHash } = sessions.mint('r');
    expect(session).toMatch(/^[\w-]{12}\.[\w-]{32}$/);
    expect(readSession(session)).toEqual({ id, secretHash });
    const again = sessions.mint('r', id);
    expect(again.id).toBe(id);
    expect(again.secretHash).not.toBe(secretHash);
    expect(sessions.mint('r').id).not.toBe(id);
  });

  test('proves its peer in its room, to whoever has the key', () => {
    const [one, other] = [createSessions('key'), createSessions('key')];
    const { session } = one.mint('r');
    expect(other.proves('r', session)).toBe(true);
    expect(other.proves('s', session)).toBe(false);
    expect(createSessions('another').proves('r', session)).toBe(false);
  });

  test('proves nothing once any character of it is another', () => {
    const { session } = sessions.mint('r');
    for (let at = 0; at < session.length; at += 1) {
      const other = session[at] === 'A' ? 'B' : 'A';
      expect(sessions.proves('r', session.slice(0, at) + other + session.slice(at + 1))).toBe(false);
    }
    for (const odd of ['', '.', session.slice(1), session.slice(0, -1), `${session}A`, 'é'.repeat(45)])
      expect(sessions.proves('r', odd)).toBe(false);
  });
});
