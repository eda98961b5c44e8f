/** Calls between two kinds of browsers, through nginx and uwsgi: what one does, the other sees; and what both survive. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isThorough, without } from '../setup/without.ts';
import {
  framesDecoded,
  giveCamera,
  join,
  launch,
  launchFirefox,
  open,
  type Person,
  picture,
  say,
  untilSeen,
} from './browser.ts';
import { describeCall } from './call.ts';
import { startCuttable } from './cuttable.ts';
import { type Fronted, startFronted } from './fronted.ts';

const pairs = [
  { first: 'Chromium', second: 'Firefox', tags: [] },
  { first: 'Firefox', second: 'Chromium', tags: ['slow'] },
] as const;
type Make = (typeof pairs)[number]['first'];

describe.skipIf(without('nginx', 'chromium', 'firefox-esr'))('Chromium and Firefox', () => {
  let site: Fronted;
  let browsers: Record<Make, Browser>;
  const people: Person[] = [];
  const downloads = mkdtempSync(joinPath(tmpdir(), 'genkan-downloads-'));
  beforeAll(async () => {
    const started = [startFronted(), launch(), launchFirefox({ downloadsPath: downloads })] as const;
    const [fronted, Chromium, Firefox] = await Promise.all(started);
    site = fronted;
    browsers = { Chromium, Firefox };
  });
  afterEach(async () => {
    await Promise.all(people.splice(0).map(({ context }) => context.close()));
  });
  afterAll(async () => {
    await Promise.all([site?.stop(), browsers?.Chromium.close(), browsers?.Firefox.close()]);
    rmSync(downloads, { recursive: true });
  });

  const enter = async (make: Make, room: string, name: string, { url = site.url, patience = 30_000 } = {}) => {
    const person = await open(browsers[make], `${url}/rooms/${room}`);
    person.page.setDefaultTimeout(patience);
    people.push(person);
    await join(person, name);
    return person;
  };
  const button = ({ page }: Person, name: string | RegExp, pressed?: boolean) =>
    page.getByRole('button', { name, exact: true, ...(pressed === undefined ? {} : { pressed }) });
  const quiet = () => expect(people.flatMap(({ complaints }) => complaints)).toEqual([]);
  const seen = (...those: Person[]) => Promise.all(those.map((person) => untilSeen(person, those.length - 1)));

  for (const { first, second, tags } of pairs)
    describe(`${first} first, then ${second}`, { tags: [...tags] }, () => {
      const two = async (room: string) => {
        const both = [
          await enter(first, `${room}-${first}`, 'Aiko'),
          await enter(second, `${room}-${first}`, 'Ben'),
        ] as const;
        await seen(...both);
        return both;
      };

      test('each sees that the other is muted, raises a hand, and switches the camera', async () => {
        const [aiko, ben] = await two('devices');
        const pairs = [
          [aiko, ben],
          [ben, aiko],
        ] as const;
        for (const [one, other] of pairs) {
          const received = other.page.locator('[data-peer]').getByText('Microphone off');
          await button(one, 'Microphone', true).click();
          await received.waitFor({ state: 'attached' });
          await button(one, 'Microphone', false).click();
          await received.waitFor({ state: 'detached' });
          await button(one, 'Raise hand').click();
          await other.page.locator('[data-peer] .caption[data-hand="true"]').waitFor();
          await button(one, 'More').click();
          await button(one, 'Devices…').click();
          const cameras = one.page.getByLabel('Camera', { exact: true }).last();
          await cameras.selectOption({ index: (await cameras.locator('option').count()) - 1 });
          await one.page.keyboard.press('Escape');
          await untilSeen(other, 1);
        }
        quiet();
      });

      test('each changes its network: both restart ICE, and see each other again', { tags: ['slow'] }, async () => {
        const both = await two('paths');
        const search = ({ page }: Person) =>
          page.evaluate(() => {
            const all = 'testConnections' in window ? window.testConnections : [];
            const connection: unknown = Array.isArray(all) ? all.at(-1) : undefined;
            if (!(connection instanceof RTCPeerConnection)) return undefined;
            const { signalingState, localDescription } = connection;
            return signalingState === 'stable' ? /ice-ufrag:(.*)/.exec(localDescription?.sdp ?? '')?.[1] : undefined;
          });
        for (const one of [...both, ...both]) {
          const before = await Promise.all(both.map(search));
          expect(before).toEqual([expect.any(String), expect.any(String)]);
          await one.page.evaluate(() => window.dispatchEvent(new Event('online')));
          const found = async () => (await Promise.all(both.map(search))).map((now, at) => !!now && now !== before[at]);
          await expect.poll(found, { timeout: 10_000 }).toEqual([true, true]);
          await seen(...both);
        }
        quiet();
      });

      test('a file arrives unchanged, both ways, and chat stays in order', async () => {
        const [aiko, ben] = await two('files');
        for (const text of ['one', 'two', 'three']) await say(aiko, text);
        await button(ben, /^Chat, 3 new messages/).click();
        await expect
          .poll(() => ben.page.getByText(/^(one|two|three)$/).allTextContents())
          .toEqual(['one', 'two', 'three']);
        const ways = [
          [aiko, ben, 400_000],
          [ben, aiko, 300_001],
        ] as const;
        for (const [from, to, bytes] of ways) {
          const [name, buffer] = [`${first}-${bytes}.bin`, randomBytes(bytes)];
          await from.page.getByLabel('Send a file').setInputFiles({ name, mimeType: 'application/x', buffer });
          await button(to, 'Accept').click();
          const saved = to.page.getByRole('link', { name: 'Save' });
          if (to.context.browser() === browsers.Chromium) {
            const [download] = await Promise.all([to.page.waitForEvent('download'), saved.click()]);
            expect(readFileSync(await download.path()).equals(buffer)).toBe(true);
          } else {
            await saved.click();
            const file = joinPath(downloads, name);
            await expect
              .poll(() => existsSync(file) && readFileSync(file).equals(buffer), { timeout: 10_000 })
              .toBe(true);
          }
        }
        quiet();
      });

      test('a reloaded page gets its seat back', async () => {
        const both = await two('reload');
        for (const person of both) {
          await person.page.reload();
          await person.page.getByRole('list', { name: 'People in the call' }).waitFor();
          await seen(...both);
        }
        for (const { page } of both) expect(await page.locator('[data-peer]').count()).toBe(1);
        quiet();
      });

      test('some seconds without the server: video continues, and chat written meanwhile arrives once', async () => {
        const proxy = await startCuttable(site.url);
        const room = `cut-${first}`;
        const both = [await enter(first, room, 'Aiko', proxy), await enter(second, room, 'Ben', proxy)] as const;
        const [aiko, ben] = both;
        await seen(...both);
        proxy.cut();
        await Promise.all(both.map(({ page }) => page.getByText('Reconnecting…').waitFor()));
        await say(aiko, 'written while cut off');
        for (let second = 0; second < (isThorough ? 10 : 3); second += 1) {
          const before = await Promise.all(both.map(({ page }) => framesDecoded(page)));
          await aiko.page.waitForTimeout(1_000);
          const after = await Promise.all(both.map(({ page }) => framesDecoded(page)));
          expect(after.map((frames, index) => frames > (before[index] ?? 0))).toEqual([true, true]);
        }
        proxy.mend();
        await button(ben, /^Chat, 1 new message/).click({ timeout: 20_000 });
        expect(await ben.page.getByText('written while cut off', { exact: true }).count()).toBe(1);
        await say(ben, 'and back');
        await aiko.page.getByText('and back').first().waitFor();
        await seen(...both);
        proxy.close();
      });
    });

  test('a screen shared by Chromium is shown large in Firefox', { tags: ['slow'] }, async () => {
    const [aiko, ben] = [await enter('Chromium', 'screen', 'Aiko'), await enter('Firefox', 'screen', 'Ben')];
    await seen(aiko, ben);
    await button(aiko, 'Share screen').click();
    const main = ben.page.locator('.tile.main video');
    await expect
      .poll(() => main.evaluate((video: HTMLVideoElement) => video.videoWidth), { timeout: 20_000 })
      .toBe(1280);
    await picture(ben, 'screen-firefox');
    await button(aiko, 'Stop sharing').click();
    await main.waitFor({ state: 'detached' });
    await seen(aiko, ben);
    quiet();
  });

  test('three of both browsers: each sees who speaks; one disappears without leaving', { tags: ['slow'] }, async () => {
    const makes = ['Firefox', 'Chromium', 'Firefox'] as const;
    const three: Person[] = [];
    for (const [index, make] of makes.entries()) three.push(await enter(make, 'three', `P${index}`));
    await seen(...three);
    for (const { page } of three) await page.locator('.tile[data-speaking="true"]').first().waitFor();
    await three[2]?.context.close();
    people.splice(2, 1);
    const left = three.slice(0, 2);
    for (const { page } of left)
      await expect.poll(() => page.locator('[data-peer]').count(), { timeout: 40_000 }).toBe(1);
    await seen(...left);
    quiet();
  });

  test('six of both browsers: each sees the five others', { tags: ['slow'], timeout: 180_000 }, async () => {
    // Thirty videos are much for a small machine; and a peer that joins a running call takes longest.
    const lobby = async () => {
      const person = await open(browsers.Chromium, site.url, { width: 480, height: 360 });
      person.page.setDefaultTimeout(60_000);
      people.push(person);
      await person.context.addInitScript(giveCamera, { width: 160, height: 90, frameRate: 5 });
      await person.page.goto(`${site.url}/rooms/six`);
      return person;
    };
    const six = await Promise.all(Array.from({ length: 6 }, lobby));
    for (const [index, person] of six.entries()) await join(person, `P${index}`);
    await Promise.all(six.map((person) => untilSeen(person, 5, 120_000)));
    if (six[0]) await picture(six[0], 'six');
    quiet();
  });

  describe('alone', { tags: ['slow'] }, () => describeCall('Firefox alone', () => site.url, launchFirefox));
});
