/** Standalone, as `npm start` runs it: the page and its failures in a real browser, without nginx or containers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { SignJWT } from 'jose';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { join, launch, open, picture, say, untilSeen, wholeChromium } from './browser.ts';
import { describeCall } from './call.ts';
import { startCuttable } from './cuttable.ts';

const start = async (...flags: string[]): Promise<{ url: string; child: ChildProcess }> => {
  const cli = joinPath(import.meta.dirname, '../../dist/cli.js');
  const child = spawn(process.execPath, [cli, '--http', '127.0.0.1:0', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /Genkan is running at (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return { url: url.replace('localhost', '127.0.0.1'), child };
  }
  throw new Error('the server did not start');
};

let server: { url: string; child: ChildProcess };
beforeAll(async () => {
  server = await start();
});
afterAll(() => server?.child.kill());

describe('with two people', { tags: ['slow'] }, () => describeCall('standalone', () => server.url));

describe.skipIf(without('chromium'))('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test('the start page creates a room with a random name, or accepts a valid name', async () => {
    const { page, complaints, context } = await open(browser, server.url);
    await page.getByLabel('Room name').fill('not a name');
    await page.getByRole('button', { name: 'Go to room' }).click();
    await page.getByText('Only letters, digits').waitFor();
    await page.getByLabel('Room name').fill('garden');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/rooms/garden');
    await page.goto(server.url);
    await page.getByRole('button', { name: 'New room' }).click();
    await page.waitForURL('**/rooms/*');
    expect(new URL(page.url()).pathname.length).toBeGreaterThan('/rooms/'.length + 16);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('a personal link joins, hides its token, and works after a reload', async ({ onTestFinished }) => {
    const secret = 'a-shared-secret-of-forty-characters-0001';
    const closed = await start('--auth', 'token', '--token-secret', secret);
    onTestFinished(() => void closed.child.kill());
    const claims = { room: 'garden', name: 'Aiko', exp: Math.floor(Date.now() / 1000) + 600 };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
    const room = `${closed.url}/rooms/garden`;
    const aiko = await open(browser, `${room}#token=${token}`);
    const ben = new WebSocketPeer(closed.url, 'garden');
    onTestFinished(() => ben.dispose());
    await ben.join({ token });
    expect(aiko.page.url()).toBe(room);
    await join(aiko, 'Mallory');
    expect((await ben.inbox.take('peer-joined')).peer.name).toBe('Aiko');
    await aiko.page.reload();
    expect((await ben.inbox.take('peer-joined')).peer.name).toBe('Aiko');
    await aiko.page.getByRole('button', { name: 'Leave' }).click();
    await aiko.page.getByRole('button', { name: 'Join again' }).click();
    await join(aiko, 'Mallory');
    expect((await ben.inbox.take('peer-joined')).peer.name).toBe('Aiko');
    expect(aiko.complaints).toEqual([]);
    await aiko.context.close();

    const visitor = await open(browser, room);
    await visitor.page.getByRole('button', { name: 'Join', exact: true }).click();
    await visitor.page.getByText('You need an invitation').waitFor();
    await visitor.context.close();
  });

  test('a full room and a refused camera have their own messages', async ({ onTestFinished }) => {
    const small = await start('--max-peers', '2');
    onTestFinished(() => void small.child.kill());
    const peers = [new WebSocketPeer(small.url, 'full'), new WebSocketPeer(small.url, 'full')];
    for (const peer of peers) await peer.join();
    const person = await open(browser, `${small.url}/rooms/full`);
    await person.page.getByRole('button', { name: 'Join', exact: true }).click();
    await person.page.getByText('The room is full').waitFor();
    await picture(person, 'room-full');
    await person.context.close();
    for (const peer of peers) peer.dispose();

    // The headless shell neither asks nor refuses.
    const strict = await launch({ without: ['--use-fake-ui-for-media-stream'], program: wholeChromium });
    const refused = await open(strict, `${server.url}/rooms/refused`);
    await refused.page.getByText(/^Camera .*access is blocked/).waitFor();
    await picture(refused, 'camera-refused');
    await refused.page.getByRole('button', { name: 'Join', exact: true }).click();
    await refused.page.getByRole('list', { name: 'People in the call' }).waitFor();
    await strict.close();
  });

  test('a lost connection to the server does not affect the call, and chat written meanwhile arrives afterwards', {
    tags: ['slow'],
  }, async () => {
    const proxy = await startCuttable(server.url);
    const [a, b] = [await open(browser, `${proxy.url}/rooms/cut`), await open(browser, `${server.url}/rooms/cut`)];
    await join(a, 'A');
    await join(b, 'B');
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    proxy.cut();
    await a.page.getByText('Reconnecting…').waitFor();
    await untilSeen(a, 1);
    await say(a, 'written while cut off');
    proxy.mend();
    await b.page.getByRole('button', { name: /1 new message/ }).waitFor({ timeout: 20_000 });
    await say(b, 'and back');
    await a.page.getByText('and back').first().waitFor();
    expect(await b.page.locator('[data-peer]').count()).toBe(1);
    await Promise.all([a.context.close(), b.context.close()]);
    proxy.close();
  });
});
