/** A trial of one fault, from an undisturbed start to a verdict. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd, type Numbers, type Outcome } from './crowd.ts';
import { type Fault, faults } from './faults.ts';
import { type StoreKind, startPlace } from './place.ts';

export type Row = { fault: string; store: StoreKind; outcome: Outcome; findings: string[]; honest: string | undefined };

/** @param most seconds that the fault may last, and that all peers have to come back after it */
export const tryOut = async (
  name: string,
  store: StoreKind,
  numbers: Numbers,
  most: { lasts: number; patience: number },
): Promise<Row> => {
  const fault: Fault | undefined = faults[name];
  if (!fault) throw new Error(`there is no fault "${name}"`);
  const healing: (() => unknown)[] = [];
  const leaving: (() => unknown)[] = [];
  const atEnd = (undo: () => unknown) => void healing.unshift(undo);
  const afterAll = (undo: () => unknown) => void leaving.unshift(undo);
  const crowd = new Crowd();
  try {
    const place = await startPlace({ store, ...fault.set?.(afterAll) });
    afterAll(() => place.close());
    const scene = { place, crowd, atEnd, afterAll };
    await crowd.enter(place.where, numbers);
    crowd.talk(numbers.pause);
    await sleep(2000);
    await fault.begin(scene);
    await sleep(Math.min(fault.lasts, most.lasts) * 1000);
    await fault.end?.(scene);
    for (const undo of healing.splice(0)) await undo();
    await sleep(2000);
    const outcome = await crowd.end(most.patience * 1000);
    return { fault: name, store, outcome, findings: crowd.judge.findings, honest: fault.honest?.[store] };
  } finally {
    crowd.leave();
    for (const undo of [...healing, ...leaving]) await undo();
  }
};

/** Whether every guarantee was kept that applies to this fault with this store. */
export const isKept = ({ outcome, honest }: Row): boolean => {
  const { lost, duplicated, disordered, ghosts, wronglyLeft, fatal } = outcome;
  return ghosts + wronglyLeft + fatal.length === 0 && (honest !== undefined || lost + duplicated + disordered === 0);
};
