/** Starts a load in a process of its own and divides what was done by what the server used. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Job, Measured } from './load.ts';
import { pinned } from './servers.ts';

/** `started`: the measured part begins. `measured`: the result of the load, once it has ended. */
export type Loaded<Found = Measured> = {
  pid: number;
  started: Promise<void>;
  measured: Promise<Found>;
  kill: () => void;
};

/** On the load's own processor. */
export const startLoad = (job: Job): Loaded => run('load.ts', job, pinned(1, []));

/**
 * On any processor.
 * @param file of this directory, which takes the job as JSON, and prints `start` and its result
 */
export const startAnywhere = <Found>(file: string, job: object): Loaded<Found> => run(file, job, []);

const run = <Found>(file: string, job: object, before: string[]): Loaded<Found> => {
  const [program = '', ...args] = [...before, process.execPath, join(import.meta.dirname, file), JSON.stringify(job)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const started = Promise.withResolvers<void>();
  const measured = Promise.withResolvers<Found>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'start') started.resolve();
    else measured.resolve(JSON.parse(line));
  });
  child.once('exit', (code) => {
    const failed = new Error(`the load ended with code ${code}`);
    started.reject(failed);
    measured.reject(failed);
  });
  measured.promise.catch(() => {});
  return {
    pid: child.pid ?? 0,
    started: started.promise,
    measured: measured.promise,
    kill: () => child.kill('SIGKILL'),
  };
};

/** What was done per second of what `cpu` counts. */
export const perCpuSecond = async (job: Job, cpu: () => number): Promise<number> => {
  const running = startLoad(job);
  await running.started;
  const before = cpu();
  const { done } = await running.measured;
  return done / (cpu() - before);
};
