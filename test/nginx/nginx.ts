/**
 * Runs a real nginx, the machine's or another, with the files that `genkan nginx` writes for it, in a temporary directory. Only what must
 * differ here is changed: the paths of logs, PID and temporary files, and port 80. As root the workers also stay root, to reach files of
 * the tests. config.test.ts checks that nginx/ has the same files.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nginxFiles } from '../../app/commands/nginx.ts';
import { freePort } from '../setup/free-port.ts';
import { env, type Installed } from '../setup/nginxes.ts';

/** The address of the app. `address`: host:port, or the path of a unix socket. */
export type Upstream = { kind: 'uwsgi' | 'http'; address: string };

export type Nginx = {
  /** http://127.0.0.1:port, without a trailing slash. */
  url: string;
  port: number;
  /** The port in place of 80, when the site itself is on another one. */
  plainPort: number;
  /** Its nginx.conf. */
  file: string;
  /** Reloads its configuration, like `nginx -s reload`; resolves when new workers run. */
  reload(): Promise<void>;
  /** What it wrote so far: errors, and a line per request. */
  logs(): Promise<string>;
  /** Ends it, at once unless `graceful`, and removes its directory. */
  stop(graceful?: boolean): Promise<void>;
};

export const shipped = join(import.meta.dirname, '../../nginx');
export type Front = {
  app: Upstream;
  /** The nginx to run; by default the machine's. */
  by?: Pick<Installed, 'command' | 'modules'>;
  /** The directory that contains js/; without it every file is missing. */
  publicDir?: string;
  /** Further options of `genkan nginx`; limits are raised unless given here. */
  words?: string[];
  /** Existing sites, for the modes that write no nginx.conf; `port` is where all of them listen. */
  sites?: (port: number) => string;
  /** Changes a file, before nginx reads it. */
  spoil?: (path: string, text: string) => string;
};

const ours: Front['by'] & object = { command: 'nginx' };

export const startNginx = async (options: Front): Promise<Nginx> => {
  const { command } = options.by ?? ours;
  const [port, plainPort] = [await freePort(), await freePort()];
  const prefix = await prepare({ ...options, port, plainPort });
  const child = spawn(command, [...wordsFor(prefix), '-g', 'daemon off;'], { env, stdio: 'ignore' });
  const logs = async () => (await read(prefix, 'error.log')) + (await read(prefix, 'access.log'));
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (graceful = false) => {
    child.kill(graceful ? 'SIGQUIT' : 'SIGTERM');
    await ended;
    await rm(prefix, { recursive: true, force: true });
  };
  try {
    await untilListening(child, port);
  } catch (error) {
    const output = await logs();
    await stop();
    throw new Error(`nginx did not start: ${output}`, { cause: error });
  }
  const reload = async () => {
    const count = async () => (await read(prefix, 'error.log')).split('start worker processes').length;
    const before = await count();
    child.kill('SIGHUP');
    for (let tries = 0; (await count()) === before; tries++) {
      if (tries > 500) throw new Error(`nginx did not reload: ${await logs()}`);
      await sleep(10);
    }
  };
  return { url: `http://127.0.0.1:${port}`, port, plainPort, file: join(prefix, 'nginx.conf'), reload, logs, stop };
};

/** `nginx -t` of a prepared directory; → its exit code and output. */
export const testConfiguration = (prefix: string, { command } = ours): { code: number | null; output: string } => {
  const { status, stderr, error } = spawnSync(command, ['-t', ...wordsFor(prefix)], { env, encoding: 'utf8' });
  return { code: status, output: error ? error.message : stderr };
};

/** Writes the files, adapted, to a temporary directory; → that directory. */
export const prepare = async (options: Front & { port: number; plainPort?: number }): Promise<string> => {
  const prefix = await mkdtemp(join(tmpdir(), 'genkan-nginx-'));
  const {
    app,
    by = ours,
    port,
    plainPort = await freePort(),
    publicDir = prefix,
    words = [],
    sites,
    spoil = (_, text) => text,
  } = options;
  const site = words.includes('location') ? [] : ['--address', `127.0.0.1:${port}`];
  const found = nginxFiles(
    ['--protocol', app.kind, '--upstream', app.address, '--root', publicDir, ...site, ...wide, ...words],
    {},
    () => builtAs(by),
  );
  if ('faults' in found) throw new Error(found.faults.join('; '));
  // `load_module modules/…` is relative to the prefix.
  if (by.modules !== undefined) await symlink(by.modules, join(prefix, 'modules'));
  const files = new Map(found.files);
  if (sites) files.set('nginx.conf', before).set('conf.d/example.conf', sites(port));
  for (const [path, text] of files) {
    await mkdir(dirname(join(prefix, path)), { recursive: true });
    await writeFile(join(prefix, path), spoil(path, adapt(path, text, prefix, plainPort)));
  }
  return prefix;
};

const built = new Map<string, string>();
/** The output of `nginx -V`. */
const builtAs = ({ command } = ours): string => {
  const output = built.get(command) ?? spawnSync(command, ['-V'], { env, encoding: 'utf8' }).stderr;
  built.set(command, output);
  return output;
};

/** Tests come from one address, many at once. */
const wide = ['--handshakes', '10000', '--connections', '10000', '--posts', '10000'];

/** An existing nginx.conf of another site. */
const before = `error_log /var/log/nginx/error.log warn;
pid /run/nginx.pid;
events {}
http {
    access_log off;
    include conf.d/*.conf;
}
`;

/** Every pattern must be found: so the files and this list stay in step. */
const adapt = (path: string, text: string, prefix: string, plainPort: number): string => {
  const adapted = text
    .replaceAll(/\/var\/log\/nginx\/(?:genkan\.)?access\.log/g, `${prefix}/access.log`)
    .replaceAll('listen 80', `listen 127.0.0.1:${plainPort}`);
  if (path !== 'nginx.conf') return adapted;
  const changes: [RegExp, string][] = [
    // With a level above `notice` nginx would not log that it has reloaded.
    [/^error_log .*;$/m, `error_log ${prefix}/error.log notice;`],
    [/^pid .*;$/m, `pid ${prefix}/nginx.pid;\n${process.getuid?.() === 0 ? 'user root;' : ''}`],
    [/^http \{$/m, `http {\n${temporaryPaths(prefix)}`],
  ];
  for (const [pattern] of changes) if (!pattern.test(adapted)) throw new Error(`${path} has no line like ${pattern}`);
  return changes.reduce((changed, [pattern, replacement]) => changed.replace(pattern, () => replacement), adapted);
};

const wordsFor = (prefix: string): string[] => [
  '-p',
  prefix,
  '-e',
  `${prefix}/error.log`,
  '-c',
  `${prefix}/nginx.conf`,
];

const temporaryPaths = (prefix: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${prefix}/${name};`).join('\n');

const untilListening = async (child: ChildProcess, port: number): Promise<void> => {
  for (let tries = 0; tries < 500; tries++) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error('it ended at once');
    if (await connects(port)) return;
    await sleep(10);
  }
  throw new Error('it does not listen after 5 s');
};

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const read = (prefix: string, name: string): Promise<string> =>
  readFile(join(prefix, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
