/** Failures before and in a call, each with its own message and next step, in a real browser. */
import { SignJWT } from 'jose';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, open, type Person, picture } from './browser.ts';

const secret = 'a-shared-secret-of-forty-characters-0001';

describe.skipIf(without('chromium'))('a failure', () => {
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    [browser, site] = await Promise.all([launch(), startSite(['--token-secret', secret])]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** `before`: changes in the browser before the page is loaded. */
  const arrive = async <Given>(room: string, before: (given: Given) => void, given: Given): Promise<Person> => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    const complaints: string[] = [];
    page.on('pageerror', ({ message }) => complaints.push(message));
    await page.addInitScript(before as (given: unknown) => void, given);
    await page.goto(`${site.direct.http}/rooms/${room}`);
    return { page, context, complaints };
  };
  const reads = ({ page }: Person, text: string | RegExp) => page.getByText(text).first().waitFor();
  const press = ({ page }: Person, name: string) => page.getByRole('button', { name, exact: true }).click();
  const inside = ({ page }: Person) => page.getByRole('list', { name: 'People in the call' }).waitFor();
  const failToCapture = (name: string): void => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('it does not work', name));
  };

  for (const { name, sentence, tags } of [
    { name: 'NotFoundError', sentence: 'No camera or microphone found.', tags: ['slow'] },
    {
      name: 'NotReadableError',
      sentence: 'Another app is using your camera and microphone. Close that app and try again.',
      tags: ['slow'],
    },
    {
      name: 'NotAllowedError',
      sentence: /Click the icon at the left of the address bar and allow access, then turn it on here\./,
      tags: [],
    },
    {
      name: 'TypeError',
      sentence: 'Your camera and microphone didn’t start. Try again or choose other ones.',
      tags: ['slow'],
    },
  ])
    test(`of devices with ${name} still lets the user join`, { tags }, async () => {
      const person = await arrive('devices', failToCapture, name);
      await reads(person, sentence);
      await reads(person, 'You can join without a camera or microphone');
      await picture(person, `devices-${name}`);
      await press(person, 'Join');
      await inside(person);
    });

  test('caused by a page without https is explained, and the user may join anyway', async () => {
    const insecure = await launch({ also: ['--host-resolver-rules=MAP call.test 127.0.0.1, MAP * ~NOTFOUND'] });
    onTestFinished(() => insecure.close());
    const person = await open(insecure, `${site.direct.http.replace('127.0.0.1', 'call.test')}/rooms/insecure`);
    await reads(
      person,
      'Browsers allow camera and microphone access only on secure pages. Open this page with https://.',
    );
    await press(person, 'Join');
    await inside(person);
    await press(person, 'More');
    await press(person, 'Invite…');
    await person.page.getByRole('dialog').getByRole('button', { name: 'Copy link' }).click();
    await reads(person, 'Link copied');
    // The browser's own warning about a page without https.
    expect(person.complaints.filter((text) => !text.startsWith('The Cross-Origin-Opener-Policy header'))).toEqual([]);
  });

  test('caused by a browser that is too old is explained, and joining is not offered', async () => {
    const person = await arrive('old', () => Reflect.deleteProperty(window, 'RTCPeerConnection'), undefined);
    await reads(person, 'This browser is too old for calls.');
    expect(await person.page.getByRole('button', { name: 'Join', exact: true }).count()).toBe(0);
    // What the lobby prefetches for the call finds no WebRTC to warm up, and that is not an error.
    const isFetched = () =>
      performance.getEntriesByType('resource').some(({ name }) => name.includes('/js/call-chunk-'));
    await person.page.waitForFunction(isFetched);
    await person.page.waitForTimeout(200);
    expect(person.complaints).toEqual([]);
  });

  test('caused by an expired link is explained', async () => {
    const token = await new SignJWT({ room: 'garden', exp: Math.floor(Date.now() / 1000) - 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
    const person = await arrive(`garden#token=${token}`, () => {}, undefined);
    await press(person, 'Join');
    await person.page.getByRole('heading', { name: 'Your link has expired' }).waitFor();
    await reads(person, 'Ask whoever invited you for a new one.');
    await person.page.getByRole('button', { name: 'Try again' }).waitFor();
  });

  test('caused by a restarting server is shown to peers in the call', async () => {
    const restarting = await startSite(['--drain-timeout', '1']);
    const person = await open(browser, `${restarting.direct.http}/rooms/restart`);
    onTestFinished(() => person.context.close());
    await join(person, 'Aiko');
    await restarting.stop();
    await reads(person, 'The server is restarting. You’ll be back in a moment…');
    await picture(person, 'restarting');
  });
});
