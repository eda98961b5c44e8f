/** The control socket and the commands that use it. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { command } from '../../app/commands/control.ts';
import { cli, genkan, type Stage, stage, until } from './program.ts';

let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

const start = async (...more: string[]) => {
  const control = here.path('control.sock');
  const pidfile = here.path('pid');
  const program = here.start(['--http', '127.0.0.1:0', '--control-socket', control, '--pidfile', pidfile, ...more]);
  const { address = '', pid: worker = 0 } = await program.logged('listening');
  await until(() => statSync(pidfile, { throwIfNoEntry: false }) !== undefined);
  return { program, control, pidfile, worker, url: `http://${address}` };
};
/** Sends lines and resolves with as many responses. */
const speak = (path: string, ...lines: string[]): Promise<unknown[]> =>
  new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(lines.map((line) => `${line}\n`).join('')));
    let received = '';
    socket.on('error', reject);
    socket.on('data', (data) => {
      received += data;
      const answers = received.split('\n').slice(0, -1);
      if (answers.length < lines.length) return;
      socket.destroy();
      resolve(answers.map((answer) => JSON.parse(answer)));
    });
  });
const join = (url: string, room: string) =>
  fetch(`${url}/rooms/${room}/join`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });

describe('the control socket', () => {
  test('is accessible to its owner only, and answers each line with one line', async () => {
    const { control, worker } = await start();
    expect(statSync(control).mode & 0o777).toBe(0o600);
    const answers = await speak(control, '{"command":"status"}', 's', 'dance', '{"command":"dance"}', '[');
    expect(answers.slice(0, 2)).toEqual([
      { ok: true, status: expect.objectContaining({ workers: [expect.objectContaining({ pid: worker, worker: 1 })] }) },
      { ok: true, status: expect.objectContaining({ paused: false, rooms: 0, peers: 0 }) },
    ]);
    for (const answer of answers.slice(2)) expect(answer).toMatchObject({ ok: false, error: expect.any(String) });
  });

  test('survives clients that send nonsense', async () => {
    const { control } = await start();
    const flood = connect(control, () => flood.write('x'.repeat(100_000)));
    flood.on('error', () => {});
    await new Promise((resolve) => flood.once('close', resolve));
    expect(await speak(control, 's')).toMatchObject([{ ok: true }]);
  });

  test('pause refuses new rooms with 503 and keeps existing ones, also across a reload', async () => {
    const { control, url } = await start();
    expect((await join(url, 'old')).status).toBe(200);
    expect(await speak(control, 'p', 's')).toMatchObject([{ ok: true }, { status: { paused: true } }]);
    expect((await join(url, 'old')).status).toBe(200);
    const refused = await join(url, 'new');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
    expect(await speak(control, 'r')).toEqual([{ ok: true }]);
    expect((await join(url, 'new')).status).toBe(503);
    expect(await speak(control, '{"command":"resume"}')).toEqual([{ ok: true }]);
    // The master has notified its workers; a worker may receive it a moment later.
    await expect.poll(async () => (await join(url, 'new')).status).toBe(200);
  });
});

describe('commands', () => {
  test('status, reload, pause, resume and stop wait for the result', async () => {
    const { program, control, worker } = await start();
    const by = ['--control-socket', control];
    expect(JSON.parse(genkan('status', ...by).stdout)).toMatchObject({
      workers: [{ pid: worker, state: 'listening' }],
    });
    expect(genkan('reload', ...by)).toMatchObject({ status: 0, stdout: 'Reloaded.\n' });
    expect(JSON.parse(genkan('status', ...by).stdout).workers[0].pid).not.toBe(worker);
    expect(genkan('pause', ...by).status).toBe(0);
    expect(JSON.parse(genkan('status', ...by).stdout)).toMatchObject({ paused: true });
    expect(genkan('resume', ...by).status).toBe(0);
    expect(genkan('stop', ...by)).toMatchObject({ status: 0, stdout: 'Stopped.\n' });
    expect(await program.exited).toBe(0);
    expect(genkan('status', ...by)).toMatchObject({ status: 1, stderr: expect.stringContaining('no response from') });
  });

  test('reload prints the reason for a failure, with exit code 1', async () => {
    const file = here.path('genkan.yaml');
    writeFileSync(file, 'genkan:\n  max-peers: 8\n');
    const { control } = await start('--yaml', file);
    writeFileSync(file, 'genkan:\n  max-peers: many\n');
    expect(genkan('reload', '--control-socket', control)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('max-peers'),
    });
  });

  test('use signals if there is only a pidfile', async () => {
    const { program, pidfile } = await start();
    const by = ['--pidfile', pidfile];
    expect(readFileSync(pidfile, 'utf8')).toBe(`${program.pid}\n`);
    expect(genkan('status', ...by).status).toBe(0);
    expect(genkan('reload', ...by).status).toBe(0);
    await program.logged('reloaded');
    expect(genkan('pause', ...by).status).toBe(0);
    await program.logged('paused: new rooms are refused');
    expect(genkan('stop', ...by)).toMatchObject({ status: 0, stdout: 'Stopped.\n' });
    expect(statSync(pidfile, { throwIfNoEntry: false })).toBeUndefined();
    expect(genkan('stop', ...by)).toMatchObject({ status: 1, stderr: expect.stringContaining('no running process') });
    expect(genkan('stop')).toMatchObject({ status: 2, stderr: expect.stringContaining('no server specified') });
  });
});

describe('commands to something else', () => {
  const isRoot = process.getuid?.() === 0;
  test.skipIf(!isRoot)('do not signal a process of another user, and say so', () => {
    const pidfile = here.path('pid');
    writeFileSync(pidfile, `${process.pid}\n`);
    chmodSync(here.directory, 0o755);
    const asNobody = (name: string) =>
      spawnSync(process.execPath, [cli, name, '--pidfile', pidfile], { uid: 65_534, gid: 65_534, encoding: 'utf8' });
    for (const name of ['stop', 'reload', 'pause']) {
      const sentence = `${name}: process ${process.pid} belongs to another user; run the command as that user or as root`;
      expect(asNobody(name)).toMatchObject({ status: 1, stdout: '', stderr: `genkan: ${sentence}\n` });
    }
    expect(asNobody('status')).toMatchObject({ status: 0, stdout: expect.stringContaining(String(process.pid)) });
    expect(asNobody('resume')).toMatchObject({ status: 2, stderr: expect.stringContaining('--control-socket') });
  });

  test.each([
    ['a line that is not JSON', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'another program listens there'],
    ['other JSON', '{"jsonrpc":"2.0"}\n', 'another program listens there'],
    ['a text without an end', 'x'.repeat(17 * 1024 * 1024), 'another program listens there'],
    ['nothing', '', 'the connection was closed without a response'],
  ])('end with an error when a program on the socket answers with %s', async (_what, text, reason) => {
    const path = here.path('other.sock');
    const server = createServer((socket) => {
      socket.on('error', () => {});
      if (text === '') socket.end();
      else socket.write(text);
    });
    await once(server.listen(path), 'listening');
    const result = await command('stop', { 'control-socket': path, 'drain-timeout': 1 });
    server.close();
    expect(result).toEqual({ faults: [`stop: no response from ${path}: ${reason}`], code: 1 });
  });
});

describe('the pidfile', () => {
  test('is not touched by a process that cannot start, nor removed by one that does not own it', async () => {
    const { program, pidfile, url } = await start();
    const second = genkan('--http', url.replace('http://', ''), '--pidfile', pidfile);
    expect(second).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`process ${program.pid} is already running`),
    });
    const elsewhere = genkan('--http', url.replace('http://', ''), '--pidfile', here.path('pid2'));
    expect(elsewhere).toMatchObject({ status: 1, stderr: expect.stringContaining('EADDRINUSE') });
    expect(readFileSync(pidfile, 'utf8')).toBe(`${program.pid}\n`);
    expect(statSync(here.path('pid2'), { throwIfNoEntry: false })).toBeUndefined();
    writeFileSync(pidfile, '1\n');
    program.child.kill('SIGTERM');
    await program.exited;
    expect(readFileSync(pidfile, 'utf8')).toBe('1\n');
  });
});
