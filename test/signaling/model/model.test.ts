/** A short run of the model against the server; the long one is `npm run model`. */
import { expect, test } from 'vitest';
import { isThorough } from '../../setup/without.ts';
import { runModel } from './run.ts';

const [seeds, steps] = isThorough ? [[1, 2, 3, 4], 2500] : [[1], 2000];

test.concurrent.each(seeds)(
  `every guarantee holds in ${steps} random steps from seed %i`,
  { timeout: 300_000 },
  async (seed) => {
    const { joined, recovered, begunAgain, refused, left, timedOut } = await runModel(seed, steps);
    // Otherwise the steps prove too little.
    expect(Math.min(joined, recovered, refused)).toBeGreaterThan(50);
    expect(Math.min(begunAgain, left, timedOut)).toBeGreaterThan(5);
  },
);
