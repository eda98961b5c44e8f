/**
 * `npm run bench:requests`: small requests through the same nginx, by uwsgi_pass and by proxy_pass, to Genkan and to a minimal app on uWSGI
 * and Python. Measures requests per CPU second of nginx and the app together, all on one processor.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../setup/free-port.ts';
import { keepAsking } from './asking.ts';
import { cpuOf, descendantsOf, median, onThisProcessor, pinned, untilAnswers } from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const seconds = Number(process.env.SECONDS ?? 3);
const cli = join(import.meta.dirname, '../../dist/cli.js');
const directory = mkdtempSync(join(tmpdir(), 'genkan-requests-'));

type Place = { unix: boolean; address: string };
type Contestant = { name: string; app: (place: Place) => string[]; pass: (upstream: string) => string; unix: boolean };

const genkan =
  (flag: string) =>
  ({ address }: Place) => [process.execPath, cli, flag, address, '--log-level', 'warn'];
const python = ({ address }: Place) => [
  ...['uwsgi', '--plugin', 'python3', '--master', '--disable-logging', '--die-on-term', '--need-app'],
  ...['--socket', address, '--wsgi-file', hello],
];
const byUwsgi = (upstream: string) =>
  `uwsgi_pass ${upstream}; include ${join(import.meta.dirname, '../../nginx/snippets/genkan-uwsgi-params.conf')};`;
const byHttp = (keepAlive: boolean) => (upstream: string) =>
  `proxy_pass http://${upstream}; proxy_http_version 1.1; proxy_set_header Connection "${keepAlive ? '' : 'close'}"; proxy_set_header Host $http_host;`;

const contestants: Contestant[] = [true, false].flatMap((unix) => {
  const by = unix ? 'unix socket' : 'TCP';
  return [
    { name: `Genkan, uwsgi_pass, ${by}`, app: genkan('--socket'), pass: byUwsgi, unix },
    { name: `Genkan, proxy_pass without keep-alive, ${by}`, app: genkan('--http-socket'), pass: byHttp(false), unix },
    { name: `Genkan, proxy_pass with keep-alive, ${by}`, app: genkan('--http-socket'), pass: byHttp(true), unix },
    { name: `uWSGI + Python hello, uwsgi_pass, ${by}`, app: python, pass: byUwsgi, unix },
  ];
});

const hello = join(directory, 'hello.py');
writeFileSync(
  hello,
  `def application(environ, start_response):
    body = b'{"status":"ok","rooms":0,"peers":0}'
    start_response('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
    return [body]
`,
);

/** Requests per CPU second of all processes that served them. */
const measure = async ({ app, pass, unix }: Contestant): Promise<number> => {
  const address = unix ? join(directory, 'app.sock') : `127.0.0.1:${await freePort()}`;
  const port = await freePort();
  writeFileSync(join(directory, 'nginx.conf'), configuration(port, unix ? `unix:${address}` : address, pass('app')));
  const children = [
    start(app({ unix, address })),
    start(['nginx', '-c', join(directory, 'nginx.conf'), '-g', 'daemon off;']),
  ];
  try {
    await untilAnswers(`http://127.0.0.1:${port}/healthz`);
    const pids = children.flatMap(({ pid = 0 }) => [pid, ...descendantsOf(pid)]);
    const cpu = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    // Hot code is compiled again: the first thousands of requests cost several times as much.
    for (let asked = 0; asked < 15_000; ) asked += await keepAsking({ port }, '/healthz', 0.5);
    const before = cpu();
    return (await keepAsking({ port }, '/healthz', seconds)) / (cpu() - before);
  } finally {
    for (const child of children) await stop(child);
    rmSync(join(directory, 'app.sock'), { force: true });
  }
};

const configuration = (port: number, address: string, pass: string): string => `
worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/error.log; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  map $http_host $genkan_host { default $http_host; }
  upstream app { server ${address}; keepalive 64; }
  server { listen 127.0.0.1:${port}; location / { ${pass} } }
}`;

const start = (command: string[]): ChildProcess => {
  const [program = '', ...args] = pinned(0, command);
  return spawn(program, args, { stdio: 'ignore' });
};

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });

if (spawnSync('nginx', ['-v']).error) throw new Error('nginx is not here; install the package nginx');
const hasUwsgi = !spawnSync('uwsgi', ['--version']).error;
const taking = contestants.filter(({ app }) => app !== python || hasUwsgi);
const results = new Map<string, number[]>(taking.map(({ name }) => [name, []]));
onThisProcessor(1);
for (let round = 1; round <= rounds; round += 1)
  for (const contestant of taking) {
    process.stderr.write(`round ${round} of ${rounds}: ${contestant.name}\n`);
    results.get(contestant.name)?.push(await measure(contestant));
  }
rmSync(directory, { recursive: true });

if (!hasUwsgi) process.stdout.write('Without uWSGI: install the packages uwsgi-core and uwsgi-plugin-python3.\n');
process.stdout.write(
  'Requests per CPU second of nginx and app; ratio to proxy_pass without keep-alive over the same kind of socket.\n',
);
process.stdout.write('|  | requests per CPU s | ratio |\n| --- | --- | --- |\n');
for (const { name, unix } of taking) {
  const own = results.get(name) ?? [];
  const other = results.get(`Genkan, proxy_pass without keep-alive, ${unix ? 'unix socket' : 'TCP'}`) ?? [];
  const ratio = median(own.map((value, round) => value / (other[round] ?? Number.NaN)));
  process.stdout.write(`| ${name} | ${(median(own) / 1000).toFixed(1)} k | ${ratio.toFixed(2)} |\n`);
}
