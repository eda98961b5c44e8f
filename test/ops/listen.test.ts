import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../app/ops/listen.ts';

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
const start = async (mode = '660') => {
  const server = createServer();
  open.push(server);
  await listen(server, { kind: 'unix', path }, undefined, mode);
  return server;
};

describe('unix sockets', () => {
  test.each(['660', '600', '666'])('have the mode that was asked for: %s', async (mode) => {
    await start(mode);
    expect((statSync(path).mode & 0o777).toString(8)).toBe(mode);
  });
  test('of a living process are refused and go on', async () => {
    await start();
    await expect(start()).rejects.toThrow(`${path} is in use by another process`);
    expect(statSync(path).isSocket()).toBe(true);
  });
  test('that a dead process left are removed', async () => {
    const { execFileSync } = await import('node:child_process');
    const leave = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', leave], { stdio: 'ignore' })).toThrow();
    expect(statSync(path).isSocket()).toBe(true);
    await start();
  });
  test('never take the place of another file', async () => {
    writeFileSync(path, 'precious');
    await expect(start()).rejects.toThrow(`${path} is there already and is not a socket`);
  });
});

test('a TCP port that is taken is an error', async () => {
  const first = createServer();
  open.push(first);
  await listen(first, { kind: 'tcp', port: 0 }, '127.0.0.1', '660');
  const bound = first.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  await expect(listen(createServer(), { kind: 'tcp', host: '127.0.0.1', port }, undefined, '660')).rejects.toThrow(
    'EADDRINUSE',
  );
});
