/** The command line as a user sees it: the compiled program, its arguments and its exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { parse } from 'yaml';
import { makeToken, parseTokenCommand } from '../app/commands/token.ts';
import { load } from '../app/config/load.ts';
import { settingNames } from '../app/config/schema.ts';
import { eventually } from './listener/uwsgi/finish.ts';

const cli = join(import.meta.dirname, '../dist/cli.js');
const directory = mkdtempSync(join(tmpdir(), 'genkan-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
/** A file of the test's directory; → its path. */
const put = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const runWith = (environment: Record<string, string>, ...args: string[]) =>
  spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, ...environment },
  });
const run = (...args: string[]) => runWith({}, ...args);

describe('arguments and exit codes', () => {
  test('--help lists the common settings, --help --all every setting, --version prints the version', () => {
    const short = run('--help');
    expect(short.status).toBe(0);
    expect(short.stdout).toContain('--max-peers ');
    expect(short.stdout).not.toContain('--max-quiet ');
    const { status, stdout } = run('--help', '--all');
    expect(status).toBe(0);
    for (const name of settingNames) expect(stdout).toContain(`--${name} `);
    const { stdout: tokenHelp } = run('token', '--help');
    for (const option of ['--room NAME', '--role host|guest', '--not-before TIME', '--once', '--link URL'])
      expect(tokenHelp).toContain(`\n    ${option} `);
    expect(run('conform', '--help').stdout).toMatch(/^ {4}--quick SECONDS /m);
    expect(run('--version').stdout).toMatch(/^genkan \d+\.\d+\.\d+\n$/);
  });
  test('all invalid settings are reported, with exit code 2', () => {
    const { status, stderr } = run('--max-peers', '1', '--nonsense', 'x');
    expect(status).toBe(2);
    expect(stderr).toMatch(/--nonsense: there is no such setting/);
    expect(stderr).toMatch(/--max-peers: /);
    expect(run('dance')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('dance: there is no such command'),
    });
    expect(run('check-config', '--max-peers', '3').status).toBe(0);
    expect(run('chekc-config').stderr).toContain('did you mean check-config?');
  });
  test('check-config reports faults and settings without effect, and exits with 1 for faults, like nginx -t', () => {
    const file = put('wrong.yaml', 'genkan:\n  grace: 0\n  threads: 4\n');
    expect(run('check-config', '--yaml', file, '--max-peers', 'x')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: [
        `genkan: warning: ${file}:3: threads: has no effect: a worker runs one event loop, which serves all its peers; for more cores use processes (the pool for files and DNS is Node's UV_THREADPOOL_SIZE)`,
        'genkan: --max-peers: must be a whole number from 2 to 1000',
        `genkan: ${file}:2: grace: must be a whole number from 1 to 86400`,
        '',
      ].join('\n'),
    });
    expect(run('check-config', '--chdir', join(directory, 'none'))).toMatchObject({
      status: 1,
      stderr: `genkan: --chdir: cannot change to the directory ${join(directory, 'none')}\n`,
    });
  });
  test('check-config --nginx also runs nginx -t', () => {
    // A stub prints its arguments: the tests of nginx/ check whether nginx accepts its files.
    const nginx = put('nginx', '#!/bin/sh\necho "nginx $*" >&2\ntest "$3" != /bad.conf\n');
    chmodSync(nginx, 0o755);
    const path = { PATH: `${directory}${delimiter}${process.env.PATH}` };
    expect(runWith(path, 'check-config', '--nginx')).toMatchObject({ status: 0, stderr: 'nginx -t\n' });
    expect(runWith(path, 'check-config', '--nginx', '/a.conf', '--grace', '5')).toMatchObject({
      status: 0,
      stderr: 'nginx -t -c /a.conf\n',
    });
    expect(runWith(path, 'check-config', '--nginx=/bad.conf').status).toBe(1);
    expect(runWith(path, 'check-config', '--nginx', '--grace', '0').status).toBe(1);
    expect(runWith({ PATH: '/nowhere' }, 'check-config', '--nginx')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('nginx -t cannot be run'),
    });
  });
  test('check-config --nginx compares the idle times of its upstream groups with the settings', () => {
    const group = 'upstream meet { server 127.0.0.1:3031; keepalive 8; keepalive_timeout 2m; }';
    chmodSync(put('nginx', `#!/bin/sh\ntest "$1" != -T || echo '${group}'\n`), 0o755);
    const path = { PATH: `${directory}${delimiter}${process.env.PATH}` };
    expect(runWith(path, 'check-config', '--nginx', '--http-socket', '127.0.0.1:3031')).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^genkan: warning: nginx: upstream meet keeps idle connections for 120 s/),
    });
  });
  test('print-config prints YAML, with --json-schema JSON', () => {
    const { status, stdout } = run('print-config', '--max-peers', '5');
    expect(status).toBe(0);
    expect(parse(stdout)).toMatchObject({ genkan: { 'max-peers': 5, http: ['127.0.0.1:9090'] } });
    expect(JSON.parse(run('print-config', '--json-schema').stdout)).toHaveProperty('definitions');
    expect(run('print-config', '--max-peers', '1').status).toBe(2);
  });
  test('explain prints one setting, or all', () => {
    expect(run('explain', 'harakiri').stdout).toContain('uWSGI:');
    expect(run('explain').stdout).toContain('thunder-lock');
    expect(run('explain', 'harakari')).toMatchObject({ status: 2, stderr: expect.stringContaining('harakiri?') });
  });
  test('an address in use is reported, with exit code 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const bound = taken.address();
    const port = typeof bound === 'object' && bound ? bound.port : 0;
    const { status, stderr } = run('--http', `127.0.0.1:${port}`);
    taken.close();
    expect(status).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
  });
});

describe('token', () => {
  const secret = 'a-shared-secret-of-forty-characters-0001';
  const file = put('secrets', `${secret}\nan-older-secret-of-forty-characters-00000\n`);
  const key = ['--token-secret_file', file];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = put('private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const checked = async (token: string, by: Uint8Array | KeyObject = new TextEncoder().encode(secret)) =>
    (await jwtVerify(token, by)).payload;

  test('prints only the token, by default signed with the first secret, for an hour and for any peer', async () => {
    const { status, stdout, stderr } = run('token', '--room', 'hall', ...key);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { iat = 0, ...claims } = await checked(stdout.trim());
    expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(60);
    expect(claims).toEqual({ room: 'hall', exp: iat + 3600 });
  });
  test('has the claims, expiry and settings given, in any order', async () => {
    const words = [
      '--role',
      'host',
      '--name',
      'Aiko',
      '--subject=staff-7',
      '--once',
      '--ttl',
      '90s',
      '--not-before',
      '10m',
    ];
    const settings = ['--token-issuer', 'school', ...key, '--token-audience', 'genkan'];
    const { stdout } = run('token', ...settings, '--room', 'a', ...words, '--room=class-*');
    const { iat = 0, jti, ...claims } = decodeJwt(stdout.trim());
    expect(jti).toMatch(/^[\w-]{22}$/);
    expect(claims).toEqual({
      room: ['a', 'class-*'],
      role: 'host',
      name: 'Aiko',
      sub: 'staff-7',
      iss: 'school',
      aud: 'genkan',
      nbf: iat + 600,
      exp: iat + 690,
      once: true,
    });
  });
  test('signs with a private key by the algorithm of its kind', async () => {
    const { stdout } = run('token', '--room', 'hall', '--private-key', pem);
    expect(decodeProtectedHeader(stdout.trim()).alg).toBe('ES256');
    expect(await checked(stdout.trim(), publicKey)).toMatchObject({ room: 'hall' });
  });
  test('prints a whole link, with the token in the fragment', async () => {
    const { stdout } = run('token', '--room', '玄関', '--link', 'https://meet.example/calls', ...key);
    const link = new URL(stdout.trim());
    expect(`${link.origin}${link.pathname}${link.search}`).toBe('https://meet.example/calls/rooms/%E7%8E%84%E9%96%A2');
    expect(await checked(link.hash.replace('#token=', ''))).toMatchObject({ room: '玄関' });
  });
  test.each([
    [[], '--room: is required'],
    [['--room', 'a b'], '--room: must be the name of a room, or the start of names followed by "*"'],
    [['--room', 'a', '--ttl', 'soon'], '--ttl: must be a duration such as 90s, 10m, 1h or 7d'],
    [['--room', 'a', '--ttl', '0s'], '--ttl: must be longer than 0'],
    [['--room', 'a', '--role', 'king'], '--role: '],
    [['--room', 'a*', '--link', 'https://meet.example'], '--link: a link is for one room'],
    [['--room', 'a', '--link', 'meet.example'], '--link: must be the URL of the page'],
    [['--room', 'a', '--private-key', '/none'], '--private-key: /none cannot be read: ENOENT'],
    [['--room', 'a', '--private-key', file], `--private-key: ${file} holds no private key in PEM form`],
    [['--room'], '--room: a value is missing'],
    [['--room', '--role', 'host'], '--room: a value is missing'],
    [['--room', 'a', '--once=1'], '--once: takes no value'],
    [['--room', 'a', '--rolle', 'host'], '--rolle: there is no such setting'],
  ])('%j is refused with an error message', async (words, sentence) => {
    const parsed = parseTokenCommand([...words, ...key]);
    const loaded = 'faults' in parsed ? parsed : load(parsed.rest, {});
    const result =
      'request' in parsed && 'settings' in loaded
        ? await makeToken(parsed.request, loaded.settings, Date.now())
        : loaded;
    const faults = 'faults' in result ? result.faults : [];
    expect(faults.map((fault) => fault.slice(0, sentence.length))).toContain(sentence);
    expect(faults.join()).not.toContain(secret);
  });
  test('a refusal is printed to stderr alone, with exit code 2', () => {
    for (const [words, sentence] of [
      [['--once=1'], '--once: takes no value'],
      [['--rolle', 'host'], '--rolle: there is no such setting'],
      [['--ttl', 'soon'], '--ttl: must be a duration'],
    ] as const) {
      const { status, stdout, stderr } = run('token', '--room', 'a', ...words, ...key);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain(`genkan: ${sentence}`);
      expect(stderr).not.toContain(secret);
    }
  });
  test('is refused without a key to sign with, or with a secret that is too short', () => {
    expect(run('token', '--room', 'a')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no signing key'),
    });
    const { status, stderr } = run('token', '--room', 'a', '--token-secret_file', put('short', 'x'.repeat(31)));
    expect(status).toBe(2);
    expect(stderr).toContain('--token-secret_file: must be at least 32 letters');
  });
  test('a server with --auth token requires usable keys, and check-config reports their absence', () => {
    expect(run('check-config', '--auth', 'token')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('genkan: --auth: token requires a key'),
    });
    expect(run('check-config', '--auth', 'token', ...key).status).toBe(0);
    for (const command of ['check-config', 'serve'])
      expect(run(command, '--http', '127.0.0.1:0', '--token-key', pem)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`genkan: --token-key: ${pem} holds a private key`),
      });
  });
});

describe('running', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
  const start = async (args: string[], stdio: number[] = []) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit', ...stdio] });
    stops.push(() => child.kill('SIGKILL'));
    let output = '';
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await new Promise<void>((resolve) => {
      void exited.then(() => resolve());
      child.stdout?.on('data', (text) => {
        output += text;
        if (output.includes('Genkan is running at')) resolve();
      });
    });
    return {
      child,
      exited,
      url: /Genkan is running at (\S+)/.exec(output)?.[1] ?? `nothing but ${output}`,
      output: () => output,
    };
  };

  test('the command line of earlier projects starts, in another directory, from a file', async () => {
    const file = put('standalone-uwsgi.yaml', 'uwsgi:\n  http: 127.0.0.1:0\n  enable-threads: true\n');
    const { child, url } = await start(['--master', '--yaml', file, '--chdir', directory, '--enable-threads']);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(realpathSync(`/proc/${child.pid}/cwd`)).toBe(realpathSync(directory));
  });

  test('SIGTERM sends bye to connected peers, and exits with code 0', async () => {
    const { child, exited, url } = await start(['--http', '127.0.0.1:0']);
    const socket = new WebSocket(
      `${url.replace('http', 'ws').replace('localhost', '127.0.0.1')}/rooms/r/ws`,
      'genkan.v1',
    );
    const received: string[] = [];
    socket.on('message', (data) => received.push(String(data)));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"type":"join"}');
    await new Promise((resolve) => socket.once('message', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    child.kill('SIGTERM');
    expect(await closed).toBe(4000);
    expect(JSON.parse(received.at(-1) ?? '{}')).toMatchObject({
      type: 'bye',
      code: 'draining',
      retry: expect.any(Number),
    });
    expect(await exited).toBe(0);
  });

  test('a second SIGTERM skips the drain', async () => {
    const { child, exited, url, output } = await start(['--http', '127.0.0.1:0', '--drain-timeout', '600']);
    const stuck = connect(Number(new URL(url).port), '127.0.0.1');
    stuck.on('error', () => {});
    // The server has read these headers when it asks for the body.
    stuck.write('POST /rooms/r/join HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n');
    await new Promise((resolve) => stuck.once('data', resolve));
    child.kill('SIGTERM');
    await eventually(() => expect(output()).toContain('draining'));
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    stuck.destroy();
  });

  test('fd:N listens on an inherited socket', async () => {
    const giver = createServer();
    await new Promise<void>((resolve) => giver.listen(0, '127.0.0.1', resolve));
    const bound = giver.address();
    const port = typeof bound === 'object' && bound ? bound.port : 0;
    const { fd } = (giver as unknown as { _handle: { fd: number } })._handle;
    // The socket is passed as systemd does: from now on only the child accepts.
    const { url } = await start(['--http', 'fd:3'], [fd]);
    giver.close();
    expect(url).toBe(`http://localhost:${port}`);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });
});
