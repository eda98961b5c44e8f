/** The judge finds what must not happen; also in a whole trial, with a faulty proxy between server and peer. */
import { describe, expect, test } from 'vitest';
import { type Site, startSite } from '../signaling/site.ts';
import { Crowd, type Spoil } from './crowd.ts';
import { Judge } from './judge.ts';

/** Three peers in a room; a has sent 1 (to all), 2 (to b) and 3 (to all), all acknowledged. */
const conversation = () => {
  const judge = new Judge();
  for (const name of ['a', 'b', 'c']) judge.joined(name, 'r', 0, false);
  for (const [n, to] of [[1], [2, 'b'], [3]] as [number, string?][]) {
    judge.sent('a', n, 'r', n * 10, to);
    judge.acknowledged('a', n, n * 10 + 5);
  }
  const hear = (by: string, ...ns: number[]) => {
    for (const n of ns) judge.received(by, { from: 'a', n });
  };
  const seen = new Map([
    ['a', ['b', 'c']],
    ['b', ['a', 'c']],
    ['c', ['a', 'b']],
  ]);
  const verdict = () => judge.verdict(seen, new Map([['r', ['a', 'b', 'c']]]));
  return { judge, hear, seen, verdict };
};
const sound = { acknowledged: 3, lost: 0, duplicated: 0, disordered: 0, ghosts: 0, wronglyLeft: 0 };

describe('the judge', () => {
  test('reports nothing for a correct exchange', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    hear('c', 1, 3);
    expect([verdict(), judge.findings]).toEqual([sound, []]);
  });

  test('reports lost, duplicated, reordered and invented messages', () => {
    const one = conversation();
    one.hear('b', 2, 3);
    one.hear('c', 3, 1, 1);
    one.judge.received('c', { from: 'a', n: 9 });
    expect(one.verdict()).toEqual({ ...sound, lost: 1, duplicated: 1, disordered: 2 });
    expect(one.judge.findings).toHaveLength(4);
  });

  test('expects no delivery of messages that were not acknowledged, sent before the receiver joined, or sent after it left', () => {
    const { judge, hear, verdict } = conversation();
    judge.joined('d', 'r', 25, false);
    hear('b', 1, 2, 3);
    judge.sent('a', 4, 'r', 40);
    judge.excuse('c', 8);
    hear('d', 3);
    judge.left('b', 'c', 20);
    judge.joined('c', 'r', 50, false);
    expect(verdict()).toEqual(sound);
  });

  test('expects delivery to a peer that rejoined with a new session, if no peer-left was sent', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    judge.away('c', 8);
    judge.joined('c', 'r', 50, false);
    expect(verdict().lost).toBe(2);
  });

  test('expects delivery to a closed page only of messages acknowledged well before', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    judge.closed('c', 1020);
    expect(verdict().lost).toBe(1);
  });

  test('ignores that an unknown peer leaves', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    hear('c', 1, 3);
    judge.left('b', 'a visitor', 30);
    expect(verdict()).toEqual(sound);
  });

  test('reports ghosts, missing peers, and present peers that were listed as left', () => {
    const { judge, hear, seen, verdict } = conversation();
    hear('b', 1, 2, 3);
    hear('c', 1, 3);
    seen.set('a', ['b', 'c', 'x']);
    seen.set('b', ['a']);
    seen.set('c', ['a', 'b', 'b']);
    judge.left('b', 'c', 30);
    expect(verdict()).toEqual({ ...sound, ghosts: 3, wronglyLeft: 1 });
  });
});

/** Changes one text after a few, and nothing else. */
const once = (spoil: (text: string, say: (text: string) => void, seq: number) => void): Spoil => {
  let texts = 0;
  return (given, say) => {
    const text = doubled(given);
    const { type, seq } = JSON.parse(text);
    if (type === 'chat') texts += 1;
    if (type === 'chat' && texts === 20) spoil(text, say, seq);
    else say(text);
  };
};
/** Every number doubled, so that there is one between any two. */
const doubled = (text: string): string => text.replace(/"seq":(\d+)/, (_, seq: string) => `"seq":${2 * Number(seq)}`);
const later = (text: string, by: number): string =>
  text.replace(/"seq":(\d+)/, (_, seq: string) => `"seq":${Number(seq) + by}`);

describe('a trial', () => {
  const trial = async (spoil?: Spoil) => {
    const site: Site = await startSite([]);
    const crowd = new Crowd(spoil);
    try {
      await crowd.enter({ url: site.direct.http }, { rooms: 3, peers: 3 });
      crowd.talk(100);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return await crowd.end(3000);
    } finally {
      crowd.leave();
      await site.stop();
    }
  };

  test('of a correct server reports nothing', async () => {
    const outcome = await trial();
    expect(outcome.acknowledged).toBeGreaterThan(50);
    expect(outcome).toMatchObject({ ...sound, acknowledged: outcome.acknowledged, broken: 0, fatal: [] });
  });

  test('reports one message lost, duplicated or delayed', { tags: ['slow'] }, async () => {
    expect(await trial(once(() => {}))).toMatchObject({ lost: 1, duplicated: 0, disordered: 0 });
    const twice = once((text, say) => {
      say(text);
      say(later(text, 1));
    });
    expect(await trial(twice)).toMatchObject({ lost: 0, duplicated: 1, disordered: 0 });
    // After the next message of the same peer.
    let late: { from: string; text: string; say: (text: string) => void } | undefined;
    const hold = once((text, say) => {
      late = { from: JSON.parse(text).from, text, say };
    });
    const behind: Spoil = (given, say) => {
      const text = doubled(given);
      const { seq, from } = JSON.parse(text);
      hold(given, say);
      if (late?.say !== say || late.from !== from || late.text === text) return;
      const changed = late.text.replace(/"seq":\d+/, `"seq":${seq + 1}`);
      late = undefined;
      say(changed);
    };
    expect(await trial(behind)).toMatchObject({ lost: 0, duplicated: 0, disordered: 1 });
  });
});
