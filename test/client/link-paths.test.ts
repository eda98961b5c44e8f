/** How a link gets another path, or another connection, and when it moves to new servers. */
import { describe, expect, it } from 'vitest';
import { settled } from './fake-clock.ts';
import { newer, pair } from './link-pair.ts';

describe('a lost connection', () => {
  it('gets a new path after a while, with the newest servers, through the same negotiation', async () => {
    const { a, b, clock, connect, deliver } = pair();
    await connect();
    a.link.setIce(newer);
    a.rtc.latest.become('disconnected');
    expect(a.link.state).toBe('reconnecting');
    await clock.pass(1_999);
    expect(a.rtc.latest.restarts).toBe(0);
    await clock.pass(1);
    expect(a.rtc.latest.restarts).toBe(1);
    expect(a.rtc.latest.configuration.iceServers).toEqual(newer.iceServers);
    await deliver();
    a.rtc.latest.become('connected');
    expect(a.link.state).toBe('connected');
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([1, 1]);
  });

  it('that heals alone is left alone', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    await clock.pass(1_000);
    a.rtc.latest.become('connected');
    await clock.pass(60_000);
    expect(a.rtc.latest.restarts).toBe(0);
  });

  it.each(['a', 'b'] as const)(
    'is found anew by Firefox where one side is that, %s here, whichever side asks for it',
    async (side) => {
      const { a, b, connect, deliver } = pair({ [side]: 'Firefox' });
      await connect();
      for (const { link } of [a, b, a, b]) {
        link.networkChanged();
        await deliver();
      }
      const other = side === 'a' ? b : a;
      expect([{ a, b }[side].rtc.latest.restarts, other.rtc.latest.restarts]).toEqual([4, 0]);
      expect([a.rtc.latest.offers + b.rtc.latest.offers, a.rtc.made.length, b.rtc.made.length]).toEqual([5, 1, 1]);
      expect([...a.troubles, ...b.troubles]).toEqual([]);
    },
  );

  it('is replaced when the new path does not help', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    await clock.pass(2_000);
    expect(a.rtc.latest.restarts).toBe(1);
    await clock.pass(10_000);
    expect(a.rtc.made).toHaveLength(2);
    expect(a.link.state).toBe('reconnecting');
  });

  it('is replaced at once when it has failed, whichever side finds that', async () => {
    const { a, b, connect, deliver } = pair();
    await connect();
    b.rtc.latest.become('failed');
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([2, 2]);
    await connect();
    a.rtc.latest.become('failed');
    await deliver();
    expect([a.rtc.made.length, b.rtc.made.length]).toEqual([3, 3]);
    expect(a.rtc.made.concat(b.rtc.made).map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('that fails while signals do not arrive is replaced when they do', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.reachable.now = false;
    a.rtc.latest.become('disconnected');
    a.rtc.latest.become('failed');
    await clock.pass(60_000);
    expect(a.rtc.made).toHaveLength(1);
    a.reachable.now = true;
    a.link.heal();
    expect(a.rtc.made).toHaveLength(2);
  });

  it('tries at once when signals arrive again', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    a.link.heal();
    expect(a.rtc.latest.restarts).toBe(1);
    a.link.close();
    expect(clock.pending).toBe(0);
  });
});

describe('new servers', () => {
  it('are there for the next path, and leave a direct one alone', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    a.link.setIce(newer);
    b.link.setIce(newer);
    await clock.pass(60_000);
    expect([a.rtc.latest.configuration, b.rtc.latest.configuration]).toMatchObject([newer, newer]);
    expect([a.rtc.latest.restarts, b.rtc.latest.restarts]).toEqual([0, 0]);
  });

  it('move a path that both sides relay once, by the initiator, without a collision and without doubt in it', async () => {
    const { a, b, clock, connect, deliver } = pair();
    await connect();
    a.rtc.latest.selected = b.rtc.latest.selected = 'relay';
    b.link.setIce(newer);
    a.link.setIce(newer);
    await settled();
    await deliver();
    await clock.pass(60_000);
    await deliver();
    expect([a.rtc.latest.restarts, b.rtc.latest.restarts]).toEqual([1, 0]);
    expect([a.rtc.latest.rollbacks, b.rtc.latest.rollbacks]).toEqual([0, 0]);
    expect([a.rtc.made.length, b.rtc.made.length, a.link.state]).toEqual([1, 1, 'connected']);
  });

  it('move a path that only the other side relays, a moment later', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    b.rtc.latest.selected = 'relay';
    a.link.setIce(newer);
    b.link.setIce(newer);
    await settled();
    await clock.pass(1_999);
    expect(b.rtc.latest.restarts).toBe(0);
    await clock.pass(1);
    expect([a.rtc.latest.restarts, b.rtc.latest.restarts]).toEqual([0, 1]);
  });

  it('are what a later generation begins with', async () => {
    const { a, clock } = pair();
    a.link.setIce(newer);
    await clock.pass(10_000);
    expect(a.rtc.latest.configuration).toMatchObject(newer);
    expect(a.rtc.made.map(({ restarts }) => restarts)).toEqual([0, 0]);
  });

  it('come too late for a link that was closed while it looked at its path', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.selected = 'relay';
    a.link.setIce(newer);
    a.link.close();
    await settled();
    expect(a.rtc.latest.restarts).toBe(0);
    expect([clock.pending, a.troubles]).toEqual([0, []]);
  });
});
