import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listening } from '../../app/config/settings/listening.ts';
import { backlogWarning, listen } from '../../app/process/listen.ts';
import { ownerOf } from '../../app/process/privileges.ts';
import { publish } from '../../app/process/unix-socket-file.ts';

let directory: string;
let path: string;
const open: Server[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'genkan-listen-'));
  path = join(directory, 'app.sock');
});
afterEach(() => {
  for (const server of open.splice(0)) server.close();
  rmSync(directory, { recursive: true, force: true });
});
const start = async (mode = '660', owner?: { uid: number; gid: number }) => {
  const server = createServer();
  open.push(server);
  return listen(server, { kind: 'unix', path }, { mode, owner });
};

describe('unix sockets', () => {
  test.each(['660', '600', '666'])('have the requested mode: %s', async (mode) => {
    await start(mode);
    expect((statSync(path).mode & 0o777).toString(8)).toBe(mode);
  });
  test('of a running process are not taken over, and continue', async () => {
    await start();
    await expect(start()).rejects.toThrow(`${path} is in use by another process`);
    expect(statSync(path).isSocket()).toBe(true);
  });
  test('left by a dead process are removed', async () => {
    const { execFileSync } = await import('node:child_process');
    const leave = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', leave], { stdio: 'ignore' })).toThrow();
    expect(statSync(path).isSocket()).toBe(true);
    await start();
  });
  test('are removed at the end, unless they belong to a successor', async () => {
    const remove = await start();
    expect(readdirSync(directory)).toEqual(['app.sock']);
    renameSync(path, `${path}.old`);
    const removeOther = await start();
    remove();
    expect(readdirSync(directory)).toEqual(['app.sock', 'app.sock.old']);
    removeOther();
    expect(readdirSync(directory)).toEqual(['app.sock.old']);
  });
  test.runIf(process.getuid?.() === 0)('have the requested owner', async () => {
    await start('660', ownerOf('1234:5678'));
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 5678 });
    expect(ownerOf('root')).toEqual({ user: 'root', uid: 0, gid: 0 });
    expect(() => ownerOf('nobody-of-this-name')).toThrow('there is no user nobody-of-this-name');
    expect(() => ownerOf('root:nobodies')).toThrow('there is no group nobodies');
  });
  test('with a path that is too long are refused before the kernel truncates it', async () => {
    path = join(directory, 'x'.repeat(90));
    await expect(start()).rejects.toThrow(/too long for a unix socket/);
  });
  test('get their mode and owner without following a link put in their place', async () => {
    const other = join(directory, 'other');
    writeFileSync(other, 'precious', { mode: 0o600 });
    const before = statSync(other);
    const owner = process.getuid?.() === 0 ? { uid: 1234, gid: 5678 } : undefined;
    await publish(path, { mode: '666', owner }, (temporary) => symlinkSync(other, temporary));
    expect(statSync(other)).toMatchObject({ mode: before.mode, uid: before.uid, gid: before.gid });
  });
  test('are bound under an unpredictable temporary name, which is removed', async () => {
    const names: string[] = [];
    const failing = publish(path, { mode: '660' }, (temporary) => {
      names.push(temporary);
      writeFileSync(temporary, '');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await publish(path, { mode: '660' }, (temporary) => {
      names.push(temporary);
      writeFileSync(temporary, '');
    });
    expect(readdirSync(directory)).toEqual(['app.sock']);
    for (const name of names) expect(name).not.toContain(String(process.pid));
    expect(new Set(names).size).toBe(2);
  });
  test('never replace another file', async () => {
    writeFileSync(path, 'precious');
    await expect(start()).rejects.toThrow(`${path} already exists and is not a socket`);
  });
});

test('a TCP port in use is an error', async () => {
  const first = createServer();
  open.push(first);
  await listen(first, { kind: 'tcp', port: 0 }, { host: '127.0.0.1', mode: '660' });
  const bound = first.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  await expect(listen(createServer(), { kind: 'tcp', host: '127.0.0.1', port }, { mode: '660' })).rejects.toThrow(
    'EADDRINUSE',
  );
});

test('by default, the accept queue has places for all connections that nginx lets a network open', () => {
  const { data: backlog } = listening.listen.safeParse(undefined);
  expect(backlog).toBeGreaterThanOrEqual(4 * 1000);
});

test('a backlog longer than the kernel allows gives a warning that names the sysctl', () => {
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  expect(backlogWarning(most)).toBeUndefined();
  expect(backlogWarning(most + 1)).toMatch(/net\.core\.somaxconn/);
});
