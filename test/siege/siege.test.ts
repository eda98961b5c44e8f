/** All attacks together for some seconds, with rooms in memory; `npm run siege` runs each alone, longer and with Valkey. */
import { expect, test } from 'vitest';
import { attacks } from './attacks.ts';
import { besiege } from './trial.ts';

const aims = { lost: 0, duplicated: 0, disordered: 0, wronglyLeft: 0, died: false };

test('a hundred honest peers are not affected by an attacker that runs every attack at once', {
  timeout: 120_000,
}, async () => {
  const names = Object.keys(attacks);
  const outcome = await besiege('together', names, 'memory', { quiet: 1, siege: 10, share: 0.1 });
  const { lateReloads, hostsChanged, newcomers, growth } = outcome;
  expect(outcome).toMatchObject(aims);
  // An overloaded machine is one more attack: a page that is late by more than `return-grace` has left.
  const { 'unknown-session': expired = 0, 'room-full': full = 0, ...refusals } = outcome.refusals;
  expect(refusals).toEqual({});
  // Anyone may take a seat in an open room, and keeps it while connected.
  const { 'siege-open: room-full': turnedAway = 0, ...others } = newcomers.turnedAway;
  expect([others, turnedAway]).toEqual([{}, full]);
  expect(expired).toBeLessThanOrEqual(lateReloads.length);
  expect(hostsChanged.filter((room) => !lateReloads.includes(room))).toEqual([]);
  expect(growth).toBeLessThan(150);
  // The siege was real: every peer sent messages, and most attacks got some response within this time.
  expect(outcome.acknowledged).toBeGreaterThan(500);
  const idle = names.filter((name) => Object.keys(outcome.spoils[name] ?? {}).length === 0);
  expect(idle.length).toBeLessThan(names.length / 2);
});
