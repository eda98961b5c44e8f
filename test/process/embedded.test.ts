/** With the embedded store a killed server has its rooms when it starts again, with all that it acknowledged. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { plainHttp, webSocket } from '../../app/conform/transports.ts';
import { budgetsLifted } from '../setup/lifted-budgets.ts';
import { childrenOf, isAlive, type Program, type Stage, stage, until } from './program.ts';
import { follow, talk, upTo } from './talk.ts';

let here: Stage;
const peers: TestPeer[] = [];
beforeEach(() => {
  here = stage();
});
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.dispose();
  await here.clear();
});

const knownAs = <Peer extends TestPeer>(peer: Peer): Peer => {
  peers.push(peer);
  return peer;
};
const stateDir = () => here.path('state');
const start = async (address: string, ...more: string[]): Promise<Program> => {
  const program = here.start(['--http', address, '--store', 'embedded', '--state-dir', stateDir(), ...more]);
  await program.logged('listening');
  return program;
};
/** An address that is free, and the same for each start. */
const startFirst = async (...more: string[]): Promise<{ program: Program; address: string; base: string }> => {
  const program = await start('127.0.0.1:0', ...more);
  const { address = '' } = await program.logged('listening');
  return { program, address, base: `http://${address}` };
};
const kill = async (program: Program): Promise<void> => {
  const all = [program.pid, ...childrenOf(program.pid)];
  for (const pid of all) process.kill(pid, 'SIGKILL');
  await until(() => !all.some(isAlive));
};

for (const { name, peer: make, tags } of [
  { ...webSocket, tags: [] },
  { ...plainHttp, tags: ['slow'] },
])
  test(`by ${name}: after kill -9 of everything, peers resume in the same room`, { tags }, async () => {
    const { program, address, base } = await startFirst();
    const [host, guest, banned] = [knownAs(make(base, 'r')), knownAs(make(base, 'r')), knownAs(make(base, 'r'))];
    await host.join();
    await guest.join();
    await banned.join();
    await host.send({ type: 'kick', peer: banned.id, ban: true });
    await host.send({ type: 'passcode', passcode: 'secret' });
    await host.send({ type: 'lock', access: 'locked' });
    await host.send({ type: 'chat', text: 'before' });
    await guest.inbox.take('chat');
    await guest.cut();
    await host.send({ type: 'chat', text: 'missed' });
    await expect.poll(() => host.inbox.of('ack').at(-1)?.n).toBe(5);
    const ids = [host.id, guest.id];
    await host.cut();
    await kill(program);
    await start(address);

    expect(await guest.resume()).toMatchObject({
      recovered: true,
      self: { id: ids[1], role: 'guest' },
      room: { access: 'locked', passcode: true },
    });
    expect(await guest.inbox.take('chat')).toMatchObject({ text: 'missed' });
    expect(await host.resume()).toMatchObject({ recovered: true, self: { id: ids[0], role: 'host' } });
    await guest.send({ type: 'chat', text: 'after' });
    expect(await host.inbox.take('chat')).toMatchObject({ text: 'after' });
    const newcomer = knownAs(make(base, 'r'));
    await expect(newcomer.join({ passcode: 'secret' })).rejects.toThrow('room-locked');
    await host.send({ type: 'lock', access: 'open' });
    await expect.poll(() => host.inbox.of('ack').at(-1)?.n).toBe(6);
    expect((await knownAs(make(base, 'r')).join({ passcode: 'secret' })).chat?.map(({ text }) => text)).toEqual([
      'before',
      'missed',
      'after',
    ]);
  });

test('killed again and again while peers talk, nothing acknowledged is lost, doubled or reordered', async () => {
  const { program, base } = await startFirst('--master', ...budgetsLifted);
  const [speaker, listener] = [knownAs(new WebSocketPeer(base, 'r')), knownAs(new WebSocketPeer(base, 'r'))];
  await speaker.join();
  await listener.join();
  const count = 1500;
  const received = follow(listener, `${count}`);
  const spoken = talk(speaker, count, { pause: 1 });
  for (let nth = 2; nth <= 4; nth += 1) {
    await speaker.inbox.take('ack');
    const [worker = 0] = childrenOf(program.pid);
    process.kill(worker, 'SIGKILL');
    await program.logged('listening', nth);
    // A peer of this test does not notice when its connection ends while it resumes.
    await expect.poll(() => Math.min(...[speaker, listener].map((peer) => peer.inbox.of('joined').length))).toBe(nth);
  }
  await spoken;
  expect(await received).toEqual(upTo(count));
});

describe('a reload', () => {
  test('keeps rooms and sessions, whichever worker has the directory', async () => {
    const { program, base } = await startFirst('--master', ...budgetsLifted);
    const [first, second] = [knownAs(new WebSocketPeer(base, 'r')), knownAs(new WebSocketPeer(base, 'r'))];
    await first.join();
    await second.join();
    const received = follow(second, '600');
    const spoken = talk(first, 600, { pause: 2 });
    for (const nth of [1, 2]) {
      program.child.kill('SIGHUP');
      await program.logged('reloaded', nth);
    }
    await spoken;
    expect(await received).toEqual(upTo(600));
  });
});

test('a stopped server has the rooms at its next start, and the same session key', async () => {
  const { program, address, base } = await startFirst();
  const key = readFileSync(`${stateDir()}/session-key`, 'utf8');
  const peer = knownAs(new WebSocketPeer(base, 'r'));
  await peer.join();
  program.child.kill('SIGTERM');
  expect(await program.exited).toBe(0);
  await start(address);
  expect(await peer.resume()).toMatchObject({ recovered: true, self: { id: peer.id } });
  expect(readFileSync(`${stateDir()}/session-key`, 'utf8')).toBe(key);
  const modes = ['', 'session-key', 'worker-1', 'worker-1/journal.1'].map(
    (name) => statSync(`${stateDir()}/${name}`).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o600, 0o700, 0o600]);
});

test('a directory in use, or with another format, is refused with its name', async () => {
  await startFirst();
  const args = ['--http', '127.0.0.1:0', '--store', 'embedded', '--state-dir'];
  const second = here.start([...args, stateDir()]);
  expect(await second.exited).toBe(1);
  expect(second.stderr()).toBe(`genkan: ${stateDir()}/worker-1 is used by another process\n`);
  const other = here.path('other');
  mkdirSync(`${other}/worker-1`, { recursive: true });
  writeFileSync(`${other}/worker-1/journal.1`, 'genkan journal 9\n');
  const third = here.start([...args, other]);
  expect(await third.exited).toBe(1);
  expect(third.stderr()).toContain(
    `${other}/worker-1/journal.1 has format 9; this version of Genkan reads only format 1`,
  );
  rmSync(`${other}/worker-1`, { recursive: true });
  expect(readdirSync(other)).toContain('session-key');
});
