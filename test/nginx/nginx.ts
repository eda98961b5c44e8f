/**
 * Runs a real nginx of this machine with the configuration that is shipped in nginx/, in a temporary copy. Rewritten in the copy is only
 * what must differ here: the port, the address of the app and the include for its protocol, the directory of the static files, and
 * the paths of logs, process id and temporary files. As root the workers also keep root, to reach files of the tests.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where nginx finds the app. `address`: host:port, or the path of a unix socket. */
export type Upstream = { kind: 'uwsgi' | 'http'; address: string };

export type Nginx = {
  /** http://127.0.0.1:port, without a slash at the end. */
  url: string;
  port: number;
  /** Reads its configuration again, as `nginx -s reload` does; resolves when new workers are there. */
  reload(): Promise<void>;
  /** What it wrote so far: errors, and a line per request. */
  logs(): Promise<string>;
  /** Ends it, at once unless `graceful`, and removes its directory. */
  stop(graceful?: boolean): Promise<void>;
};

export const shipped = join(import.meta.dirname, '../../nginx');
const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/usr/local/sbin` };

/** @param publicDir the directory that holds js/; without it every file is missing */
export const startNginx = async (options: { app: Upstream; publicDir?: string }): Promise<Nginx> => {
  const port = await freePort();
  const prefix = await prepare({ ...options, port });
  const child = spawn('nginx', [...command(prefix), '-g', 'daemon off;'], { env, stdio: 'ignore' });
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
    const said = await logs();
    await stop();
    throw new Error(`nginx did not start: ${said}`, { cause: error });
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
  return { url: `http://127.0.0.1:${port}`, port, reload, logs, stop };
};

/** `nginx -t` of a prepared directory; → its exit code and what it said. */
export const testConfiguration = (prefix: string): { code: number | null; output: string } => {
  const { status, stderr, error } = spawnSync('nginx', ['-t', ...command(prefix)], { env, encoding: 'utf8' });
  return { code: status, output: error ? error.message : stderr };
};

/** Copies the shipped files to a temporary directory and adapts them; → that directory. */
export const prepare = async (options: { app: Upstream; port: number; publicDir?: string }): Promise<string> => {
  const prefix = await mkdtemp(join(tmpdir(), 'genkan-nginx-'));
  await cp(shipped, prefix, { recursive: true });
  const { app, port, publicDir = prefix } = options;
  const address = app.address.startsWith('/') ? `unix:${app.address}` : app.address;
  await rewrite(join(prefix, 'nginx.conf'), [
    // Below `notice` nginx would not write that it has reloaded.
    [/^error_log .*;$/m, `error_log ${prefix}/error.log notice;`],
    [/^pid .*;$/m, `pid ${prefix}/nginx.pid;\n${process.getuid?.() === 0 ? 'user root;' : ''}`],
    [/^http \{$/m, `http {\n${temporaryPaths(prefix)}`],
  ]);
  await rewrite(join(prefix, 'conf.d/genkan.conf'), [
    [/^ {4}listen 80;$/m, `    listen 127.0.0.1:${port};`],
    [/^ {4}access_log \S+ genkan;$/m, `    access_log ${prefix}/access.log genkan;`],
  ]);
  await rewrite(join(prefix, 'snippets/genkan-static.conf'), [[/^ {4}root .*;$/m, `    root ${publicDir};`]]);
  await rewrite(join(prefix, 'snippets/genkan-app.conf'), [
    [/^set \$genkan_app .*;$/m, `set $genkan_app ${address};`],
    [/^include snippets\/genkan-uwsgi\.conf;$/m, `include snippets/genkan-${app.kind}.conf;`],
  ]);
  return prefix;
};

const command = (prefix: string): string[] => ['-p', prefix, '-e', `${prefix}/error.log`, '-c', `${prefix}/nginx.conf`];

const temporaryPaths = (prefix: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${prefix}/${name};`).join('\n');

/** Every pattern must be there once: the shipped files and this one cannot drift apart unseen. */
const rewrite = async (path: string, changes: [RegExp, string][]): Promise<void> => {
  let text = await readFile(path, 'utf8');
  for (const [pattern, replacement] of changes) {
    const found = text.match(new RegExp(pattern, 'gm'))?.length ?? 0;
    if (found !== 1) throw new Error(`${path} has ${found} lines like ${pattern}, expected one`);
    text = text.replace(pattern, () => replacement);
  }
  await writeFile(path, text);
};

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

/**
 * A port that is free and that no `listen(0)` is given meanwhile, because it lies below those that the system gives (from 32768 on):
 * tests run side by side, and nginx cannot be told to take any port.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) return port;
  }
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

const read = (prefix: string, name: string): Promise<string> =>
  readFile(join(prefix, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
