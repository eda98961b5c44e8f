/** All attacks together for some seconds, with rooms in memory; each alone, longer and with Valkey is `npm run siege`. */
import { expect, test } from 'vitest';
import { attacks } from './attacks.ts';
import { besiege } from './trial.ts';

const aims = { lost: 0, duplicated: 0, disordered: 0, wronglyLeft: 0, hostsChanged: [], refusals: {}, died: false };

// A machine that is too busy is one more attack: who is late by more than `return-grace` has left.
const usual = { timeout: 120_000, retry: 1 };

test('a hundred honest peers are not hurt by an attacker with every attack at once', usual, async () => {
  const outcome = await besiege('together', Object.keys(attacks), 'memory', { quiet: 2, siege: 12, share: 0.5 });
  expect({ ...outcome, turnedAway: outcome.newcomers.turnedAway }).toMatchObject({ ...aims, turnedAway: {} });
  expect(outcome.growth).toBeLessThan(150);
  // The siege was one.
  expect(outcome.acknowledged).toBeGreaterThan(500);
  for (const name of Object.keys(attacks))
    expect([name, Object.keys(outcome.spoils[name] ?? {})]).not.toEqual([name, []]);
});
