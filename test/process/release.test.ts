/** A reload with new code: the link `current` points to another release. A broken release leaves the old one running. */
import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { listenOptions } from '../../app/process/listen.ts';
import { bindSocket } from '../../app/process/supervisor/bind-socket.ts';
import { Supervisor } from '../../app/process/supervisor/supervisor.ts';
import { cli, type Stage, stage } from './program.ts';

const root = join(import.meta.dirname, '../..');
let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

/** Adds a release, like deploy/install.sh; `spoil` changes one of its files. */
const release = (name: string, file: string, spoil: (text: string) => string): void => {
  const directory = here.path(name);
  mkdirSync(directory);
  cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true });
  for (const part of ['package.json', 'node_modules']) symlinkSync(join(root, part), join(directory, part));
  const path = join(directory, 'dist', file);
  writeFileSync(path, spoil(readFileSync(path, 'utf8')));
};
const lead = (name: string): void => {
  symlinkSync(name, here.path('next'));
  renameSync(here.path('next'), here.path('current'));
};
const marked = (name: string) => (text: string) => `console.log('{"msg":"code of ${name}"}');\n${text}`;

describe('a reload after the link current was changed to another release', () => {
  const start = async () => {
    release('a', 'worker-main.cjs', marked('a'));
    lead('a');
    const command = [process.execPath, here.path('current/dist/cli.js')];
    const program = here.start(['--master', '--http', '127.0.0.1:0'], { command });
    const { address } = await program.logged('listening');
    await program.logged('code of a');
    const peers = [new WebSocketPeer(`http://${address}`, 'r'), new WebSocketPeer(`http://${address}`, 'r')] as const;
    for (const peer of peers) await peer.join();
    return { program, peers };
  };

  test('runs the new code, and sessions continue', async () => {
    const { program, peers } = await start();
    release('b', 'worker-main.cjs', marked('b'));
    lead('b');
    program.child.kill('SIGHUP');
    await program.logged('reloaded');
    expect(program.lines.filter(({ msg }) => msg.startsWith('code of')).at(-1)).toEqual({ msg: 'code of b' });
    for (const peer of peers) {
      expect(await peer.closing()).toMatchObject({ code: 4000 });
      expect(await peer.resume()).toMatchObject({ recovered: true });
    }
    await peers[0].send({ type: 'chat', text: 'still here' });
    expect(await peers[1].inbox.take('chat')).toMatchObject({ text: 'still here' });
    for (const peer of peers) peer.dispose();
  });

  for (const [what, file, spoil, tags] of [
    ['throws at once', 'cli.js', () => "throw new Error('a broken release');", []],
    ['is no program', 'cli.js', () => 'this is not JavaScript', ['slow']],
    ['lacks a file', 'serve.cjs', (text: string) => `require('./nothing.cjs');\n${text}`, ['slow']],
  ] satisfies [string, string, (text: string) => string, string[]][])
    test(`to one that ${what} keeps the old one running, unnoticed by peers`, { tags }, async () => {
      const { program, peers } = await start();
      release('b', file, spoil);
      lead('b');
      program.child.kill('SIGHUP');
      expect((await program.logged('reload failed; current workers keep running')).reason).toMatch(
        /it ended with code 1/,
      );
      await peers[0].send({ type: 'chat', text: 'still here' });
      expect(await peers[1].inbox.take('chat')).toMatchObject({ text: 'still here' });
      for (const peer of peers) {
        expect([peer.closed, peer.inbox.of('bye')]).toEqual([undefined, []]);
        peer.dispose();
      }
      // The next valid one is used.
      release('c', 'worker-main.cjs', marked('c'));
      lead('c');
      program.child.kill('SIGHUP');
      await program.logged('code of c');
      await program.logged('reloaded');
    });

  test('to one that never becomes ready is given up after a while', { tags: ['slow'] }, async () => {
    const loaded = load(['--http', '127.0.0.1:0'], {});
    if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
    const { settings } = loaded;
    const held = await bindSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 }, listenOptions(settings));
    const command = { module: cli, words: ['worker'], cwd: here.directory };
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const plan = { settings, places: [[{ setting: 'http' as const, address: held.address, held }]] };
    const supervisor = new Supervisor(plan, { command, environment: process.env, log, pace: { start: 10_000 } });
    await supervisor.start();
    const old = supervisor.workers[0]?.process;
    const peer = new WebSocketPeer(`http://${old?.listens[0]?.address}`, 'r');
    await peer.join();
    command.module = here.path('hangs.js');
    writeFileSync(command.module, 'setInterval(() => {}, 1000);');
    await expect(supervisor.roll(plan)).rejects.toThrow('worker 1: it ended with SIGKILL');
    expect(supervisor.workers[0]?.process).toBe(old);
    await peer.send({ type: 'chat', text: 'still here' });
    expect((await peer.inbox.take('ack')).n).toBe(1);
    expect([peer.closed, peer.inbox.of('bye')]).toEqual([undefined, []]);
    peer.dispose();
    await supervisor.stop(0);
    held.close();
  });
});
