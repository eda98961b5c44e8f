/** Accessibility: axe on every view, room, keyboard, screen readers, motion, colours, languages. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, errors, type Fate } from '../../app/protocol/errors.ts';
import { isThorough, without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { chooseAccess, join, launch, open, picture, say } from './browser.ts';
import { axeFaults, roomFaults, tabFaults } from './faults.ts';
import { everyLanguage, openIn, tour } from './tour.ts';

/** Stops the call's load on the machine while the page is examined. */
const fewPictures = { also: ['--use-fake-device-for-media-stream=fps=5'] };
const patience = { timeout: 20_000 };

describe.skipIf(without('chromium'))('accessibility', { timeout: 600_000 }, () => {
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(fewPictures), startSite([])]);
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const phone = { width: 360, height: 740 };
  const tablet = { width: 820, height: 1180 };
  const desktop = { width: 1440, height: 900 };
  const place = (language: (typeof everyLanguage)[number], viewport = phone) => ({
    ...{ browser, url: site.direct.http, language, viewport },
  });
  const enter = async (room: string, name: string, viewport = desktop) => {
    const person = await open(browser, `${site.direct.http}/rooms/${room}`, viewport);
    await join(person, name);
    return person;
  };
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });

  test('axe finds nothing in any view, on a phone, a tablet and a desktop, light and dark', async () => {
    const faults: string[] = [];
    const looks = [desktop, phone, tablet].flatMap((viewport) =>
      (['dark', 'light'] as const).map((colorScheme) => ({ viewport, colorScheme })),
    );
    let count = 0;
    await tour(place('en'), async (view, page) => {
      count += 1;
      // In turn, so that every size and scheme is seen, but not of every view.
      const chosen = isThorough ? looks : looks.filter((_, nth) => nth === count % 4);
      for (const { viewport, colorScheme } of chosen) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await picture({ page }, `${viewport.width}-${colorScheme}-${view}`);
        if (viewport === tablet) continue;
        for (const fault of await axeFaults(page)) faults.push(`${view}, ${viewport.width}, ${colorScheme}: ${fault}`);
        if (!isThorough)
          for (const fault of await roomFaults(page)) faults.push(`${view}, ${viewport.width}: ${fault}`);
      }
      // The tour continues at phone size.
      await page.setViewportSize(phone);
    });
    expect(faults).toEqual([]);
  });

  test('axe finds nothing at the end of a call, whatever ended it', { tags: ['slow'] }, async () => {
    const { page } = await open(browser, site.direct.http);
    let close = 0;
    await page.routeWebSocket(/\/ws$/, (socket) => socket.close({ code: close }));
    const final = (Object.entries(errors) as [ErrorCode, Fate][]).filter(([, fate]) => (fate.close ?? 0) >= 4500);
    expect(final.length).toBeGreaterThan(15);
    for (const [code, fate] of final) {
      close = fate.close ?? 0;
      await page.goto(`${site.direct.http}/rooms/end`);
      await button(page, 'Join').click();
      await page
        .locator(code.endsWith('passcode') || code === 'passcode-needed' ? '#passcode' : `[data-ending="${code}"]`)
        .waitFor();
      expect(await axeFaults(page), code).toEqual([]);
    }
  });

  test('every control is reached by Tab with a visible focus, and has enough size and spacing, at any zoom', {
    tags: ['slow'],
  }, async () => {
    const sizes: Size[] = [
      // 1280 × 1024 at 400 %.
      { width: 320, height: 256 },
      // 1280 × 900 at 200 %.
      { width: 640, height: 450 },
      { width: 1280, height: 800, text: '200%' },
      { ...phone, spaced: true },
      phone,
    ];
    const faults: string[] = [];
    await tour(place('es'), async (view, page) => {
      for (const size of sizes) {
        await resize(page, size);
        const found = await roomFaults(page);
        if (size.width < 400 && !size.spaced) found.push(...(await tabFaults(page)));
        for (const fault of found) faults.push(`${view}, ${JSON.stringify(size)}: ${fault}`);
        await picture({ page }, `${size.width}${size.spaced ? '-spaced' : ''}-es-${view}`);
      }
    });
    expect(faults).toEqual([]);
  });

  test.each(everyLanguage.filter((language) => language !== 'es'))(
    'the texts of %s fit on a phone',
    { tags: ['slow'] },
    async (language) => {
      const faults: string[] = [];
      await tour(place(language), async (view, page) => {
        for (const fault of await roomFaults(page)) faults.push(`${view}: ${fault}`);
        await picture({ page }, `360-${language}-${view}`);
        if (language !== 'ar') return;
        await page.setViewportSize(desktop);
        for (const fault of await roomFaults(page)) faults.push(`${view}, desktop: ${fault}`);
        await picture({ page }, `1440-${language}-${view}`);
        await page.setViewportSize(phone);
      });
      expect(faults).toEqual([]);
    },
  );

  test('a whole call works by keyboard alone; the focus moves into what opens, and returns', async () => {
    const ben = await enter('garden', 'Ben');
    const { page, complaints } = await open(browser, site.direct.http, desktop);
    const focused = () =>
      page.evaluate(() => {
        const { id, tagName, textContent } = document.activeElement ?? document.body;
        const label = document.activeElement?.getAttribute('aria-label');
        return label || id || `${tagName} ${textContent}`;
      });
    const tabTo = async (name: string | RegExp) => {
      for (let step = 0; step < 30; step += 1) {
        if (new RegExp(name).test(await focused())) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`${name} is not reached, ${await focused()} is`);
    };
    const pressAt = async (name: string | RegExp, key = 'Enter') => {
      await tabTo(name);
      await page.keyboard.press(key);
    };
    await tabTo('^room$');
    await page.keyboard.type('garden');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ready to join?' }).waitFor();
    await expect.poll(focused, patience).toMatch(/^H1/);
    await tabTo('^name$');
    await page.keyboard.type('Aiko');
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'People in the call' }).waitFor();
    await expect.poll(focused, patience).toMatch(/^H1/);
    await pressAt('Microphone', 'Space');
    await button(page, 'Microphone').and(page.locator('[aria-pressed="false"]')).waitFor();
    await pressAt('^Raise hand');
    await ben.page.getByText('Aiko raised their hand').first().waitFor();

    await pressAt('^Chat');
    await expect.poll(focused, patience).toBe('message');
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Enter');
    await ben.page.getByText('Aiko: by keyboard').first().waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(focused, patience).toMatch(/^Chat/);
    await pressAt('^People');
    await expect.poll(focused, patience).toMatch(/^H2/);
    await pressAt('^Close people panel$');
    await expect.poll(focused, patience).toMatch(/^People/);

    await pressAt('^More$');
    await pressAt('Invite…');
    await page.getByRole('dialog', { name: 'Invite people' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('More');
    await pressAt('Leave');
    await page.getByRole('heading', { name: 'You left the call' }).waitFor();
    await expect.poll(focused, patience).toMatch(/^H1/);
    await pressAt('Join again');
    await page.getByRole('heading', { name: 'Ready to join?' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('joining, raised hands, chat and leaving are announced without moving the focus', async () => {
    const aiko = await enter('aloud', 'Aiko');
    const region = aiko.page.locator('.notices');
    // A live region that appears together with its text is not announced.
    const before = await region.elementHandle();
    const hears = (text: string) => aiko.page.locator('.notices[role="status"]').getByText(text).waitFor();
    await button(aiko.page, 'More').focus();
    const [ben] = await Promise.all([enter('aloud', 'Ben'), hears('Ben joined')]);
    await ben.page.keyboard.press('h');
    await hears('Ben raised their hand');
    await say(ben, 'hello');
    await hears('Ben: hello');
    await aiko.page.keyboard.press('c');
    const log = aiko.page.getByRole('log', { name: 'Messages' });
    await say(ben, 'hello again');
    await log.getByText('hello again').waitFor();
    await aiko.page.keyboard.press('Escape');
    // The focus returns by itself first.
    await log.waitFor({ state: 'detached' });
    await expect
      .poll(() => button(aiko.page, /^Chat/).evaluate((element) => element === document.activeElement))
      .toBe(true);
    await button(aiko.page, 'More').focus();
    await button(ben.page, 'More').click();
    await button(ben.page, '👏').click();
    await aiko.page.locator('[data-peer] [role="status"]').getByText('Ben').waitFor({ state: 'attached' });
    await button(ben.page, 'Leave').click();
    await hears('Ben left');
    expect(await before?.evaluate((element) => element.isConnected)).toBe(true);
    expect(await button(aiko.page, 'More').evaluate((element) => element === document.activeElement)).toBe(true);
  });

  test('nothing moves with reduced motion, and pressed buttons are visible in forced colours', async () => {
    const host = await enter('calm', 'Aiko');
    await button(host.page, /^People/).click();
    await chooseAccess(host, 'Only people a host admits');
    const { page } = await open(browser, `${site.direct.http}/rooms/calm`);
    await button(page, 'Join').click();
    await page.locator('[data-waiting]').waitFor();
    const moving = () => page.evaluate(() => document.getAnimations().length);
    expect(await moving()).toBeGreaterThan(0);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await moving()).toBe(0);

    await host.page.emulateMedia({ forcedColors: 'active' });
    await button(host.page, 'Let in Guest').click();
    await button(host.page, 'Raise hand').click();
    const ground = (name: string | RegExp) =>
      button(host.page, name).evaluate((element) => getComputedStyle(element).backgroundColor);
    await host.page.locator('[data-peer]').waitFor();
    for (const pressed of ['Raise hand', /^People/])
      await expect.poll(() => ground(pressed)).not.toBe(await ground('Share screen'));
    await picture(host, 'forced-colors');
    await host.page.emulateMedia({ forcedColors: 'active', colorScheme: 'dark' });
    await picture(host, 'forced-colors-dark');
  });

  test('the language is the browser’s until another is chosen, which is remembered; only its texts are fetched', async () => {
    const fetched = (page: Page) =>
      page.evaluate(() =>
        performance
          .getEntriesByType('resource')
          .flatMap(({ name }) => /\/js\/(zh-hans|ja|es|ar)-/.exec(name)?.[1] ?? []),
      );
    const english = await open(browser, site.direct.http);
    expect(await fetched(english.page)).toEqual([]);

    const { page, complaints } = await openIn(place('ja'), site.direct.http);
    const root = () => page.evaluate(() => `${document.documentElement.lang} ${document.documentElement.dir}`);
    await page.getByRole('heading', { name: '顔を見て話そう' }).waitFor();
    expect(await root()).toBe('ja ltr');
    expect(await fetched(page)).toEqual(['ja']);
    await page.getByLabel('言語').selectOption('ar');
    await page.getByRole('heading', { name: 'تحدّث وجهًا لوجه' }).waitFor();
    expect(await root()).toBe('ar rtl');
    await page.reload();
    await page.getByRole('heading', { name: 'تحدّث وجهًا لوجه' }).waitFor();
    expect(await fetched(page)).toEqual(['ar']);

    await page.goto(`${site.direct.http}/rooms/garden`);
    const track = () =>
      page.waitForFunction(() => {
        const stream = document.querySelector<HTMLVideoElement>('[data-self] video')?.srcObject;
        return stream instanceof MediaStream && stream.getVideoTracks()[0]?.id;
      });
    const before = await (await track()).jsonValue();
    await page.getByLabel('اسمك').fill('Aiko');
    await page.getByLabel('اللغة').selectOption('es');
    expect(await page.getByLabel('Tu nombre').inputValue()).toBe('Aiko');
    expect(await (await track()).jsonValue()).toBe(before);
    expect(complaints).toEqual([]);
  });

  test('the page is in English if the texts cannot be fetched', async () => {
    const context = await browser.newContext({ locale: 'ja' });
    const page = await context.newPage();
    await page.route(/\/js\/ja-/, (route) => route.abort());
    await page.goto(site.direct.http);
    await page.getByRole('heading', { name: 'Talk face to face' }).waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
  });
});

/** `text`: relative to the default size; `spaced`: with the spacing of WCAG 2.2, 1.4.12. */
type Size = { width: number; height: number; text?: string; spaced?: boolean };

const resize = async (page: Page, { width, height, text = '100%', spaced = false }: Size): Promise<void> => {
  await page.setViewportSize({ width, height });
  await page.evaluate(
    ([size, rules]) => {
      document.documentElement.style.setProperty('font-size', size);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(rules);
      document.adoptedStyleSheets = [sheet];
      // The tiles are resized one frame later.
      return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    },
    [
      text,
      spaced
        ? '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }'
        : '',
    ] as const,
  );
};
