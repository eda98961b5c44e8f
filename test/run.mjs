// `npm test` and `npm run test:all`: prepares the checkout and the machine, runs the parts of the test suite, cleans up. Plain JavaScript
// for Node 18 and later. See usage() for the options. The tests get what the machine lacks in TEST_WITHOUT (names with commas), and
// TEST_ALL=1 with --all.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { npmCommand } from '../deploy/prepare.mjs';
import { path, quiet, root, say, show } from './setup/child.mjs';
import { baseImages, completeMachine, removeOldImages, startEngine, stopEngine, sweep } from './setup/machine.mjs';

const allParts = ['check', 'unit', 'integration', 'stack', 'long'];
const options = parse(process.argv.slice(2));
const files = options.words.filter((word) => word.startsWith('test'));
const skipped = new Map();
const failures = [];
const temporary = mkdtempSync(join(tmpdir(), 'genkan-test-run-'));
const secondsFile = join(temporary, 'seconds');
const began = Date.now();
let engineStarted = false;
// Ctrl-C reaches every child as well; this process stays to clean up.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));

function usage(problem) {
  if (problem) console.error(`genkan: ${problem}`);
  console.error(`usage: npm test -- [--quick] [--all] [--from PART] [--record] [vitest's words and options]
  --quick      only the parts check and unit, with what is installed: no Docker, no browser
  --all        every part and every combination (npm run test:all)
  --from PART  begins with this part: ${allParts.join(', ')}
  --record     adds the seconds of each file to test/setup/durations.json
  Words that begin with "test" select files, which run with their slow tests; a .long.test.ts file only if it is named as such.`);
  process.exit(problem ? 2 : 0);
}

function parse(args) {
  const found = { all: false, quick: false, record: false, from: allParts[0], words: [] };
  while (args.length) {
    const word = args.shift();
    if (word === '--all') found.all = true;
    else if (word === '--quick') found.quick = true;
    else if (word === '--record') found.record = true;
    else if (word === '--from') found.from = args.shift();
    else if (word === '--help') usage();
    else found.words.push(word);
  }
  if (!allParts.includes(found.from)) usage(`--from takes one of ${allParts.join(', ')}`);
  return found;
}

/** The parts of this run. Files that are named decide which parts have any. */
function partsToRun() {
  const { all, quick, from } = options;
  const has = {
    long: all || files.some((file) => file.includes('.long.')),
    stack: !quick && (files.length === 0 || files.some((file) => file.includes('stack'))),
    integration: !quick,
    unit: true,
    check: files.length === 0,
  };
  return allParts.slice(allParts.indexOf(from)).filter((part) => has[part]);
}

const parts = partsToRun();
const wantsDocker = parts.includes('stack') || parts.includes('long');

/** Records a step that failed; → whether it succeeded. */
function note(step, { code, output = '' }) {
  if (code === 0) return true;
  if (output) console.log(output.trimEnd());
  failures.push({ step, code });
  return false;
}

async function ready() {
  const [prepared, missing] = await Promise.all([
    show(process.execPath, ['deploy/prepare.mjs']),
    completeMachine(wantsDocker, !options.quick),
  ]);
  for (const [name, sentence] of missing) skipped.set(name, sentence);
  return note('deploy/prepare.mjs', { code: prepared });
}

/** Engine, base images, the app's image; → environment for the tests. */
async function startDocker() {
  if (!wantsDocker || skipped.has('docker')) return {};
  const engine = await startEngine();
  engineStarted = Boolean(engine.started);
  const images = engine.missing ? engine : await baseImages(parts.includes('long'));
  if (images.missing) {
    skipped.set('docker', images.missing);
    return {};
  }
  note('docker compose build', await quiet('docker', ['compose', 'build', '--quiet']));
  // testcontainers pulls its cleaner from a registry; sweep() does the same on our own engine.
  return images.standins ? { TESTCONTAINERS_RYUK_DISABLED: 'true' } : {};
}

async function check() {
  const { command, args, env } = npmCommand();
  const result = await quiet(command, [...args, 'run', '--silent', 'check'], { env });
  if (note('npm run check', result)) say('biome and the type checks passed');
}

async function vitest(part, env) {
  const bin = join(root, 'node_modules', '.bin');
  // The project's own Node, unless another one is to be tested.
  const own = existsSync(join(bin, 'node')) ? join(bin, 'node') : process.execPath;
  const node = process.env.TEST_NODE || own;
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', '--project', part];
  args.push('--reporter', 'test/setup/reporter.ts', '--passWithNoTests');
  if (!options.all && files.length === 0) args.push('--tags-filter', '!slow');
  const PATH = [dirname(node), bin, path].join(delimiter);
  const settings = { ...env, PATH, TEST_WITHOUT: [...skipped.keys()].join(','), TEST_SECONDS: secondsFile };
  if (options.all) settings.TEST_ALL = '1';
  const started = Date.now();
  // A process that a test left running can keep vitest from exiting after its report.
  note(part, { code: await show(node, [...args, ...options.words], { env: settings, limit: 60 * 60 }) });
  say(`${part} took ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Runs every part, also after one has failed. Docker is prepared while the parts that do not need it run. */
async function runParts() {
  const docker = startDocker();
  const checked = parts.includes('check') ? check() : undefined;
  for (const part of parts) {
    if (interrupted) break;
    if (part === 'check') continue;
    const env = part === 'stack' || part === 'long' ? await docker : {};
    say(`part ${part}`);
    await vitest(part, env);
  }
  await Promise.all([docker, checked]);
}

async function cleanUp() {
  if (wantsDocker && !skipped.has('docker')) await removeOldImages();
  if (engineStarted) {
    await sweep();
    note('stopping the Docker engine', await stopEngine());
  }
  rmSync(temporary, { recursive: true });
}

/** → [file, seconds] of each file that ran, the slowest first */
function secondsOfFiles() {
  if (!existsSync(secondsFile)) return [];
  const lines = readFileSync(secondsFile, 'utf8').split('\n').filter(Boolean);
  const pairs = lines.map((line) => line.split(' ')).map(([seconds, file]) => [file, Number(seconds)]);
  return pairs.sort(([, a], [, b]) => b - a);
}

function reportSlowest(times) {
  if (times.length <= 10) return;
  const lines = times.slice(0, 10).map(([file, seconds]) => `   ${seconds.toFixed(1).padStart(6)} s  ${file}`);
  say(`the slowest files:\n${lines.join('\n')}`);
}

/** For the order of files and the time that is left: see test/setup/durations.ts. */
function record(times) {
  const durations = join(root, 'test/setup/durations.json');
  const known = existsSync(durations) ? JSON.parse(readFileSync(durations, 'utf8')) : {};
  for (const [file, seconds] of times) known[file] = Math.round(seconds);
  const kept = Object.entries(known).filter(([file, seconds]) => seconds > 1 && existsSync(join(root, file)));
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(durations, `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`);
}

function summary() {
  if (!wantsDocker) say('Docker was not started: the requested tests do not need it');
  for (const sentence of new Set(skipped.values())) say(sentence);
  if (interrupted) say('interrupted');
  for (const { step, code } of failures) say(`${step} failed with exit code ${code}`);
  const total = `${Math.round((Date.now() - began) / 1000)} s`;
  if (!failures.length && !interrupted)
    say(`${skipped.size ? 'all that could run here passed' : 'all passed'} in ${total}`);
}

if (await ready()) await runParts();
const times = secondsOfFiles();
reportSlowest(times);
if (options.record) record(times);
await cleanUp();
summary();
process.exitCode = failures[0]?.code ?? (interrupted ? 130 : 0);
