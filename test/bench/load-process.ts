/** Loads, each in a process of its own, so that what they use is not the server's. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** `started`: what is to be measured begins. `measured`: what the load found, once it has ended. */
export type Running<Measured> = {
  pid: number;
  started: Promise<void>;
  measured: Promise<Measured>;
  kill(): void;
};

/** @param file of this directory, which takes the job as JSON and prints `start` and what it measured, as JSON */
export const startLoad = <Measured>(file: string, job: object, before: string[] = []): Running<Measured> => {
  const [program = '', ...args] = [...before, process.execPath, join(import.meta.dirname, file), JSON.stringify(job)];
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
  // A load that only holds connections is killed, and has measured nothing.
  for (const promise of [started.promise, measured.promise]) promise.catch(() => {});
  return {
    pid: child.pid ?? 0,
    started: started.promise,
    measured: measured.promise,
    kill: () => child.kill('SIGKILL'),
  };
};
