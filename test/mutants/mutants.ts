/**
 * `npm run mutants [-- words]`: puts the seeded faults of test/mutants/ into a copy of the last commit, one at a time, and runs the tests
 * that reach the changed file, until one fails. Words select mutants by parts of their paths.
 *
 *   --all      also the tests that only `npm run test:all` runs
 *   --whole    every test, in place of those that reach the changed file: shows that the selection is right
 *   --missed   only mutants that are not caught in results.json
 *   --parallel so many at once, default 2
 *
 * A test that fails counts only if it passes without the fault. Writes the outcome of each mutant to results.json. The exit code is 1 if
 * one was not caught.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { baseImages, startEngine, stopEngine, sweep } from '../setup/machine.mjs';
import { reaching } from './reaching.ts';

const root = join(import.meta.dirname, '../..');
const resultsFile = join(import.meta.dirname, 'results.json');
/** `caught`: the test that failed with the fault and passed without it. `missed`: the tests that did not. `unclear`: why it was not tried. */
type Outcome = { caught: string } | { missed: 'npm test' | 'test:all' } | { unclear: string };
/** By mutant. */
type Results = Record<string, Outcome>;

const options = {
  all: { type: 'boolean' },
  whole: { type: 'boolean' },
  missed: { type: 'boolean' },
  parallel: { type: 'string', default: '2' },
} as const;
const { values: chosen, positionals: words } = parseArgs({ options, allowPositionals: true });
const results: Results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};

type Ended = { code: number; output: string };
/** Runs a program in a directory; it is killed after `limit` seconds, with exit code 124. */
const run = (cwd: string, command: string, words: string[], limit: number): Promise<Ended> =>
  new Promise((resolve) => {
    const PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
    const env = {
      ...process.env,
      PATH,
      TEST_ORDER: 'fastest',
      TESTCONTAINERS_RYUK_DISABLED: 'true',
      ...(chosen.all ? { TEST_ALL: '1' } : {}),
    };
    const child = spawn(command, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    let code = 0;
    const timer = setTimeout(() => {
      code = 124;
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    }, limit * 1000);
    child.once('close', (own) => {
      clearTimeout(timer);
      resolve({ code: code || (own ?? 1), output });
    });
  });

/** A copy of the last commit with the packages and the build of this checkout. */
const makeCopy = async (): Promise<string> => {
  const parent = mkdtempSync(join(tmpdir(), 'genkan-mutants-'));
  // Some tests run the app as another user, who has to read the copy.
  chmodSync(parent, 0o755);
  const copy = join(parent, 'copy');
  const { code, output } = await run(root, 'git', ['worktree', 'add', '--detach', copy], 60);
  if (code !== 0) throw new Error(output);
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (existsSync(join(root, 'dist'))) cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  return copy;
};

type Stage = { projects: string[]; tests: string[] };
/** The first test that failed and its file; without them if vitest itself failed or did not end. */
type Failure = { stage: Stage; test?: string; file?: string };

/** → the first failure, or undefined */
const firstFailure = async (copy: string, stage: Stage): Promise<Failure | undefined> => {
  const flags = ['run', '--config', 'test/vitest.config.ts', '--bail', '1', '--passWithNoTests', '--reporter', 'dot'];
  flags.push(...stage.projects.flatMap((project) => ['--project', project]));
  if (!chosen.all) flags.push('--tags-filter', '!slow');
  const { code, output } = await run(copy, 'node', ['node_modules/vitest/vitest.mjs', ...flags, ...stage.tests], 900);
  if (code === 0) return undefined;
  const [, test] = / FAIL\s+(.*)/.exec(stripVTControlCharacters(output)) ?? [];
  const [file] = /test\/\S+/.exec(test ?? '') ?? [];
  return test === undefined || file === undefined ? { stage } : { stage, test: test.trim(), file };
};

/** The tests for a mutant: first those that run without a build, then the others. */
const stagesFor = (patch: string): Stage[] => {
  const files = [...readFileSync(patch, 'utf8').matchAll(/^\+\+\+ b\/(.*)$/gm)].map(([, file]) => file ?? '');
  const { near, far } = chosen.whole ? { near: [], far: [[]] } : reaching(files[0] ?? '');
  const all = [near, ...far].filter((tests) => chosen.whole || tests.length > 0);
  const stack = all.flatMap((tests) => tests.filter((test) => test.startsWith('test/stack')));
  const slowest = chosen.all ? ['stack', 'long'] : ['stack'];
  return [
    ...all.map((tests) => ({ projects: ['unit'], tests })),
    ...all.map((tests) => ({ projects: ['integration'], tests })),
    ...(chosen.whole || stack.length > 0 ? [{ projects: slowest, tests: chosen.whole ? [] : stack }] : []),
  ];
};

const build = (copy: string) => run(copy, 'node', ['deploy/prepare.mjs'], 120);
const firstLine = (output: string): string => output.trim().split('\n')[0] ?? '';

/** Whether the same tests pass without the fault; if not, what failed says nothing of it. */
const confirm = async (copy: string, { stage, test, file }: Failure): Promise<Outcome> => {
  if (!stage.projects.includes('unit')) await build(copy);
  const again = await firstFailure(copy, { ...stage, tests: file === undefined ? stage.tests : [file] });
  if (again) return { unclear: `${again.test ?? 'vitest'} fails without the fault, too` };
  return { caught: test ?? 'the tests did not end' };
};

const attempt = async (copy: string, patch: string): Promise<Outcome> => {
  const applied = await run(copy, 'git', ['apply', '-C1', patch], 30);
  if (applied.code !== 0) return { unclear: `it does not apply: ${firstLine(applied.output)}` };
  const restore = () => run(copy, 'git', ['checkout', '--quiet', '.'], 30);
  let isBuilt = false;
  for (const stage of stagesFor(patch)) {
    if (!isBuilt && !stage.projects.includes('unit')) {
      const built = await build(copy);
      isBuilt = true;
      if (built.code !== 0) {
        await restore();
        return { caught: `the build: ${firstLine(built.output)}` };
      }
    }
    const failure = await firstFailure(copy, stage);
    if (!failure) continue;
    await restore();
    return confirm(copy, failure);
  }
  await restore();
  return { missed: chosen.all ? 'test:all' : 'npm test' };
};

const isChosen = (name: string): boolean => {
  const known = results[name];
  if (chosen.missed && known !== undefined && 'caught' in known) return false;
  return words.length === 0 || words.some((word) => name.includes(word));
};

const patches = globSync('*/*.patch', { cwd: import.meta.dirname })
  .toSorted()
  .filter(isChosen);
const engine = await startEngine();
if (!engine.missing) await baseImages(Boolean(chosen.all));
let count = 0;

const keep = (name: string, outcome: Outcome, seconds: number): void => {
  results[name] = outcome;
  if ('caught' in outcome) count += 1;
  const [[verdict = '', detail] = []] = Object.entries(outcome);
  console.log(`${verdict.padEnd(7)}  ${name}  ${Math.round(seconds)} s  ${detail}`);
  const sorted = Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(resultsFile, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
};

/** Tries mutants, each in turn, until none is left. */
const work = async (left: string[]): Promise<void> => {
  const copy = await makeCopy();
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const began = Date.now();
    keep(name, await attempt(copy, join(import.meta.dirname, name)), (Date.now() - began) / 1000);
  }
  await run(root, 'git', ['worktree', 'remove', '--force', copy], 60);
  rmSync(join(copy, '..'), { recursive: true, force: true });
};

const left = [...patches];
await Promise.all(Array.from({ length: Number(chosen.parallel) }, () => work(left)));
if (engine.started) {
  await sweep();
  await stopEngine();
}
console.log(`${count} of ${patches.length} caught`);
process.exitCode = count < patches.length ? 1 : 0;
