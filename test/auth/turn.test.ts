/** TURN credentials, against what openssl makes of the same words. */
import { describe, expect, test } from 'vitest';
import { iceSet, turnCredential } from '../../app/auth/turn.ts';

const secret = 'north-of-the-garden';
const turn = { urls: ['turn:t.example:3478?transport=udp'], secret, life: 3_600_000 };
const stun = ['stun:s.example:3478'];

describe('a credential', () => {
  test('is what an independent implementation makes', () => {
    // printf %s garden | openssl dgst -sha256 -hmac north-of-the-garden -binary | openssl base64   (16 letters, + and / as - and _)
    // printf %s 1795284000:A4hcAf9CvSfG0ZzV.peer | openssl dgst -sha1 -hmac north-of-the-garden -binary | openssl base64
    expect(turnCredential(secret, 'garden', 'peer', 1_795_284_000_000)).toEqual({
      username: '1795284000:A4hcAf9CvSfG0ZzV.peer',
      credential: 'E6ocV0LVPx0QVRsHGuiGb+5ANYM=',
    });
  });

  test.each(['garden', '庭', 'n'.repeat(64), '𝒢'.repeat(64)])('has a plain, short name for room %s', (room) => {
    const { username } = turnCredential(secret, room, 'p'.repeat(32), 1_795_284_000_000);
    expect(username).toMatch(/^1795284000:[\w-]{16}\.p{32}$/);
  });

  test('is another for another room, peer, time and secret', () => {
    const of = (...given: Parameters<typeof turnCredential>) => Object.values(turnCredential(...given)).join();
    const made = [
      of(secret, 'garden', 'peer', 1000),
      of(secret, 'gate', 'peer', 1000),
      of(secret, 'garden', 'other', 1000),
      of(secret, 'garden', 'peer', 2000),
      of('south-of-the-garden', 'garden', 'peer', 1000),
    ];
    expect(new Set(made).size).toBe(made.length);
  });
});

describe('the servers for a peer', () => {
  test('without TURN are the same for all, and never renewed', () => {
    expect(iceSet([], undefined, 'r', 'p', 0)).toEqual({ servers: [], renewAt: Number.POSITIVE_INFINITY });
    expect(iceSet(stun, undefined, 'r', 'p', 0).servers).toEqual([{ urls: stun }]);
  });

  test('with TURN have a credential that lives its time from now, and are renewed at half of it', () => {
    const now = 1_795_280_400_500;
    const { servers, renewAt } = iceSet(stun, turn, 'garden', 'peer', now);
    expect(servers).toEqual([
      { urls: stun },
      { urls: turn.urls, ...turnCredential(secret, 'garden', 'peer', now + 3_600_000) },
    ]);
    expect(servers[1]?.username).toMatch(/^1795284000:/);
    expect(renewAt).toBe(now + 1_800_000);
  });
});
