/** What the page offers in a call and before it, in a real browser: devices, screens, keys, checks. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, open, type Person, picture, untilSeen } from './browser.ts';

describe.skipIf(without('chromium'))('the page', () => {
  let browser: Browser;
  let site: Site;
  const people: Person[] = [];
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(), startSite([])]);
  });
  afterEach(async () => {
    await Promise.all(people.splice(0).map(({ context }) => context.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const arrive = async (path: string, viewport?: { width: number; height: number }) => {
    const person = await open(browser, `${site.direct.http}/${path}`, viewport);
    people.push(person);
    return person;
  };
  const enter = async (room: string, name: string, viewport?: { width: number; height: number }) => {
    const person = await arrive(`rooms/${room}`, viewport);
    await join(person, name);
    return person;
  };
  const button = ({ page }: Person, name: string | RegExp, pressed?: boolean) =>
    page.getByRole('button', { name, exact: true, ...(pressed === undefined ? {} : { pressed }) });
  const reads = ({ page }: Person, text: string | RegExp) => page.getByText(text).first().waitFor();
  const quiet = (...those: Person[]) => expect(those.flatMap(({ complaints }) => complaints)).toEqual([]);
  const phone = { width: 360, height: 740 };

  test('a shared screen is shown large until sharing stops; a pinned tile takes precedence', async () => {
    const [aiko, ben] = [await enter('screen', 'Aiko'), await enter('screen', 'Ben')];
    const chris = await enter('screen', 'Chris', phone);
    await Promise.all([untilSeen(aiko, 2), untilSeen(ben, 2)]);
    await button(aiko, 'Share screen').click();
    await reads(aiko, 'You’re sharing your screen');
    await reads(ben, 'Aiko is sharing their screen');
    const main = ben.page.locator('.tile.main');
    expect(await main.locator('video').getAttribute('aria-label')).toBe('Aiko’s screen');
    await untilSeen(ben, 2);
    await expect.poll(() => main.locator('video').evaluate((video: HTMLVideoElement) => video.videoWidth)).toBe(1280);
    await picture(ben, 'screen');
    await picture(chris, 'screen-phone');
    await picture(aiko, 'screen-own');
    // Chromium's microphone beeps once a second.
    await ben.page.locator('.tile[data-speaking="true"]').first().waitFor();
    await button(ben, 'Pin Chris').click({ force: true });
    await ben.page.locator('.tile.main', { hasText: 'Chris' }).waitFor();
    await button(ben, 'Unpin Chris').click({ force: true });
    await ben.page.locator('.tile.main', { hasText: 'Aiko' }).waitFor();
    await button(aiko, 'Stop sharing').click();
    await main.waitFor({ state: 'detached' });
    await untilSeen(ben, 2);
    quiet(aiko, ben, chris);
  });

  test('Join clicked twice makes one call, and shows that it is waiting for a slow server', {
    tags: ['slow'],
  }, async () => {
    const aiko = await arrive('rooms/twice');
    const opened: string[] = [];
    await aiko.page.routeWebSocket(/twice/, async (socket) => {
      opened.push(socket.url());
      await aiko.page.waitForTimeout(1_500);
      socket.connectToServer();
    });
    await aiko.page.locator('[data-self] video').waitFor();
    await aiko.page.getByLabel('Your name').fill('Aiko');
    await button(aiko, 'Join').dblclick();
    await reads(aiko, 'Joining the room…');
    await aiko.page.locator('.invitation').waitFor();
    const ben = await enter('twice', 'Ben');
    await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);
    expect(opened).toHaveLength(1);
    quiet(aiko, ben);
  });

  test('hand, shortcuts, and the space bar to talk while muted work', async () => {
    const [aiko, ben] = [await enter('keys', 'Aiko'), await enter('keys', 'Ben')];
    await untilSeen(ben, 1);
    const received = ben.page.locator('[data-peer]').getByText('Microphone off');
    await aiko.page.keyboard.press('h');
    await reads(ben, 'Aiko raised their hand');
    await button(aiko, 'Raise hand', true).waitFor();
    await aiko.page.keyboard.press('m');
    await received.waitFor({ state: 'attached' });
    await aiko.page.keyboard.down(' ');
    await received.waitFor({ state: 'detached' });
    await aiko.page.keyboard.up(' ');
    await received.waitFor({ state: 'attached' });
    await aiko.page.keyboard.press('c');
    await aiko.page.getByRole('textbox', { name: 'Message' }).pressSequentially('much hum?');
    expect(await aiko.page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('much hum?');
    await aiko.page.keyboard.press('Escape');
    await aiko.page.keyboard.press('?');
    const list = aiko.page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await list.waitFor();
    await picture(aiko, 'shortcuts');
    await list.getByRole('checkbox').uncheck();
    await aiko.page.keyboard.press('Escape');
    await list.waitFor({ state: 'detached' });
    await aiko.page.keyboard.press('h');
    await button(aiko, 'Raise hand', true).waitFor();
    expect(await ben.page.locator('[data-peer] .caption').getAttribute('data-hand')).toBe('true');
    quiet(aiko, ben);
  });

  test('the menu leads to the invitation and the devices, and the focus returns to it', async () => {
    const aiko = await enter('menu', 'Aiko', phone);
    await picture(aiko, 'call-alone-phone');
    await button(aiko, 'More').click();
    await picture(aiko, 'menu-phone');
    await button(aiko, 'Invite…').click();
    const invitation = aiko.page.getByRole('dialog', { name: 'Invite people' });
    expect(await invitation.getByRole('textbox').inputValue()).toBe(`${site.direct.http}/rooms/menu`);
    await invitation.getByRole('button', { name: 'Copy link' }).click();
    await reads(aiko, 'Link copied');
    await picture(aiko, 'invite-phone');
    await aiko.page.keyboard.press('Escape');
    await invitation.waitFor({ state: 'detached' });
    const focused = () => aiko.page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(await focused()).toBe('More');
    await button(aiko, 'More').click();
    await button(aiko, 'Devices…').click();
    const choice = aiko.page.getByLabel('Camera', { exact: true }).last();
    const options = await choice.locator('option').allTextContents();
    await choice.selectOption({ index: options.length - 1 });
    await picture(aiko, 'devices-phone');
    quiet(aiko);
  });

  test('a file arrives unchanged, both ways; a reaction is shown; the quality of the path is shown in numbers', {
    tags: ['slow'],
  }, async () => {
    const [aiko, ben] = [await enter('files', 'Aiko'), await enter('files', 'Ben')];
    await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);
    const send = async (from: Person, to: Person, bytes: number) => {
      const buffer = randomBytes(bytes);
      const chat = from.page.getByRole('button', { name: /^Chat/ });
      if ((await chat.getAttribute('aria-expanded')) === 'false') await chat.click();
      await from.page
        .getByLabel('Send a file')
        .setInputFiles({ name: `${bytes}.bin`, mimeType: 'application/x', buffer });
      if (to === ben) await button(to, /^Chat, 1 new message/).click();
      await button(to, 'Accept').click();
      const [download] = await Promise.all([
        to.page.waitForEvent('download'),
        to.page.getByRole('link', { name: 'Save' }).click(),
      ]);
      expect(download.suggestedFilename()).toBe(`${bytes}.bin`);
      expect(readFileSync(await download.path()).equals(buffer)).toBe(true);
      await from.page.locator('[data-share="out"][data-state="done"]').waitFor();
    };
    await send(aiko, ben, 1_500_000);
    await picture(ben, 'file');
    await send(ben, aiko, 300_001);

    await button(aiko, 'More').click();
    await button(aiko, '👏').click();
    await ben.page.locator('[data-peer] .reaction', { hasText: '👏' }).waitFor();
    await picture(ben, 'reaction');
    await button(ben, /^People/).click();
    await button(ben, 'Connection to Aiko').click();
    await reads(ben, /connection, direct/);
    await picture(ben, 'numbers');
    quiet(aiko, ben);
  });

  test('an unplugged camera is replaced by another', { tags: ['slow'] }, async () => {
    const [aiko, ben] = [await enter('unplugged', 'Aiko'), await enter('unplugged', 'Ben')];
    await untilSeen(ben, 1);
    await aiko.page.evaluate(() => {
      const stream = document.querySelector<HTMLVideoElement>('[data-self] video')?.srcObject;
      const track = stream instanceof MediaStream ? stream.getVideoTracks()[0] : undefined;
      track?.stop();
      track?.dispatchEvent(new Event('ended'));
    });
    await reads(aiko, 'Now using ');
    await untilSeen(ben, 1);
    quiet(aiko, ben);
  });

  test('the connection check shows what works', { tags: ['slow'] }, async () => {
    const aiko = await arrive('rooms/check');
    await aiko.page.waitForFunction(
      () => (document.querySelector<HTMLVideoElement>('[data-self] video')?.videoWidth ?? 0) > 0,
    );
    await picture(aiko, 'lobby');
    await button(aiko, 'Check my connection').click();
    await aiko.page.locator('.findings[data-done="true"]').waitFor();
    const findings = await aiko.page
      .locator('.finding')
      .evaluateAll((items) => items.map((item) => `${item.dataset.part} ${item.dataset.finding}`));
    expect(findings.filter((finding) => !finding.startsWith('stun'))).toEqual([
      'camera good',
      'microphone good',
      'websocket good',
      'http good',
      'turn-udp none',
      'turn-tcp none',
    ]);
    await picture(aiko, 'check');
    expect(aiko.complaints).toEqual([]);
  });
});
