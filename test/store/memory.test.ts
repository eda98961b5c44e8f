import { describe } from 'vitest';
import { zeroCounts } from '../../app/stats/counters.ts';
import { memoryStore } from '../../app/store/memory.ts';
import { describeStore, limits } from './contract.ts';

let now = 1_000_000;
const store = memoryStore(limits, () => now, zeroCounts());

describe('the memory store', () => {
  describeStore(() => ({
    stores: [store],
    pass: (ms) => {
      now += ms;
    },
  }));
});
