/** Runs the model at length: `[SEED=N] [STEPS=N] npm run model`. Exits with 1 at the first violated guarantee. */
import { runModel } from './run.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const steps = Number(process.env.STEPS ?? 100_000);
console.log(`seed ${seed}, ${steps} steps`);
const started = performance.now();
try {
  const tally = await runModel(seed, steps);
  console.log(`${((performance.now() - started) / 1000).toFixed(1)} s:`, JSON.stringify(tally));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
