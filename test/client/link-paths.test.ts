/** ICE restarts and replaced connections of a link, and when it moves to new servers. */
import { describe, expect, it } from 'vitest';
import { settled } from './fake-clock.ts';
import { newer, pair } from './link-pair.ts';

describe('a lost connection', () => {
  it('gets an ICE restart after a while, with the latest servers, through the same negotiation', async () => {
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

  it('that recovers by itself is not restarted', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    await clock.pass(1_000);
    a.rtc.latest.become('connected');
    await clock.pass(60_000);
    expect(a.rtc.latest.restarts).toBe(0);
  });

  it.each(['a', 'b'] as const)(
    'is restarted by Firefox if one side is Firefox, %s here, whichever side requests it',
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

  it('is replaced when the ICE restart does not help', async () => {
    const { a, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    await clock.pass(2_000);
    expect(a.rtc.latest.restarts).toBe(1);
    await clock.pass(10_000);
    expect(a.rtc.made).toHaveLength(2);
    expect(a.link.state).toBe('reconnecting');
  });

  it('is replaced at once when it has failed, whichever side detects it', async () => {
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

  it('is restarted at once when signals arrive again', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    a.rtc.latest.become('disconnected');
    a.link.heal();
    expect(a.rtc.latest.restarts).toBe(1);
    for (const { link } of [a, b]) link.close();
    expect(clock.pending).toBe(0);
  });
});

describe('new servers', () => {
  it('are used for the next ICE restart, and leave a direct path unchanged', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    a.link.setIce(newer);
    b.link.setIce(newer);
    await clock.pass(60_000);
    expect([a.rtc.latest.configuration, b.rtc.latest.configuration]).toMatchObject([newer, newer]);
    expect([a.rtc.latest.restarts, b.rtc.latest.restarts]).toEqual([0, 0]);
  });

  it('move a path relayed on both sides once, by the initiator, without an offer collision or a new connection', async () => {
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

  it('move a path relayed only on the other side, a moment later', async () => {
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

  it('are used by a later generation', async () => {
    const { a, clock } = pair();
    a.link.setIce(newer);
    await clock.pass(10_000);
    expect(a.rtc.latest.configuration).toMatchObject(newer);
    expect(a.rtc.made.map(({ restarts }) => restarts)).toEqual([0, 0]);
  });

  it('are ignored by a link that is closed meanwhile', async () => {
    const { a, b, clock, connect } = pair();
    await connect();
    a.rtc.latest.selected = 'relay';
    a.link.setIce(newer);
    for (const { link } of [a, b]) link.close();
    await settled();
    expect(a.rtc.latest.restarts).toBe(0);
    expect([clock.pending, a.troubles]).toEqual([0, []]);
  });
});
