/** The main scenario: people in one room see each other, chat, and leave. Run against any server of the page. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { join, launch, open, type Person, picture, say, untilSeen } from './browser.ts';

/**
 * @param site the base URL
 * @param launchBrowser Chromium by default
 */
export const describeCall = (
  name: string,
  site: () => string,
  launchBrowser: () => Promise<Browser> = launch,
): void => {
  describe.skipIf(without('chromium'))(`a call, ${name}`, () => {
    let browser: Browser;
    const people: Person[] = [];
    beforeAll(async () => {
      browser = await launchBrowser();
    });
    afterAll(() => browser?.close());
    const enter = async (room: string, own: string, viewport?: { width: number; height: number }) => {
      const person = await open(browser, `${site()}/rooms/${room}`, viewport);
      people.push(person);
      await join(person, own);
      return person;
    };

    test('two peers see each other move, chat, and one sees the other leave', async () => {
      const room = `call-${process.pid}`;
      const aiko = await enter(room, 'Aiko');
      const ben = await enter(room, 'Ben', { width: 360, height: 740 });
      await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);

      await say(aiko, 'こんにちは <b>Ben</b>');
      await ben.page.getByRole('button', { name: /1 new message/ }).waitFor();
      await say(ben, 'Hello Aiko');
      await ben.page.getByText('こんにちは <b>Ben</b>').first().waitFor();
      await aiko.page.getByText('Hello Aiko').first().waitFor();
      await picture(aiko, `${name.replaceAll(/\W+/g, '-')}-desktop`);
      await picture(ben, `${name.replaceAll(/\W+/g, '-')}-phone`);

      await ben.page.keyboard.press('Escape');
      await ben.page.getByRole('button', { name: 'Leave' }).click();
      await ben.page.getByRole('button', { name: 'Join again' }).waitFor();
      await aiko.page.locator('[data-peer]').waitFor({ state: 'detached' });
      expect([...aiko.complaints, ...ben.complaints]).toEqual([]);
      await Promise.all([aiko.context.close(), ben.context.close()]);
    });

    test('a third peer joins and sees both, a reloaded page gets its seat back, a closed tab has left', {
      tags: ['slow'],
    }, async () => {
      const room = `three-${process.pid}`;
      const [a, b, c] = [await enter(room, 'A'), await enter(room, 'B'), await enter(room, 'C')];
      await Promise.all([untilSeen(a, 2), untilSeen(b, 2), untilSeen(c, 2)]);
      await b.page.reload();
      // Directly back into the call, in the same seat.
      await b.page.getByRole('list', { name: 'People in the call' }).waitFor();
      await Promise.all([untilSeen(a, 2), untilSeen(b, 2), untilSeen(c, 2)]);
      // A page closed like this still has to send its leave, for which Firefox takes a moment.
      await Promise.all([c.page.waitForEvent('close'), c.page.close({ runBeforeUnload: true })]);
      await c.context.close();
      await expect.poll(() => a.page.locator('[data-peer]').count(), { timeout: 10_000 }).toBe(1);
      await untilSeen(a, 1);
      expect([...a.complaints, ...b.complaints]).toEqual([]);
      await Promise.all([a.context.close(), b.context.close()]);
    });
  });
};
