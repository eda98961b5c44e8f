// `npm test` and `npm run test:all`: prepares the checkout and the machine, checks the code, runs the tests, cleans up. Plain JavaScript
// for Node 18 and later. Arguments after `npm test --` go to vitest; Docker is not started if they name only tests outside test/stack. Slow
// tests are left out, unless --all is given or the arguments name tests. The tests get what the machine lacks in TEST_WITHOUT (names with
// commas), and TEST_ALL=1 with --all.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { npmCommand } from '../deploy/prepare.mjs';
import { path, quiet, root, say, show } from './setup/child.mjs';
import { baseImages, completeMachine, removeOldImages, startEngine, stopEngine, sweep } from './setup/machine.mjs';

const words = process.argv.slice(2).filter((word) => word !== '--all');
const namesTests = words.some((word) => word.startsWith('test'));
const wantsDocker = !namesTests || words.some((word) => word.includes('stack'));
const wantsLong = namesTests || process.argv.includes('--all');
const skipped = new Map();
const failures = [];
let engineStarted = false;
// Ctrl-C reaches every child as well; this process stays to clean up.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));

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
    completeMachine(wantsDocker),
  ]);
  for (const [name, sentence] of missing) skipped.set(name, sentence);
  return note('deploy/prepare.mjs', { code: prepared });
}

/** Engine, base images, the app's image; → environment for the tests. */
async function stack() {
  if (!wantsDocker || skipped.has('docker')) return {};
  const engine = await startEngine();
  engineStarted = Boolean(engine.started);
  const images = engine.missing ? engine : await baseImages(wantsLong);
  if (images.missing) {
    skipped.set('docker', images.missing);
    return {};
  }
  const built = await quiet('docker', ['compose', 'build', '--quiet']);
  note('docker compose build', built);
  // testcontainers pulls its cleaner from a registry; sweep() does the same on our own engine.
  return images.standins ? { TESTCONTAINERS_RYUK_DISABLED: 'true' } : {};
}

async function check() {
  const { command, args, env } = npmCommand();
  const result = await quiet(command, [...args, 'run', '--silent', 'check'], { env });
  if (note('npm run check', result)) say('biome and the three type checks passed');
}

async function vitest(env) {
  const bin = join(root, 'node_modules', '.bin');
  const node = existsSync(join(bin, 'node')) ? join(bin, 'node') : process.execPath;
  const projects = wantsLong ? [] : ['--project', 'code', '--project', 'stack'];
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', ...projects, ...words];
  const settings = { ...env, PATH: bin + delimiter + path, TEST_WITHOUT: [...skipped.keys()].join(',') };
  if (process.argv.includes('--all')) settings.TEST_ALL = '1';
  // A process that a test left running can keep vitest from exiting after its report.
  const code = await show(node, args, { env: settings, limit: 60 * 60 });
  note('vitest', { code });
}

async function cleanUp() {
  if (wantsDocker && !skipped.has('docker')) await removeOldImages();
  if (!engineStarted) return;
  await sweep();
  note('stopping the Docker engine', await stopEngine());
}

function summary() {
  if (!wantsDocker) say('Docker was not started: the requested tests do not need it');
  for (const sentence of new Set(skipped.values())) say(sentence);
  if (interrupted) say('interrupted');
  for (const { step, code } of failures) say(`${step} failed with exit code ${code}`);
  if (!failures.length && !interrupted) say(skipped.size ? 'all that could run here passed' : 'all passed');
}

if (await ready()) {
  const [env] = await Promise.all([stack(), check()]);
  if (!interrupted) await vitest(env);
}
await cleanUp();
summary();
process.exitCode = failures[0]?.code ?? (interrupted ? 130 : 0);
