/** Reloads in the middle of a call between browsers: media continues without interruption, and chat arrives. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stage, stage } from '../process/program.ts';
import { without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { framesDecoded, join, launch, open, type Person, say, untilSeen } from './browser.ts';

const stores = [
  { store: 'memory', tags: [] },
  { store: 'valkey', tags: ['slow'] },
] as const;

for (const {
  store,
  tags: [...tags],
} of stores)
  describe.skipIf(without('chromium', 'redis-server'))(
    `a call continues over reloads, rooms in ${store}`,
    { tags },
    () => {
      let browser: Browser;
      let here: Stage;
      let server: Server | undefined;
      beforeAll(async () => {
        browser = await launch();
        here = stage();
        if (store === 'valkey') server = await startServer();
      });
      afterAll(async () => {
        await browser?.close();
        await here?.clear();
        await server?.stop();
      });

      /** Samples every quarter of a second how many frames a page has decoded; → the longest time without a new one, in ms. */
      const watch = ({ page }: Person) => {
        let [going, longest] = [true, 0];
        const watched = (async () => {
          let [last, since] = [await framesDecoded(page), performance.now()];
          while (going) {
            await sleep(250);
            const now = await framesDecoded(page);
            longest = Math.max(longest, performance.now() - since);
            if (now > last) since = performance.now();
            last = now;
          }
        })();
        return async () => {
          going = false;
          await watched;
          return longest;
        };
      };

      test('decoded frames keep increasing, and no peer looks away', { timeout: 120_000 }, async () => {
        const kept = server ? ['--store', server.url] : [];
        const program = here.start(['--master', '--http', '127.0.0.1:0', '--drain-timeout', '5', ...kept]);
        const { address } = await program.logged('listening');
        const people: Person[] = [];
        for (const name of ['Aiko', 'Ben']) {
          const person = await open(browser, `http://${address}/rooms/reloaded`);
          await join(person, name);
          people.push(person);
        }
        const [aiko, ben] = people as [Person, Person];
        await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);
        const before = await Promise.all(people.map(({ page }) => framesDecoded(page)));
        const watches = people.map(watch);
        for (let nth = 1; nth <= 2; nth += 1) {
          program.child.kill('SIGHUP');
          await program.logged('reloaded', nth);
          await say(aiko, `after ${nth}`);
          await ben.page.getByText(`after ${nth}`).first().waitFor({ state: 'attached' });
        }
        for (const longest of await Promise.all(watches.map((end) => end()))) expect(longest).toBeLessThan(3000);
        const after = await Promise.all(people.map(({ page }) => framesDecoded(page)));
        for (const [at, frames] of after.entries()) expect(frames).toBeGreaterThan((before[at] ?? 0) + 10);
        for (const { page } of people) expect(await page.locator('[data-peer]').count()).toBe(1);
        expect(program.lines.filter(({ msg }) => msg === 'reloaded')).toHaveLength(2);
        await Promise.all(people.map(({ context }) => context.close()));
      });
    },
  );
