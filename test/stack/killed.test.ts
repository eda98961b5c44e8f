/** A worker is killed in the middle of a call, as users of real browsers see it: video continues. */
import { join as joinPath } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Nginx, startNginx } from '../nginx/nginx.ts';
import { childrenOf, type Program, type Stage, stage } from '../process/program.ts';
import { without } from '../setup/without.ts';
import { join, launch, open, type Person, picture, say, untilSeen } from './browser.ts';

const publicDir = joinPath(import.meta.dirname, '../../dist/public');

describe.skipIf(without('chromium', 'nginx'))('a call whose worker is killed', () => {
  let browser: Browser;
  let here: Stage;
  let program: Program;
  let nginx: Nginx;
  beforeAll(async () => {
    here = stage();
    const address = here.path('app.sock');
    program = here.start(['--master', '--socket', address]);
    await program.logged('listening');
    [browser, nginx] = await Promise.all([launch(), startNginx({ app: { kind: 'uwsgi', address }, publicDir })]);
  });
  afterAll(async () => {
    await browser?.close();
    await nginx?.stop();
    await here?.clear();
  });
  const enter = async (name: string): Promise<Person> => {
    const person = await open(browser, `${nginx.url}/rooms/killed-${process.pid}`);
    await join(person, name);
    return person;
  };
  /** Records from now on the frames of the remote and the own video, and the longest time between two of them. */
  const watch = ({ page }: Person) =>
    page.evaluate(() => {
      const watched = ['[data-peer] video', '[data-self] video'].map((which) => {
        const video = document.querySelector<HTMLVideoElement>(which);
        const seen = { frames: 0, gap: 0, last: performance.now() };
        const frame = (): void => {
          seen.frames += 1;
          seen.gap = Math.max(seen.gap, performance.now() - seen.last);
          seen.last = performance.now();
          video?.requestVideoFrameCallback(frame);
        };
        video?.requestVideoFrameCallback(frame);
        return seen;
      });
      Object.assign(window, { watched });
    });
  type Seen = { frames: number; gap: number; last: number };
  const seen = ({ page }: Person) =>
    page.evaluate(() => {
      const { watched, testConnections } = window as unknown as {
        watched: Seen[];
        testConnections: RTCPeerConnection[];
      };
      const gaps = watched.map(({ gap, last }) => Math.max(gap, performance.now() - last));
      const tiles = document.querySelectorAll('[data-peer]').length;
      const open = testConnections.filter(({ signalingState }) => signalingState !== 'closed').length;
      return { frames: watched[0]?.frames ?? 0, gaps, made: testConnections.length, open, tiles };
    });

  test('continues without a gap, nobody is listed twice, and chat works again', {
    tags: ['slow'],
    timeout: 120_000,
  }, async () => {
    const people = [await enter('Aiko'), await enter('Ben')] as const;
    const [aiko, ben] = people;
    await Promise.all(people.map((person) => untilSeen(person, 1)));
    await Promise.all(people.map(watch));
    await aiko.page.waitForTimeout(3000);
    const before = await Promise.all(people.map(seen));

    process.kill(childrenOf(program.pid)[0] ?? 0, 'SIGKILL');
    await program.logged('respawning worker');
    await program.logged('listening', 2);
    await say(aiko, 'Are you still there?');
    await ben.page.getByText('Are you still there?').first().waitFor({ timeout: 30_000 });
    await say(ben, 'I never was away.');
    await aiko.page.getByText('I never was away.').first().waitFor({ timeout: 30_000 });
    // Long enough to notice a connection that only one side keeps.
    await aiko.page.waitForTimeout(15_000);
    await picture(aiko, 'worker-killed');

    for (const [nth, after] of (await Promise.all(people.map(seen))).entries()) {
      expect([after.open, after.tiles, after.made]).toEqual([1, 1, before[nth]?.made]);
      expect(after.frames).toBeGreaterThan((before[nth]?.frames ?? 0) + 30);
      // On an overloaded machine the own video, which uses no network, is delayed as well.
      const [gap = Number.POSITIVE_INFINITY, own = 0] = after.gaps;
      expect(gap).toBeLessThan(Math.max(1000, 2 * own));
    }
    await Promise.all(people.map((person) => untilSeen(person, 1)));
  });
});
