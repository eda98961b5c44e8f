/**
 * `npm run mutants [-- words]`: puts the seeded faults of test/mutants/ into a copy of the last commit, one at a time, and runs the tests
 * that reach the changed file, until one fails. Words select mutants by parts of their paths.
 *
 *   --all      also the tests that only `npm run test:all` runs
 *   --whole    every test, in place of those that reach the changed file: shows that the selection is right
 *   --missed   only mutants that are not caught in results.json
 *   --parallel so many at once, default 2
 *
 * Writes what caught each mutant to results.json. The exit code is 1 if one was not caught.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { baseImages, startEngine, stopEngine, sweep } from '../setup/machine.mjs';
import { reaching } from './reaching.ts';

const root = join(import.meta.dirname, '../..');
const resultsFile = join(import.meta.dirname, 'results.json');
/** By mutant: the test that failed, or `missed` with the tests that did not. */
type Results = Record<string, { caught: string } | { missed: 'npm test' | 'test:all' }>;

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
  const copy = join(mkdtempSync(join(tmpdir(), 'genkan-mutants-')), 'copy');
  const { code, output } = await run(root, 'git', ['worktree', 'add', '--detach', copy], 60);
  if (code !== 0) throw new Error(output);
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (existsSync(join(root, 'dist'))) cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  return copy;
};

/** The first failed test in vitest's report. */
const failedTest = (output: string): string =>
  / FAIL\s+(.*)/.exec(stripVTControlCharacters(output))?.[1]?.trim() ?? output.trim().split('\n').at(-1) ?? '';

/** → the test that failed, or undefined */
const firstFailure = async (copy: string, projects: string[], tests: string[]): Promise<string | undefined> => {
  const flags = [
    'run',
    '--config',
    'test/vitest.config.ts',
    '--bail',
    '1',
    '--retry',
    '0',
    '--passWithNoTests',
    '--reporter',
    'dot',
  ];
  flags.push(...projects.flatMap((project) => ['--project', project]));
  if (!chosen.all) flags.push('--tags-filter', '!slow');
  const { code, output } = await run(copy, 'node', ['node_modules/vitest/vitest.mjs', ...flags, ...tests], 900);
  if (code === 0) return undefined;
  return code === 124 ? 'the tests did not end' : failedTest(output);
};

/** The tests for a mutant: first those that run without a build, then the others. */
const testsFor = (patch: string): { projects: string[]; tests: string[] }[] => {
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

/** → what caught it, or undefined */
const attempt = async (copy: string, patch: string): Promise<string | undefined> => {
  const applied = await run(copy, 'git', ['apply', '-C1', patch], 30);
  if (applied.code !== 0) return `it does not apply: ${applied.output.trim().split('\n')[0]}`;
  let isBuilt = false;
  try {
    for (const { projects, tests } of testsFor(patch)) {
      if (!isBuilt && !projects.includes('unit')) {
        const built = await run(copy, 'node', ['deploy/prepare.mjs'], 120);
        if (built.code !== 0) return `the build: ${built.output.trim().split('\n')[0]}`;
        isBuilt = true;
      }
      const failed = await firstFailure(copy, projects, tests);
      if (failed !== undefined) return failed;
    }
    return undefined;
  } finally {
    await run(copy, 'git', ['checkout', '--quiet', '.'], 30);
  }
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
const missed: string[] = [];

const keep = (name: string, caught: string | undefined, seconds: number): void => {
  results[name] = caught === undefined ? { missed: chosen.all ? 'test:all' : 'npm test' } : { caught };
  if (caught === undefined) missed.push(name);
  console.log(`${caught === undefined ? 'MISSED' : 'caught'}  ${name}  ${Math.round(seconds)} s  ${caught ?? ''}`);
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
console.log(`${patches.length - missed.length} of ${patches.length} caught`);
process.exitCode = missed.length > 0 ? 1 : 0;
