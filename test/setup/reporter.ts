/**
 * The reporter of `npm test`: failures as vitest's default reporter prints them, and in place of a line for each file how far the run is.
 * Writes the seconds of each file to $TEST_SECONDS, from which run.mjs lists the slowest.
 */
import { appendFileSync } from 'node:fs';
import { DefaultReporter, type TestModule, type TestSpecification } from 'vitest/node';
import { expectedSeconds } from './durations.ts';

/** Milliseconds between two lines of progress. */
const interval = 10_000;

export default class ProgressReporter extends DefaultReporter {
  #files = 0;
  #finished = 0;
  #tests = 0;
  #failed = 0;
  /** Expected seconds of the files that are not finished, and of those that are. */
  #left = 0;
  #done = 0;
  #started = 0;
  #printed = 0;

  constructor() {
    super({ summary: false });
  }

  override onTestRunStart(specifications: ReadonlyArray<TestSpecification>): void {
    this.#files = specifications.length;
    this.#left = sum(specifications.map(({ moduleId }) => expectedSeconds(this.relative(moduleId))));
    this.#started = this.#printed = Date.now();
    super.onTestRunStart(specifications);
  }

  override onTestModuleEnd(module: TestModule): void {
    const file = this.relative(module.moduleId);
    const expected = expectedSeconds(file);
    this.#finished += 1;
    this.#left -= expected;
    this.#done += expected;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'skipped') continue;
      this.#tests += 1;
      if (state === 'failed') this.#failed += 1;
    }
    const { duration, collectDuration } = module.diagnostic();
    const seconds = process.env.TEST_SECONDS;
    if (seconds) appendFileSync(seconds, `${((duration + collectDuration) / 1000).toFixed(1)} ${file}\n`);
    if (!module.ok()) super.onTestModuleEnd(module);
    this.#print();
  }

  #print(): void {
    const now = Date.now();
    if (now - this.#printed < interval && this.#finished < this.#files) return;
    this.#printed = now;
    const seconds = (now - this.#started) / 1000;
    const left = this.#done > 0 ? (seconds * this.#left) / this.#done : 0;
    const failed = this.#failed > 0 ? `, ${this.#failed} failed` : '';
    const remaining = this.#finished < this.#files ? `, about ${Math.ceil(left / 5) * 5} s left` : '';
    this.log(`   ${this.#finished} of ${this.#files} files, ${this.#tests} tests${failed}${remaining}`);
  }
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
