/** Runs Apache, Caddy or HAProxy of this machine with the file of deploy/fronts/, on ports and with a certificate of the test. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../nginx/ask.ts';
import { host } from '../nginx/modes.ts';
import { freePort } from '../setup/free-port.ts';

export type Front = { target: Target; plain: Target; stop(): Promise<void> };
type Place = { directory: string; app: string; chain: string; key: string; port: number; plainPort: number };
type Program = {
  name: string;
  file: string;
  version: string[];
  /** Replacements in the shipped file for the test; each pattern must be found. */
  adapt(place: Place): [string, string][];
  /** What is added around the shipped file, and the arguments to run it. */
  wrap?(text: string, place: Place): string;
  command(configuration: string): string[];
};

const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin` };
const modules = ['mpm_event', 'authz_core', 'alias', 'socache_shmcb', 'ssl', 'http2', 'headers', 'proxy', 'proxy_http'];

export const programs: Program[] = [
  {
    name: 'apache2',
    file: 'apache.conf',
    version: ['-v'],
    adapt: ({ app, chain, key, port, plainPort }) => [
      ['127.0.0.1:3031', app],
      ['*:80>', `127.0.0.1:${plainPort}>`],
      ['*:443>', `127.0.0.1:${port}>`],
      ['/etc/ssl/meet.example/fullchain.pem', chain],
      ['/etc/ssl/meet.example/privkey.pem', key],
    ],
    wrap: (text, { directory, port, plainPort }) =>
      [
        `ServerRoot ${directory}`,
        `DocumentRoot ${directory}/empty`,
        `PidFile ${directory}/pid`,
        `ErrorLog ${directory}/error.log`,
        `ServerName localhost`,
        // Debian's package sets both by /etc/apache2/envvars.
        process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : '',
        `Listen 127.0.0.1:${port}`,
        `Listen 127.0.0.1:${plainPort}`,
        ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
        text,
      ].join('\n'),
    command: (file) => ['-f', file, '-DFOREGROUND'],
  },
  {
    name: 'caddy',
    file: 'Caddyfile',
    version: ['version'],
    adapt: ({ app, chain, key, port }) => [
      ['127.0.0.1:3031', app],
      ['\nmeet.example {', `\nhttps://meet.example:${port} {\n\tbind 127.0.0.1`],
      ['# tls /etc/ssl/meet.example/fullchain.pem /etc/ssl/meet.example/privkey.pem', `tls ${chain} ${key}`],
      ['# trusted_proxies 192.0.2.10/32', 'trusted_proxies 127.0.0.3/32'],
    ],
    wrap: (text, { directory, plainPort }) =>
      `{\n\tadmin off\n\thttp_port ${plainPort}\n\tdefault_bind 127.0.0.1\n\tstorage file_system ${directory}/storage\n}\n${text}`,
    command: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
  {
    name: 'haproxy',
    file: 'haproxy.cfg',
    version: ['-v'],
    adapt: ({ app, directory, port, plainPort }) => [
      ['127.0.0.1:3031', app],
      ['bind :80', `bind 127.0.0.1:${plainPort}`],
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['/etc/ssl/meet.example.pem', join(directory, 'both.pem')],
    ],
    command: (file) => ['-f', file, '-db'],
  },
];

/** Whether the program is installed; its package: apache2, caddy, haproxy. */
export const isHere = ({ name, version }: Program): boolean => spawnSync(name, version, { env }).status === 0;

export const startFront = async (
  program: Program,
  app: string,
  { chain, key }: { chain: string; key: string },
  name = host,
): Promise<Front> => {
  const directory = await mkdtemp(join(tmpdir(), `genkan-${program.name}-`));
  const place = { directory, app, chain, key, port: await freePort(), plainPort: await freePort() };
  await mkdir(join(directory, 'empty'));
  await writeFile(join(directory, 'both.pem'), (await readFile(chain, 'utf8')) + (await readFile(key, 'utf8')));
  let text = await readFile(join(import.meta.dirname, '../../deploy/fronts', program.file), 'utf8');
  for (const [from, to] of program.adapt(place)) {
    if (!text.includes(from)) throw new Error(`${program.file} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  text = text.replaceAll(host, name);
  const configuration = join(directory, program.file);
  await writeFile(configuration, program.wrap?.(text, place) ?? text);
  // In a process group of its own, because some leave children behind.
  const child = spawn(program.name, program.command(configuration), {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilListening(child, place.port);
  } catch (error) {
    const log = await readFile(join(directory, 'error.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`${program.name} did not start: ${output}${log}`, { cause: error });
  }
  const headers = { Host: `${name}:${place.port}` };
  return {
    target: { port: place.port, tls: { ca: await readFile(chain, 'utf8'), servername: name }, headers },
    plain: { port: place.plainPort, headers: { Host: name } },
    stop,
  };
};

const untilListening = async (child: ChildProcess, port: number): Promise<void> => {
  for (let tries = 0; tries < 500; tries += 1) {
    if (child.exitCode !== null) throw new Error('it ended at once');
    if (await connects(port)) return;
    await sleep(20);
  }
  throw new Error('it does not listen after 10 s');
};

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
