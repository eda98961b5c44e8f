// Runs programs for the test run: with their output, or quietly with output only if they fail.
import { spawn } from 'node:child_process';
import { delimiter, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Programs for administrators, such as nginx, may be only on root's PATH. */
export const path = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

/** Runs a program with its output shown; → its exit code. It is killed after `limit` seconds, if that is given. */
export async function show(command, args, { env = {}, limit } = {}) {
  return (await child(command, args, { env, limit, stdio: 'inherit' })).code;
}

/** Runs a program quietly; → { code, output }. It is killed after `limit` seconds, if that is given. */
export function quiet(command, args, { env = {}, limit } = {}) {
  return child(command, args, { env, limit, stdio: ['ignore', 'pipe', 'pipe'] });
}

export async function works(command, ...args) {
  return (await quiet(command, args, { limit: 20 })).code === 0;
}

export function say(sentence) {
  console.log(`genkan: ${sentence}`);
}

function child(command, args, { env, stdio, limit }) {
  return new Promise((done) => {
    const running = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: path, ...env },
      stdio,
      timeout: limit && limit * 1000,
    });
    let output = '';
    const add = (bytes) => {
      output += bytes;
    };
    running.stdout?.on('data', add);
    running.stderr?.on('data', add);
    running.on('error', (error) => done({ code: 127, output: error.message }));
    running.on('close', (code) => done({ code: code ?? 1, output }));
  });
}
