/** Everything that is written or opened, while the disk is full or read-only, or permission or descriptors are missing. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Output } from '../../app/logging/output.ts';
import { connectionsWithin } from '../../app/process/listeners.ts';
import { watchTouched } from '../../app/process/watch-files.ts';
import { childrenOf, genkan, isAlive, type Program, type Stage, stage, until } from './program.ts';

let here: Stage;
const undo: (() => unknown)[] = [];
beforeEach(() => {
  here = stage();
});
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
  await here.clear();
});

const isRoot = process.getuid?.() === 0;
/** A file system of this size in a directory of the stage. */
const disk = (name: string, size: string): string => {
  const directory = here.path(name);
  mkdirSync(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', directory]);
  undo.push(() => execFileSync('umount', ['-l', directory]));
  return directory;
};
const fill = (directory: string): void => {
  try {
    writeFileSync(`${directory}/filling`, Buffer.alloc(1_000_000));
  } catch {}
};

/** Status of /healthz over a unix socket; undefined if it does not respond. */
const health = (socketPath: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    get({ socketPath, path: '/healthz', headers: { host: 'localhost' } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on('error', () => resolve(undefined));
  });

const complaints = (program: Program): string[] => program.stderr().match(/^genkan: log: .*$/gm) ?? [];

/** Starts one process, or a supervisor and a worker, and waits until it is ready. */
const start = async (kind: 'one process' | 'a supervisor', words: string[], command?: string[]) => {
  const [app, pidfile] = [here.path('app.sock'), here.path('pid')];
  const master = kind === 'a supervisor' ? ['--master', 'true'] : [];
  const own = words.includes('--pidfile') ? [] : ['--pidfile', pidfile];
  const program = here.start(
    ['--http-socket', app, '--drain-timeout', '1', ...own, ...master, ...words],
    command ? { command } : {},
  );
  await until(() => existsSync(own.at(-1) ?? words[words.indexOf('--pidfile') + 1] ?? ''));
  return { program, app, pidfile };
};

describe('a log line that cannot be written', () => {
  test('is lost without an error, and counted once lines can be written again', () => {
    const [link, real] = [here.path('log'), here.path('real')];
    symlinkSync('/dev/full', link);
    const lost: number[] = [];
    const output = new Output(link, (count) => lost.push(count));
    for (let nth = 0; nth < 3; nth += 1) output.write('never\n');
    rmSync(link);
    symlinkSync(real, link);
    output.reopen();
    output.write('at last\n');
    output.write('and on\n');
    expect(lost).toEqual([3]);
    expect(readFileSync(real, 'utf8')).toBe('at last\nand on\n');
  });

  test('goes to the old file while the new one cannot be opened, and each line retries', () => {
    const [file, moved] = [here.path('log'), here.path('log.1')];
    const output = new Output(file, () => {});
    output.write('first\n');
    renameSync(file, moved);
    mkdirSync(file);
    output.reopen();
    output.write('second\n');
    rmSync(file, { recursive: true });
    output.write('third\n');
    expect([readFileSync(moved, 'utf8'), readFileSync(file, 'utf8')]).toEqual(['first\nsecond\n', 'third\n']);
  });

  test.runIf(isRoot)('completely does not corrupt the next line', () => {
    const file = `${disk('disk', '4k')}/log`;
    const lost: number[] = [];
    const output = new Output(file, (count) => lost.push(count));
    for (const letter of 'abc') output.write(`${letter.repeat(1500)}\n`);
    truncateSync(file, 3010);
    output.write('whole\n');
    expect(lost).toEqual([1]);
    expect(readFileSync(file, 'utf8').split('\n').slice(2)).toEqual(['cccccccc', 'whole', '']);
  });
});

for (const { kind, tags } of [
  { kind: 'one process', tags: ['slow'] },
  { kind: 'a supervisor', tags: [] },
] as const)
  describe(kind, { tags: [...tags] }, () => {
    test('continues with a full disk for its log, survives SIGHUP, and stops cleanly', async () => {
      const { program, app, pidfile } = await start(kind, ['--logto', '/dev/full']);
      expect(await health(app)).toBe(200);
      const [worker] = childrenOf(program.pid);
      program.child.kill('SIGHUP');
      if (worker) await until(() => !isAlive(worker));
      expect(await health(app)).toBe(200);
      program.child.kill('SIGINT');
      expect(await program.exited).toBe(0);
      expect(existsSync(pidfile)).toBe(false);
      // Each process logs it once: the supervisor, its worker and the successor.
      expect(complaints(program)).toHaveLength(kind === 'one process' ? 1 : 3);
      expect(complaints(program)[0]).toMatch(/ENOSPC.*lines are lost/);
      expect(program.stderr()).not.toMatch(/ at /);
    });
  });

describe('a server', () => {
  test.each(['stdout', 'stderr'] as const)('continues when %s is full', async (stream) => {
    const shell = ['sh', '-c', `exec "$@" ${stream === 'stdout' ? '>' : '2>'}/dev/full`, '-', process.execPath];
    const cli = new URL('../../dist/cli.js', import.meta.url).pathname;
    const logs = stream === 'stderr' ? ['--logto', '/dev/full'] : [];
    const { program, app, pidfile } = await start('one process', ['--http', '127.0.0.1:0', ...logs], [...shell, cli]);
    expect(await health(app)).toBe(200);
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(existsSync(pidfile)).toBe(false);
  });

  test.runIf(isRoot)('stops cleanly when its directory has become read-only', async () => {
    const run = disk('run', '1m');
    const words = ['--pidfile', `${run}/pid`, '--control-socket', `${run}/control`, '--stats', `${run}/stats`];
    const { program, app } = await start('a supervisor', [...words, '--touch-reload', `${run}/touch`]);
    execFileSync('mount', ['-o', 'remount,ro', run]);
    expect(await health(app)).toBe(200);
    program.child.kill('SIGHUP');
    await program.logged('reloaded');
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(program.lines.map(({ msg }) => msg)).toContain('cleanup on exit failed');
    expect(existsSync(app)).toBe(false);
  });

  test.runIf(isRoot)('keeps its log file if it can neither reopen nor create it', async () => {
    const directory = here.path('logs');
    mkdirSync(directory);
    chmodSync(here.directory, 0o777);
    chownSync(directory, 12345, 12345);
    const [log, moved, touch] = [`${directory}/log`, `${directory}/log.1`, here.path('touch')];
    writeFileSync(log, '');
    chownSync(log, 12345, 12345);
    const user = ['--uid', '12345', '--gid', '12345'];
    const { program, app, pidfile } = await start('a supervisor', [
      '--logto',
      log,
      '--touch-logreopen',
      touch,
      ...user,
    ]);
    chownSync(directory, 0, 0);
    renameSync(log, moved);
    writeFileSync(touch, '');
    await until(() => {
      void health(app);
      return complaints(program).length >= 2;
    });
    expect(complaints(program)[0]).toMatch(/EACCES.*still writing to the old file/);
    program.child.kill('SIGHUP');
    await until(() => readFileSync(moved, 'utf8').includes('"msg":"reloaded"'));
    expect(await health(app)).toBe(200);
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(readFileSync(moved, 'utf8')).toContain('draining');
    expect(existsSync(pidfile)).toBe(false);
  });
});

describe('starting', () => {
  const fails = (words: string[], reason: RegExp) => {
    const app = here.path('app.sock');
    const { status, stderr } = genkan('--http-socket', app, ...words);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(reason) });
    expect(existsSync(app)).toBe(false);
  };

  test.runIf(isRoot)('on a full or read-only disk fails, names the path, and leaves nothing', () => {
    const run = disk('run', '8k');
    fill(run);
    fails(['--pidfile', `${run}/pid`], /ENOSPC/);
    expect(readdirSync(run)).toEqual(['filling']);
    execFileSync('mount', ['-o', 'remount,ro', run]);
    for (const setting of ['pidfile', 'logto', 'control-socket'])
      fails([`--${setting}`, `${run}/file`], /EROFS.*run\/file/);
  });

  test.runIf(isRoot)('with a log file that the workers’ user may not write fails', () => {
    chmodSync(here.directory, 0o777);
    fails(['--master', 'true', '--uid', '12345', '--gid', '12345', '--logto', here.path('log')], /EACCES.*log/);
  });
});

test('touched files that cannot be read are treated as unchanged', async () => {
  const loop = here.path('loop');
  writeFileSync(loop, '');
  const touched: string[] = [];
  const stop = watchTouched([loop], 5)((file) => touched.push(file));
  undo.push(stop);
  // Too many levels of links (ELOOP) stands for every error but absence.
  rmSync(loop);
  symlinkSync(loop, loop);
  await new Promise((resolve) => setTimeout(resolve, 30));
  rmSync(loop);
  writeFileSync(loop, 'new');
  await until(() => touched.length > 0);
  expect(touched).toEqual([loop]);
});

describe('file descriptors', () => {
  const limits = (most: number | string) =>
    `Max processes  1  1 processes\nMax open files            ${most}   4096 files\n`;
  test.each([
    [65_535, 1024, 896],
    [500, 1024, 500],
    [65_535, 1_048_576, 65_535],
    [65_535, 40, 8],
    [65_535, 10, 1],
    [65_535, 'unlimited', 65_535],
  ])('for %i connections within a limit of %s: %i', (max, most, expected) =>
    expect(connectionsWithin(max, limits(most))).toBe(expected),
  );
  test('without /proc: the number of the setting', () => expect(connectionsWithin(7, '')).toBe(7));

  test.skipIf(!existsSync('/usr/bin/prlimit'))(
    'that are exhausted end neither worker nor supervisor',
    { tags: ['slow'] },
    async () => {
      const [touch, control] = [here.path('touch'), here.path('control')];
      const words = ['--touch-logreopen', touch, '--logto', here.path('log'), '--control-socket', control];
      const { program, app, pidfile } = await start('a supervisor', ['--stats', here.path('stats'), ...words]);
      const [worker = 0] = childrenOf(program.pid);
      const limit = (descriptors: number) => {
        for (const pid of [worker, program.pid])
          execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${descriptors}:4096`]);
      };
      limit(10);
      writeFileSync(touch, '');
      // Both have tried to reopen their log.
      await until(() => complaints(program).length === 2);
      const sockets = Array.from({ length: 20 }, (): Socket => connect(app).on('error', () => {}));
      undo.push(() => sockets.map((socket) => socket.destroy()));
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
      program.child.kill('SIGHUP');
      const log = () => readFileSync(here.path('log'), 'utf8');
      await until(() => log().includes('reload failed; current workers keep running'));
      // At least two heartbeats that could not read the memory usage.
      const seen = log().length;
      await new Promise((resolve) => setTimeout(resolve, 2100));
      expect(isAlive(worker)).toBe(true);
      limit(1000);
      expect(await health(app)).toBe(200);
      program.child.kill('SIGHUP');
      await until(() => log().slice(seen).includes('"msg":"reloaded"'));
      program.child.kill('SIGINT');
      expect(await program.exited).toBe(0);
      expect(existsSync(pidfile)).toBe(false);
    },
  );
});
