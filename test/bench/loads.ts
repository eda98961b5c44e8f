/** Starts the load in a process of its own and takes what was done by what the server used. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Job, Measured } from './load.ts';
import { pinned } from './servers.ts';

export type Loaded = { started: Promise<void>; measured: Promise<Measured>; kill: () => void };

export const startLoad = (job: Job): Loaded => {
  const file = join(import.meta.dirname, 'load.ts');
  const [program = '', ...args] = pinned(1, [process.execPath, file, JSON.stringify(job)]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const started = Promise.withResolvers<void>();
  const measured = Promise.withResolvers<Measured>();
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
  return { started: started.promise, measured: measured.promise, kill: () => child.kill('SIGKILL') };
};

/** What was done for each second of what `cpu` counts. */
export const perCpuSecond = async (job: Job, cpu: () => number): Promise<number> => {
  const running = startLoad(job);
  await running.started;
  const before = cpu();
  const { done } = await running.measured;
  return done / (cpu() - before);
};
