/** Runs the model against the server: steps from a seed, in rounds, from an empty room to an empty room again and again. */
import { type Random, randomFrom } from '../../listener/uwsgi/random.ts';
import { type Place, startPlace } from './place.ts';
import { settle } from './settle.ts';
import { takeStep } from './steps.ts';
import { Violation, World } from './world.ts';

/** The number of steps by name, and of received events. */
export type Tally = World['counts'] & { steps: number; rounds: number; events: number };

/** Without the witness; one more than there are seats, so that the room can be full. */
const callers = 7;
/** Steps from one empty room to the next. */
const era = 250;

/** @throws Violation with the seed, the step and what happened last */
export const runModel = async (seed: number, steps: number): Promise<Tally> => {
  const place = await startPlace();
  const tally: Tally = {
    steps: 0,
    rounds: 0,
    events: 0,
    joined: 0,
    recovered: 0,
    begunAgain: 0,
    refused: 0,
    left: 0,
    timedOut: 0,
  };
  let world: World | undefined;
  try {
    while (tally.steps < steps) {
      world = new World(place, `room-${tally.steps}`, callers + 1);
      await runEra(world, seed, Math.min(era, steps - tally.steps), tally);
    }
    return tally;
  } catch (error) {
    throw new Error(report(seed, tally.steps, world, error), { cause: error });
  } finally {
    for (const link of world?.links() ?? []) link.cut('rudely');
    place.close();
  }
};

const runEra = async (world: World, seed: number, steps: number, tally: Tally): Promise<void> => {
  await world.begin();
  for (let step = 0; step < steps; step += 1) {
    const dice = diceFor(seed, tally.steps);
    tally.steps += 1;
    world.steps.push(`${tally.steps} ${takeStep(world, dice)}`);
    world.check();
    if (dice(4) === 0) await settleRound(world, tally);
  }
  await end(world, diceFor(seed, tally.steps), tally);
};

const settleRound = async (world: World, tally: Tally): Promise<void> => {
  world.steps.push('— settle');
  world.note('— settle');
  await settle(world);
  tally.rounds += 1;
};

/** Every step has its own random generator, so that its use changes no other step. */
const diceFor = (seed: number, step: number): Random => {
  const dice = randomFrom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b));
  dice(1);
  return dice;
};

/** Every peer that can rejoins and receives everything; then all leave in one way or another, and nothing remains. */
const end = async (world: World, dice: Random, tally: Tally): Promise<void> => {
  await settleRound(world, tally);
  for (const caller of world.callers)
    if (caller.life && !caller.life.leaving && caller.link?.condition !== 'whole')
      caller.enter(dice(2) === 0 ? 'HTTP' : 'WebSocket', {}, caller.life);
  await settleRound(world, tally);
  for (const link of world.links()) {
    if (link.condition === 'whole' && dice(2) === 0) link.leave();
    else link.cut(dice(2) === 0 ? 'politely' : 'rudely');
  }
  world.note('— all go');
  await empty(world.place);
  for (const link of world.links()) link.cut('rudely');
  world.check();
  for (const { received } of world.lives) tally.events += received.length;
  for (const [name, count] of Object.entries(world.counts)) tally[name as keyof World['counts']] += count;
};

/** After a grace period every peer has left; a few times more, for what is still in flight. */
const empty = async (place: Place): Promise<void> => {
  for (let tries = 0; tries < 40; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (tries >= 3 && place.count().peers === 0) break;
    await place.pass(31_000);
  }
  const left = place.count();
  if (left.rooms > 0 || left.peers > 0)
    throw new Violation('no ghosts', 'everyone is gone, and not for the server', [left]);
};

const report = (seed: number, step: number, world: World | undefined, error: unknown): string => {
  const what = error instanceof Violation ? error.message : error instanceof Error ? error.stack : String(error);
  const taken = world?.steps.slice(-20).join('\n') ?? '';
  const events = world?.trail.join('\n') ?? '';
  const again = `SEED=${seed} STEPS=${step} npm run model`;
  return `seed ${seed}, step ${step}: ${what}\n\nThe last steps:\n${taken}\n\nThe last events, by caller:\n${events}\n\nAgain: ${again}`;
};
