/** The compiled program as a child of the test: started, observed by its log, and ended with all its workers. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

export const cli = join(import.meta.dirname, '../../dist/cli.js');

const line = z.looseObject({
  msg: z.string(),
  worker: z.number().optional(),
  pid: z.number().optional(),
  address: z.string().optional(),
  setting: z.string().optional(),
});
export type Line = z.infer<typeof line>;

export type Program = {
  child: ChildProcess;
  pid: number;
  lines: Line[];
  stderr(): string;
  exited: Promise<number | null>;
  /** The nth log line (from 1) with this message, now or `within` ms. */
  logged(message: string, nth?: number, within?: number): Promise<Line>;
};

/** The directory and the programs of one test. */
export type Stage = {
  directory: string;
  path(name: string): string;
  start(args: string[], options?: { env?: NodeJS.ProcessEnv; stdio?: number[]; command?: string[] }): Program;
  clear(): Promise<void>;
};

export const stage = (): Stage => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-'));
  const programs: Program[] = [];
  return {
    directory,
    path: (name) => join(directory, name),
    start(args, options = {}) {
      const program = launch(args, options);
      programs.push(program);
      return program;
    },
    async clear() {
      for (const { child, exited } of programs.splice(0)) {
        child.kill('SIGQUIT');
        const late = setTimeout(() => child.kill('SIGKILL'), 2000);
        await exited;
        clearTimeout(late);
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

const launch = (
  args: string[],
  options: { env?: NodeJS.ProcessEnv; stdio?: number[]; command?: string[] },
): Program => {
  const { env = {}, stdio = [], command = [process.execPath, cli] } = options;
  const [file = '', ...before] = command;
  const child = spawn(file, [...before, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...stdio],
  });
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part.startsWith('{')) lines.push(line.parse(JSON.parse(part)));
    for (const look of waiting) look();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const logged = (message: string, nth = 1, within = 20_000): Promise<Line> =>
    new Promise((resolve, reject) => {
      const fail = () =>
        reject(new Error(`"${message}" was not logged:\n${JSON.stringify(lines, null, 1)}\n${errors}`));
      const late = setTimeout(fail, within);
      const look = () => {
        const found = lines.filter(({ msg }) => msg === message)[nth - 1];
        if (!found) return;
        clearTimeout(late);
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { child, pid: child.pid ?? 0, lines, stderr: () => errors, exited, logged };
};

/** Runs a command of the program to its end. */
export const genkan = (...args: string[]) =>
  spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', timeout: 20_000 });

/** A process that has ended but was not reaped is not alive. */
export const isAlive = (pid: number): boolean => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

export const until = async (holds: () => boolean, ms = 10_000): Promise<void> => {
  for (let waited = 0; !holds(); waited += 20) {
    if (waited > ms) throw new Error(`not within ${ms} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
