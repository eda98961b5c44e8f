/** All steps of the driver, with their frequency: a step finds a caller it applies to, or does nothing. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import { entering } from './steps-entering.ts';
import { hosting } from './steps-hosts.ts';
import { network } from './steps-network.ts';
import { speaking } from './steps-speaking.ts';
import type { World } from './world.ts';

export type Step = {
  weight: number;
  /** Whether it applies to this caller. */
  fits(caller: Caller, world: World): boolean;
  /** Does it; all randomness in it comes from `dice`. */
  take(caller: Caller, dice: Random, world: World): void;
};

export const steps: Record<string, Step> = { ...entering, ...speaking, ...hosting, ...network };

const names = Object.entries(steps).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));

/** One step, decided by the dice; → its name. */
export const takeStep = (world: World, dice: Random): string => {
  const name = names[dice(names.length)] ?? '';
  const others = world.callers.filter((caller) => caller !== world.witness);
  const first = dice(others.length);
  const caller = [...others.slice(first), ...others.slice(0, first)].find((one) => steps[name]?.fits(one, world));
  if (!caller) return `${name}: nobody`;
  const label = `${name} by ${caller.slot}`;
  world.note(`— ${label}`);
  steps[name]?.take(caller, dice, world);
  return label;
};
