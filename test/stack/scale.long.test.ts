/**
 * The profile scale while it changes: apps added and removed, a store that restarts, apps replaced one by one; nothing acknowledged is
 * lost.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptsOf } from '../deploy/guide.ts';
import { without } from '../setup/without.ts';
import { converse } from './roaming.ts';
import { type Scaled, served, startScaled } from './scaled.ts';

const rooms = Array.from({ length: 40 }, (_, index) => `r${index}`);

describe.skipIf(without('docker'))('docker compose --profile scale', { timeout: 240_000 }, () => {
  let stack: Scaled;
  beforeAll(async () => {
    stack = await startScaled(3);
  });
  afterAll(() => stack?.down());

  /** Sends in six rooms meanwhile. */
  const meanwhile = async (act: () => Promise<unknown>) => {
    const talks = await Promise.all(rooms.slice(0, 6).map((room) => converse(stack.url, room)));
    await act();
    const sent = await Promise.all(talks.map((talk) => talk.end()));
    for (const { sent: count } of sent) expect(count).toBeGreaterThan(2);
    return talks.flatMap(({ speaker, listener }) => [speaker, listener]);
  };
  const up = (...words: string[]) => stack.compose('up', '-d', '--no-deps', '--no-recreate', '--wait', ...words, 'app');
  const containers = async () => (await stack.replicas()).map(({ container }) => container);
  const nginxId = () => stack.compose('ps', '-q', 'nginx');

  test.each([2, 4])('to %i apps: nginx follows without a restart, and the others keep running', async (count) => {
    const [before, nginx] = [await containers(), await nginxId()];
    await meanwhile(() => up('--scale', `app=${count}`));
    const after = await containers();
    expect(after).toHaveLength(count);
    expect(after.filter((container) => before.includes(container))).toHaveLength(Math.min(count, before.length));
    expect(await nginxId()).toBe(nginx);
    const apps = (await stack.replicas()).map(({ address }) => address).sort();
    const spread = async () => [...new Set((await served(stack, rooms, `of-${count}-${Date.now()}`)).values())].sort();
    await expect.poll(spread, { timeout: 20_000, interval: 1000 }).toEqual(apps);
  });

  test.each(['restart', 'kill'])('the store: %s', async (how) => {
    const peers = await meanwhile(async () => {
      if (how === 'restart') await stack.compose('restart', 'valkey');
      else {
        await stack.compose('kill', 'valkey');
        await stack.compose('up', '-d', '--no-deps', '--no-recreate', '--wait', 'valkey');
      }
      for (const { container } of await stack.replicas()) await stack.docker('exec', container, 'true');
      // Long enough for every app to reconnect.
      await new Promise((resolve) => setTimeout(resolve, 5000));
    });
    // No connection was cut for it.
    expect(peers.flatMap(({ codes }) => codes)).toEqual([]);
  });

  test('apps are replaced one by one, by the commands of the guide', async () => {
    const before = await containers();
    const [script = ''] = scriptsOf('scale-roll');
    const peers = await meanwhile(() => stack.sh(script));
    const after = await containers();
    expect(after).toHaveLength(3);
    expect(after.filter((container) => before.includes(container))).toEqual([]);
    // Every peer was asked to reconnect.
    expect(new Set(peers.flatMap(({ codes }) => codes))).toEqual(new Set([4000]));
  });
});
