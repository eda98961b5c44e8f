/**
 * The page on screens of every size, with few people and with many: nothing is cut off or covered. Screenshots of all of it go to
 * artifacts/.
 */
import jsqr from 'jsqr';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, open, type Person, picture } from './browser.ts';

const screens = {
  phone: { width: 360, height: 740 },
  'phone-landscape': { width: 740, height: 360 },
  tablet: { width: 820, height: 1180 },
  desktop: { width: 1440, height: 900 },
};

describe.skipIf(without('chromium'))('on every screen size', () => {
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(), startSite(['--lobby-shows', 'names'])]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const arrive = async (path: string): Promise<Person> => {
    const person = await open(browser, `${site.direct.http}/${path}`);
    onTestFinished(() => person.context.close());
    return person;
  };
  const onEach = async (person: Person, view: string, check: (name: string) => Promise<void>) => {
    for (const [name, size] of Object.entries(screens)) {
      await person.page.setViewportSize(size);
      await person.page.waitForTimeout(150);
      await picture(person, `${view}-${name}`);
      await check(`${view}, ${name}`);
    }
  };
  const notWider = ({ page }: Person) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

  test('one to twelve tiles are whole, do not overlap, and are as large as possible', async () => {
    const aiko = await arrive('rooms/tiles');
    await join(aiko, 'Aiko');
    const names = ['Ben', 'Chris', 'Dana', 'Emre', 'Fumiko', 'Gala', 'Hana', 'Ivo', 'Jun', 'Kaya', 'Leo'];
    for (const [index, name] of names.entries()) {
      const peer = new WebSocketPeer(site.direct.http, 'tiles');
      onTestFinished(() => peer.dispose());
      await peer.join({ name, media: { audio: index % 2 === 0, video: false } });
      const count = index + 2;
      await expect.poll(() => aiko.page.locator('.tile').count()).toBe(count);
      if (![2, 5, 9, 12].includes(count)) continue;
      await onEach(aiko, `tiles-${count}`, async (where) => {
        const { faults, share } = await tilesOf(aiko.page);
        expect(faults, where).toEqual([]);
        expect(share, where).toBeGreaterThan(0.4);
      });
    }
    await aiko.page.setViewportSize(screens.desktop);
    await aiko.page.getByRole('button', { name: 'Pin Leo' }).click({ force: true });
    await onEach(aiko, 'tiles-12-pinned', async (where) => {
      expect((await tilesOf(aiko.page)).faults, where).toEqual([]);
    });
  });

  test('the start page, the lobby of an occupied room, and the invitation with a readable QR code fit', {
    tags: ['slow'],
  }, async () => {
    const aiko = await arrive('');
    await onEach(aiko, 'start', async (where) => expect(await notWider(aiko), where).toBe(true));
    const inside = new WebSocketPeer(site.direct.http, 'code');
    onTestFinished(() => inside.dispose());
    await inside.join({ name: 'Ben', media: { audio: true, video: false } });
    await aiko.page.goto(`${site.direct.http}/rooms/code`);
    await aiko.page.getByText('In the call: Ben').waitFor();
    await onEach(aiko, 'lobby', async (where) => expect(await notWider(aiko), where).toBe(true));
    await join(aiko, 'Aiko');
    await aiko.page.getByRole('button', { name: 'More', exact: true }).click();
    await aiko.page.getByRole('button', { name: 'Invite…' }).click();
    const code = aiko.page.getByRole('img', { name: 'QR code for the link' });
    await code.waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await aiko.page.emulateMedia({ colorScheme });
      await onEach(aiko, `invite-${colorScheme}`, async (where) => expect(await notWider(aiko), where).toBe(true));
      expect(await decoded(aiko.page, await code.screenshot())).toBe(`${site.direct.http}/rooms/code`);
    }
    expect(aiko.complaints).toEqual([]);
  });

  test('the page can be installed', async () => {
    const aiko = await arrive('');
    const cdp = await aiko.context.newCDPSession(aiko.page);
    const { errors, url } = await cdp.send('Page.getAppManifest');
    expect(errors).toEqual([]);
    const manifest = await fetch(url);
    expect(manifest.headers.get('content-type')).toMatch(/^application\/manifest\+json/);
    const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
    // A private window cannot install anything.
    expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
  });
});

/** Faults of the tiles' layout, and the share of the available space that they fill. */
const tilesOf = (page: Page): Promise<{ faults: string[]; share: number }> =>
  page.evaluate(() => {
    const boxes = [...document.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect());
    const place = document.querySelector('.tiles')?.getBoundingClientRect() ?? new DOMRect();
    const controls = document.querySelector('.controls')?.getBoundingClientRect() ?? new DOMRect();
    const faults: string[] = [];
    const meet = (a: DOMRect, b: DOMRect) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    for (const [index, box] of boxes.entries()) {
      const { left, right, top, bottom, width, height } = box;
      if (left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1)
        faults.push(`${index} is cut off`);
      if (width < 60 || height < 40) faults.push(`${index} is ${width} × ${height}`);
      if (meet(box, controls)) faults.push(`${index} is covered by the controls`);
      if (boxes.some((other, at) => at < index && meet(box, other))) faults.push(`${index} lies on another`);
    }
    const area = boxes.reduce((sum, { width, height }) => sum + width * height, 0);
    return { faults, share: area / (place.width * place.height) };
  });

/** The text of a QR code in a PNG; the browser decodes the image. */
const decoded = async (page: Page, png: Buffer): Promise<string | undefined> => {
  const { data, width, height } = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context?.drawImage(bitmap, 0, 0);
    const { data, width, height } = context?.getImageData(0, 0, bitmap.width, bitmap.height) ?? new ImageData(1, 1);
    return { data: [...data], width, height };
  }, png.toString('base64'));
  return jsqr.default(Uint8ClampedArray.from(data), width, height)?.data;
};
