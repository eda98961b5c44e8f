// Prepares a checkout: installs from the lock file and builds dist/, each only when needed.
// Plain JavaScript for Node 18 and later, because it runs before anything is installed. It prints to stderr,
// because stdout belongs to the program that is started next.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(root, 'dist', '.stamp');

export function prepare() {
  const wanted = whyInstall();
  if (wanted) {
    say(`installing the packages of package-lock.json: ${wanted}`);
    npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'the packages could not be installed');
  }
  if (!existsSync(join(root, 'app'))) return; // an installed package: built before it was packed
  const sources = hashOfSources();
  if (existsSync(join(root, 'dist', 'cli.js')) && read(stamp) === sources) return;
  say('building dist/: app/ or its settings changed since the last build');
  npm(['run', '--silent', 'build'], 'the build failed');
  writeFileSync(stamp, sources);
}

/**
 * Runs npm with the npm and node that started this script. Not with node_modules/.bin/node: npm looks for its global
 * settings (where a machine may configure its proxy or certificate authority) next to the node that runs it.
 * `npm run` itself puts node_modules/.bin, and with it the newer Node, first on PATH for the script it runs.
 */
export function npmCommand() {
  const { npm_execpath: npmScript, npm_node_execpath: node, PATH = '' } = process.env;
  const paths = PATH.split(delimiter).filter((path) => !isOurs(path));
  const env = { ...process.env, PATH: paths.join(delimiter) };
  if (npmScript && node && !isOurs(node)) return { command: node, args: [npmScript], env };
  return { command: 'npm', args: [], env };
}

/** Shows the output of npm and the build only when they fail. */
function npm(words, failure) {
  const { command, args, env } = npmCommand();
  const options = { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 1e8 };
  const { status, error, stdout, stderr } = spawnSync(command, [...args, ...words], options);
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  say(error ? `${failure}: ${error.message}` : failure);
  process.exit(status || 1);
}

function isOurs(path) {
  return path === modules || path.startsWith(modules + sep);
}

/** Why an install is needed: the difference between package-lock.json and npm's record of installed packages; undefined if none. */
function whyInstall() {
  const lock = parse(join(root, 'package-lock.json'));
  if (!lock) return undefined;
  const installed = parse(join(modules, '.package-lock.json'))?.packages;
  if (!installed) return 'none are installed';
  // optional packages may be for other platforms and are then not installed
  const differs = ([path, entry]) =>
    path !== '' && (installed[path] ? installed[path].version !== entry.version : !entry.optional);
  const odd = Object.entries(lock.packages).find(differs);
  return odd && `${odd[0]} has another version`;
}

/** Hashes contents, not modification times, which mean nothing in a fresh clone, a copy or another branch. */
function hashOfSources() {
  const hash = createHash('sha256');
  const names = ['package.json', 'package-lock.json', 'tsconfig.json', ...filesBelow('app')];
  for (const name of names) {
    const content = read(join(root, name));
    if (content !== undefined) hash.update(`${name}\0${content.length}\0${content}`);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(name);
    return name.endsWith('.md') ? [] : [name];
  });
}

function parse(path) {
  const text = read(path);
  return text === undefined ? undefined : JSON.parse(text);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function say(sentence) {
  console.error(`genkan: ${sentence}`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) prepare();
