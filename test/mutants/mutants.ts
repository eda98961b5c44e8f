/**
 * `npm run mutants [-- words]`: puts the seeded faults of test/mutants/ into a copy of the last commit, one at a time, and runs the tests
 * that reach the changed file, until one fails. Words select mutants by parts of their paths.
 *
 *   --all      also the tests that only `npm run test:all` runs
 *   --whole    every test, in place of those that reach the changed file: shows that the selection is right
 *   --missed   only mutants that are not caught in results.json
 *
 * Writes what caught each mutant to results.json. The exit code is 1 if one was not caught.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { baseImages, startEngine, stopEngine, sweep } from '../setup/machine.mjs';
import { reaching } from './reaching.ts';

const root = join(import.meta.dirname, '../..');
const resultsFile = join(import.meta.dirname, 'results.json');
/** By mutant: the test that failed, or `missed` with the tests that did not. */
type Results = Record<string, { caught: string } | { missed: 'npm test' | 'test:all' }>;

const options = { all: { type: 'boolean' }, whole: { type: 'boolean' }, missed: { type: 'boolean' } } as const;
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

const removeCopy = (copy: string) => run(root, 'git', ['worktree', 'remove', '--force', copy], 60);

/** The first failed test in vitest's report. */
const failedTest = (output: string): string =>
  / FAIL\s+(.*)/.exec(stripVTControlCharacters(output))?.[1]?.trim() ?? output.trim().split('\n').at(-1) ?? '';

/** → the test that failed, or undefined */
const firstFailure = async (copy: string, tests: string[], projects: string[]): Promise<string | undefined> => {
  const flags = ['run', '--config', 'test/vitest.config.ts', '--bail', '1', '--passWithNoTests', '--reporter', 'dot'];
  flags.push(
    ...projects.flatMap((project) => ['--project', project]),
    ...(chosen.all ? [] : ['--tags-filter', '!slow']),
  );
  const { code, output } = await run(copy, 'node', ['node_modules/vitest/vitest.mjs', ...flags, ...tests], 900);
  if (code === 0) return undefined;
  return code === 124 ? 'the tests did not end' : failedTest(output);
};

/** → what caught it, or undefined */
const attempt = async (copy: string, patch: string): Promise<string | undefined> => {
  const applied = await run(copy, 'git', ['apply', patch], 30);
  if (applied.code !== 0) throw new Error(`${relative(root, patch)} does not apply: ${applied.output}`);
  try {
    const built = await run(copy, 'node', ['deploy/prepare.mjs'], 120);
    if (built.code !== 0) return `the build: ${built.output.trim().split('\n')[0]}`;
    const files = [...readFileSync(patch, 'utf8').matchAll(/^\+\+\+ b\/(.*)$/gm)].map(([, file]) => file ?? '');
    const stages = chosen.whole ? [[]] : files.flatMap(reaching);
    for (const tests of stages) {
      const projects = tests.every((test) => test.startsWith('test/stack')) ? ['stack'] : ['unit', 'integration'];
      if (tests.length === 0) projects.push('stack');
      if (chosen.all && projects.includes('stack')) projects.push('long');
      const failed = await firstFailure(copy, tests, projects);
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
const copy = await makeCopy();
const engine = await startEngine();
if (!engine.missing) await baseImages(Boolean(chosen.all));
const missed: string[] = [];
for (const name of patches) {
  const began = Date.now();
  const caught = await attempt(copy, join(import.meta.dirname, name));
  results[name] = caught === undefined ? { missed: chosen.all ? 'test:all' : 'npm test' } : { caught };
  if (caught === undefined) missed.push(name);
  console.log(
    `${caught === undefined ? 'MISSED' : 'caught'}  ${name}  ${Math.round((Date.now() - began) / 1000)} s  ${caught ?? ''}`,
  );
  const sorted = Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(resultsFile, `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`);
}
await removeCopy(copy);
rmSync(join(copy, '..'), { recursive: true, force: true });
if (engine.started) {
  await sweep();
  await stopEngine();
}
console.log(`${patches.length - missed.length} of ${patches.length} caught`);
process.exitCode = missed.length > 0 ? 1 : 0;
