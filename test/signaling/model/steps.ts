/** Everything the driver may do, with how often: a step finds a caller it fits, or does nothing. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import { entering } from './steps-entering.ts';
import { hosting } from './steps-hosts.ts';
import { network } from './steps-network.ts';
import { speaking } from './steps-speaking.ts';
import type { World } from './world.ts';

export type Step = {
  weight: number;
  /** Whether it can be done with this caller. */
  fits(caller: Caller, world: World): boolean;
  /** Does it; what is random in it comes from `dice` alone. */
  take(caller: Caller, dice: Random, world: World): void;
};

export const steps: Record<string, Step> = { ...entering, ...speaking, ...hosting, ...network };

const names = Object.entries(steps).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));

/** One step, decided by the dice; returns what it was. */
export const takeStep = (world: World, dice: Random): string => {
  const name = names[dice(names.length)] ?? '';
  const others = world.callers.filter((caller) => caller !== world.witness);
  const first = dice(others.length);
  const caller = [...others.slice(first), ...others.slice(0, first)].find((one) => steps[name]?.fits(one, world));
  if (!caller) return `${name}: nobody`;
  const said = `${name} by ${caller.slot}`;
  world.note(`— ${said}`);
  steps[name]?.take(caller, dice, world);
  return said;
};
