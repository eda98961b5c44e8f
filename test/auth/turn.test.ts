/** TURN credentials, compared with those that openssl computes. */
import { describe, expect, test } from 'vitest';
import { iceSet, turnCredential } from '../../app/auth/turn.ts';

const secret = 'north-of-the-garden';
const turn = { urls: ['turn:t.example:3478?transport=udp'], secret, life: 3_600_000, names: 2 };
const stun = ['stun:s.example:3478'];

describe('a TURN credential', () => {
  test('equals that of an independent implementation', () => {
    // printf '%s' '203.0.113.7 1' | openssl dgst -sha256 -hmac north-of-the-garden -binary | openssl base64   (22 letters, + and / as - and _)
    // printf %s 1795284000:zpMvDLtS1a3FolNGL7gy76 | openssl dgst -sha1 -hmac north-of-the-garden -binary | openssl base64
    expect(turnCredential(turn, 'peer', '203.0.113.7', 1_795_284_000_000)).toEqual({
      username: '1795284000:zpMvDLtS1a3FolNGL7gy76',
      credential: 'InpvoLLRhOKnGyaU5+A+2J2Ylvg=',
    });
  });

  test('has one of a few user names shared by all peers of a network, and by no other network', () => {
    const nameOf = (peer: number, network: string) =>
      turnCredential(turn, `peer-${peer}`, network, 1000).username.split(':')[1] ?? '';
    const namesOf = (networks: string[]) =>
      new Set(Array.from({ length: 300 }, (_, at) => nameOf(at, networks[at % networks.length] ?? '')));
    const office = namesOf(['203.0.113.7']);
    const organisation = namesOf(['2001:db8:5::/64', '2001:db8:5:1::/64', '2001:db8:5:ffff::/64']);
    expect([office.size, organisation.size]).toEqual([2, 2]);
    expect(new Set([...office, ...organisation]).size).toBe(4);
    // Where addresses are unknown every peer has a name of its own.
    expect(namesOf(['']).size).toBe(300);
  });

  test('differs for another time or secret', () => {
    const of = (by: string, expires: number) =>
      Object.values(turnCredential({ secret: by, names: 2 }, 'peer', '203.0.113.7', expires)).join();
    expect(new Set([of(secret, 1000), of(secret, 2000), of('south-of-the-garden', 1000)]).size).toBe(3);
  });
});

describe('the ICE servers of a peer', () => {
  test('without TURN are the same for all peers, and never renewed', () => {
    expect(iceSet([], undefined, 'p', '', 0)).toEqual({ servers: [], renewAt: Number.POSITIVE_INFINITY });
    expect(iceSet(stun, undefined, 'p', '', 0).servers).toEqual([{ urls: stun }]);
  });

  test('with TURN have a credential valid for its lifetime from now, renewed at half of it', () => {
    const now = 1_795_280_400_500;
    const { servers, renewAt } = iceSet(stun, turn, 'peer', '203.0.113.7', now);
    expect(servers).toEqual([
      { urls: stun },
      { urls: turn.urls, ...turnCredential(turn, 'peer', '203.0.113.7', now + 3_600_000) },
    ]);
    expect(servers[1]?.username).toMatch(/^1795284000:/);
    expect(renewAt).toBe(now + 1_800_000);
  });
});
