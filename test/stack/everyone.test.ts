/** That everyone can use the page: axe on every view, targets, reflow, zoom, keyboard, motion, colours, languages. */
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { launch, picture } from './browser.ts';
import { tour } from './tour.ts';

describe.skipIf(without('chromium'))('for everyone', () => {
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(), startSite([])]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const phone = { width: 360, height: 740 };
  const desktop = { width: 1440, height: 900 };

  test('axe finds nothing in any view, on a phone and a desktop, light and dark', { timeout: 240_000 }, async () => {
    const faults: string[] = [];
    await tour({ browser, url: site.direct.http, language: 'en', viewport: phone }, async (view, page) => {
      for (const viewport of [desktop, phone]) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ['dark', 'light'] as const) {
          await page.emulateMedia({ colorScheme });
          for (const fault of await axeOn(page)) faults.push(`${view}, ${viewport.width}, ${colorScheme}: ${fault}`);
        }
      }
    });
    expect(faults).toEqual([]);
  });
});

/** What axe says against the page as it is now: WCAG 2.2, A and AA, and its own best practices. */
const axeOn = async (page: Page): Promise<string[]> => {
  await page.evaluate(`window.axe ?? (() => { ${axe.source} })()`);
  const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary = '' }) => `${id} ${target}: ${failureSummary.replaceAll(/\s+/g, ' ')}`),
  );
};
