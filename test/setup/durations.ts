/** How long each test file took when `npm test -- --record` last wrote durations.json: for the order of files and the time that is left. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const path = join(import.meta.dirname, 'durations.json');
const recorded = new Map<string, number>(
  existsSync(path) ? Object.entries<number>(JSON.parse(readFileSync(path, 'utf8'))) : [],
);

/** @param file path from the top of the checkout; → seconds, one for a file that is not recorded */
export const expectedSeconds = (file: string): number => recorded.get(file) ?? 1;

/** The slowest files first, so that no worker is left with a long one at the end; or the fastest with TEST_ORDER=fastest, to fail soon. */
export class ByDuration extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const root = this.ctx.config.root;
    const seconds = ({ moduleId }: TestSpecification) => expectedSeconds(moduleId.slice(root.length + 1));
    const sign = process.env.TEST_ORDER === 'fastest' ? -1 : 1;
    return files.toSorted((a, b) => sign * (seconds(b) - seconds(a)));
  }
}
