/** The judge hears what it should not be possible to hear; and, at the end of a whole trial, a liar between server and peer. */
import { describe, expect, test } from 'vitest';
import { type Site, startSite } from '../signaling/site.ts';
import { Crowd, type Spoil } from './crowd.ts';
import { Judge } from './judge.ts';

/** Three in a room; a has said 1 (to all), 2 (to b) and 3 (to all), all acknowledged. */
const conversation = () => {
  const judge = new Judge();
  for (const name of ['a', 'b', 'c']) judge.joined(name, 'r', 0, false);
  for (const [n, to] of [[1], [2, 'b'], [3]] as [number, string?][]) {
    judge.sent('a', n, 'r', n * 10, to);
    judge.acknowledged('a', n, n * 10 + 5);
  }
  const hear = (by: string, ...ns: number[]) => {
    for (const n of ns) judge.heard(by, { from: 'a', n });
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
  test('finds nothing in a sound conversation', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    hear('c', 1, 3);
    expect([verdict(), judge.findings]).toEqual([sound, []]);
  });

  test('finds what is lost, comes twice, in another order, or was never said', () => {
    const one = conversation();
    one.hear('b', 2, 3);
    one.hear('c', 3, 1, 1);
    one.judge.heard('c', { from: 'a', n: 9 });
    expect(one.verdict()).toEqual({ ...sound, lost: 1, duplicated: 1, disordered: 2 });
    expect(one.judge.findings).toHaveLength(4);
  });

  test('owes nobody what was not acknowledged, was before it came, or while its room had given it up', () => {
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

  test('owes it to one whose session did not go on, and whom nobody was told to have left', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    judge.away('c', 8);
    judge.joined('c', 'r', 50, false);
    expect(verdict().lost).toBe(2);
  });

  test('owes a page that was closed only what was acknowledged well before', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    judge.closed('c', 1020);
    expect(verdict().lost).toBe(1);
  });

  test('does not mind when somebody leaves whom it does not know', () => {
    const { judge, hear, verdict } = conversation();
    hear('b', 1, 2, 3);
    hear('c', 1, 3);
    judge.left('b', 'a visitor', 30);
    expect(verdict()).toEqual(sound);
  });

  test('knows ghosts, whoever is missing, and who was taken for gone', () => {
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

/** Spoils one text after a few, and leaves all else as it is. */
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
/** Every number twice as large, so that there is one between any two. */
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

  test('of an honest server finds nothing', async () => {
    const outcome = await trial();
    expect(outcome.acknowledged).toBeGreaterThan(50);
    expect(outcome).toMatchObject({ ...sound, acknowledged: outcome.acknowledged, broken: 0, fatal: [] });
  });

  test('catches one message lost, repeated, or told late', async () => {
    expect(await trial(once(() => {}))).toMatchObject({ lost: 1, duplicated: 0, disordered: 0 });
    const twice = once((text, say) => {
      say(text);
      say(later(text, 1));
    });
    expect(await trial(twice)).toMatchObject({ lost: 0, duplicated: 1, disordered: 0 });
    // Behind what the same peer says next.
    let late: { from: string; text: string; say: (text: string) => void } | undefined;
    const hold = once((text, say) => {
      late = { from: JSON.parse(text).from, text, say };
    });
    const behind: Spoil = (given, say) => {
      const text = doubled(given);
      const { seq, from } = JSON.parse(text);
      hold(given, say);
      if (late?.say !== say || late.from !== from || late.text === text) return;
      const told = late.text.replace(/"seq":\d+/, `"seq":${seq + 1}`);
      late = undefined;
      say(told);
    };
    expect(await trial(behind)).toMatchObject({ lost: 0, duplicated: 0, disordered: 1 });
  });
});
