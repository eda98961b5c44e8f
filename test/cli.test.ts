/** The command line as a user meets it: the compiled program, its words and its exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { settingNames } from '../app/config/schema.ts';

const cli = join(import.meta.dirname, '../dist/cli.js');
const run = (...args: string[]) => spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', timeout: 10_000 });

describe('words and exit codes', () => {
  test('--help names every setting, --version the version', () => {
    const { status, stdout } = run('--help');
    expect(status).toBe(0);
    for (const name of settingNames) expect(stdout).toContain(`--${name} `);
    expect(run('--version').stdout).toMatch(/^genkan \d+\.\d+\.\d+\n$/);
  });
  test('wrong settings are told, all of them, with code 2', () => {
    const { status, stderr } = run('--max-peers', '1', '--nonsense', 'x');
    expect(status).toBe(2);
    expect(stderr).toMatch(/--nonsense: there is no such setting/);
    expect(stderr).toMatch(/--max-peers: /);
    expect(run('dance')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('dance: there is no such command'),
    });
    expect(run('check-config', '--max-peers', '3').status).toBe(0);
    expect(run('check-config', '--max-peers', 'x').status).toBe(2);
  });
  test('an address that is taken ends it with code 1 and a sentence', async () => {
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

describe('running', () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
  const start = async (args: string[], stdio: number[] = []) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit', ...stdio] });
    stops.push(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout?.on('data', (text) => {
      said += text;
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    for (let tries = 0; !said.includes('Genkan is at') && tries < 500; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
    return { child, exited, url: /Genkan is at (\S+)/.exec(said)?.[1] ?? `nothing but ${said}` };
  };

  test('SIGTERM says bye to those inside, and ends with code 0', async () => {
    const { child, exited, url } = await start(['--http', '127.0.0.1:0']);
    const socket = new WebSocket(
      `${url.replace('http', 'ws').replace('localhost', '127.0.0.1')}/rooms/r/ws`,
      'genkan.v1',
    );
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(String(data)));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"type":"join"}');
    await new Promise((resolve) => socket.once('message', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    child.kill('SIGTERM');
    expect(await closed).toBe(4000);
    expect(JSON.parse(heard.at(-1) ?? '{}')).toMatchObject({ type: 'bye', code: 'draining', retry: 1000 });
    expect(await exited).toBe(0);
  });

  test('a second SIGTERM does not wait for the drain', async () => {
    const { child, exited, url } = await start(['--http', '127.0.0.1:0', '--drain-timeout', '600']);
    const port = new URL(url).port;
    const stuck = connect(Number(port), '127.0.0.1');
    stuck.on('error', () => {});
    await new Promise((resolve) => stuck.once('connect', resolve));
    stuck.write('POST /rooms/r/join HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    stuck.destroy();
  });

  test('fd:N listens on a socket it was given', async () => {
    const giver = createServer();
    await new Promise<void>((resolve) => giver.listen(0, '127.0.0.1', resolve));
    const bound = giver.address();
    const port = typeof bound === 'object' && bound ? bound.port : 0;
    const { fd } = (giver as unknown as { _handle: { fd: number } })._handle;
    // Handed over, as systemd does: from now on only the child accepts.
    const { url } = await start(['--http', 'fd:3'], [fd]);
    giver.close();
    expect(url).toBe(`http://localhost:${port}`);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });
});
