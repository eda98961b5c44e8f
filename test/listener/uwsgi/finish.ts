/** What concurrent tests need: cleaning up what was started, and waiting. */
import { afterAll, onTestFinished, vi } from 'vitest';

type Dispose = () => unknown;
let kept: Dispose[] | undefined;

/** To be called once by a file whose tests run concurrently: vitest cannot know then to which of them a call belongs. */
export const keepUntilFileEnds = (): void => {
  const disposals: Dispose[] = [];
  kept = disposals;
  afterAll(async () => {
    // The files of a worker share this module.
    kept = undefined;
    for (const dispose of disposals.toReversed()) await dispose();
  });
};

export const atEnd = (dispose: Dispose): void => {
  if (kept) kept.push(dispose);
  else
    onTestFinished(async () => {
      await dispose();
    });
};

/** Waits until `check` passes; expect.poll does not work in concurrent tests. */
export const eventually = (check: () => unknown, timeout = 10_000): Promise<unknown> =>
  vi.waitFor(check, { timeout, interval: 20 });
