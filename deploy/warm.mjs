// node OPTIONS deploy/warm.mjs: starts the server once and stops it, which fills V8's compile cache, dist/cache. Run it as the user of the
// later starts, who need not be able to write there: V8 has a cache for each user.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const cli = join(import.meta.dirname, '../dist/cli.js');
const child = spawn(process.execPath, [...process.execArgv, cli, '--http', '127.0.0.1:0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  // Without settings of the environment.
  env: {},
  timeout: 60_000,
});
let output = '';
child.stdout.on('data', async function read(text) {
  output += text;
  const [, url] = /Genkan is running at (\S+)\n/.exec(output) ?? [];
  if (!url) return;
  child.stdout.off('data', read).resume();
  // It prints the URL a moment before it handles signals; once it answers, it does.
  await fetch(new URL('/healthz', url)).catch(() => {});
  child.kill();
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
