/** The profile scale: three apps, one store; rooms spread over them, and the death of one loses nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { converse } from './roaming.ts';
import { type Scaled, served, startScaled } from './scaled.ts';

const rooms = Array.from({ length: 30 }, (_, index) => `r${index}`);

describe.skipIf(without('docker'))('docker compose --profile scale, three apps', { tags: ['slow'] }, () => {
  let stack: Scaled;
  beforeAll(async () => {
    stack = await startScaled(3);
  });
  afterAll(() => stack?.down());

  test('nginx spreads the rooms over all apps, each room to one', async () => {
    const apps = (await stack.replicas()).map(({ address }) => address);
    expect(new Set(apps).size).toBe(3);
    const once = await served(stack, rooms, 'once');
    expect([...new Set(once.values())].sort()).toEqual(apps.sort());
    expect(await served(stack, rooms, 'again')).toEqual(once);
  });

  test('peers of one room on different apps reach each other, over any transport', async () => {
    const bases = (await stack.replicas()).map(({ address }) => `http://${address}:9090`);
    const [first = '', second = '', third = ''] = bases;
    const peers = [new WebSocketPeer(first, 'apart'), new HttpPeer(second, 'apart'), new WebSocketPeer(third, 'apart')];
    for (const peer of [...peers, new WebSocketPeer(stack.url, 'apart')]) await peer.join();
    for (const [at, peer] of peers.entries()) {
      await peer.send({ type: 'chat', text: `from ${at}` });
      for (const other of peers)
        if (other !== peer) expect(await other.inbox.take('chat')).toMatchObject({ text: `from ${at}` });
    }
    for (const peer of peers) peer.dispose();
  });

  test('one app is killed: its peers continue on another, and no acknowledged message is lost', async () => {
    const talks = await Promise.all(rooms.slice(0, 9).map((room) => converse(stack.url, room)));
    const [victim] = await stack.replicas();
    await stack.docker('kill', victim?.container ?? '');
    await expect
      .poll(() => talks.flatMap(({ speaker }) => speaker.recovered).length, { timeout: 40_000 })
      .toBeGreaterThan(0);
    // They still have messages to send: fewer than ten would prove little.
    await expect
      .poll(() => Math.min(...talks.map(({ settled }) => settled())), { timeout: 40_000 })
      .toBeGreaterThan(10);
    for (const talk of talks) expect((await talk.end()).sent).toBeGreaterThan(10);
    // It restarts, and the others are not affected.
    const before = await stack.replicas();
    expect(before).toHaveLength(2);
    await stack.compose('up', '-d', '--no-recreate', '--no-deps', '--wait', 'app');
    const after = (await stack.replicas()).map(({ container }) => container);
    expect(after).toHaveLength(3);
    expect(after).toEqual(expect.arrayContaining(before.map(({ container }) => container)));
  });

  test('the store limits its user to its own keys, and does not show its password', async () => {
    const cli = (...words: string[]) => stack.compose('exec', '-T', 'valkey', 'valkey-cli', ...words);
    expect(await cli('ping')).toContain('PONG');
    expect(await cli('keys', '*')).toContain('NOPERM');
    expect(await cli('--user', 'genkan', '--pass', 'of-the-test', '--no-auth-warning', 'keys', '*')).toContain(
      'NOPERM',
    );
    expect(await stack.compose('exec', '-T', 'valkey', 'cat', '/proc/1/cmdline')).not.toContain('of-the-test');
  });
});
