/** The page's connection check in a real browser, with each fault in turn: what it reports, and who can fix it. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fault, startSpoiled } from '../client/spoiled.ts';
import { startTurn } from '../doctor/turn-server.ts';
import { without } from '../setup/without.ts';
import { startSite } from '../signaling/site.ts';
import { launch, open, picture } from './browser.ts';

const secret = 'shared-by-app-and-relay';

describe.skipIf(without('chromium'))('the connection check', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  /** Its findings about the network, and the class of its verdict. */
  const check = async (faults: Fault[], settings: string[]) => {
    const site = await startSite(settings);
    const network = await startSpoiled(site.direct.http, []);
    const person = await open(browser, `${network.url}/rooms/check`);
    // What the lobby prefetches, including the check, arrives before the network breaks.
    await person.page.waitForFunction(() =>
      performance.getEntriesByType('resource').some(({ name }) => name.includes('/js/call-chunk-')),
    );
    for (const fault of faults) network.faults.add(fault);
    await person.page.getByRole('button', { name: 'Check my connection' }).click();
    await person.page.locator('.findings[data-done="true"]').waitFor({ timeout: 30_000 });
    const findings = await person.page
      .locator('.finding:not([data-part="camera"], [data-part="microphone"])')
      .evaluateAll((items) => items.map((item) => `${item.dataset.part} ${item.dataset.finding}`));
    const verdict = (await person.page.locator('.verdict').textContent()) ?? '';
    await picture(person, `check-${faults.join('-').replaceAll(' ', '-') || 'turn'}`);
    await person.context.close();
    network.close();
    await site.stop();
    return [...findings, verdict];
  };
  const none = ['stun none', 'turn-udp none', 'turn-tcp none'];
  const unknown = ['stun unknown', 'turn-udp unknown', 'turn-tcp unknown'];

  const works = expect.stringContaining('should work');
  const networks: { fault: Fault; expected: string[]; tags: string[] }[] = [
    { fault: 'refuses upgrades', expected: ['websocket bad', 'http good', ...none, works], tags: ['slow'] },
    { fault: 'swallows WebSockets', expected: ['websocket bad', 'http good', ...none, works], tags: ['slow'] },
    { fault: 'buffers streams', expected: ['websocket good', 'http held', ...none, works], tags: ['slow'] },
    // For plain requests the browser sends that they are same-origin, for WebSockets Chromium sends nothing.
    { fault: 'changes the host', expected: ['websocket bad', 'http good', ...none, works], tags: [] },
    {
      fault: 'is down',
      expected: ['websocket bad', 'http bad', ...unknown, expect.stringContaining('will probably not')],
      tags: [],
    },
  ];
  for (const { fault, expected, tags } of networks)
    test(`on a network that ${fault}`, { tags: [...tags] }, async () => {
      expect(await check([fault], [])).toEqual(expected);
    });

  test('reports a refused join as a problem of the server, not of the relays', async () => {
    expect(await check([], ['--auth', 'token', '--token-secret', 'a-shared-secret-of-forty-characters-0001'])).toEqual([
      ...['websocket good', 'http good', ...unknown],
      expect.stringContaining('ready for a call'),
    ]);
  });

  const relays = async (given: string, transport: 'udp' | 'tcp') => {
    const turn = await startTurn(secret, { transport });
    const found = await check([], ['--turn-url', turn.url, '--turn-secret', given]);
    turn.stop();
    return found.find((finding) => finding.startsWith(`turn-${transport}`));
  };
  for (const { transport, tags } of [
    { transport: 'udp', tags: ['slow'] },
    { transport: 'tcp', tags: [] },
  ] as const)
    test(`reports a relay by ${transport} that refuses the credential as a problem of the site`, {
      tags: [...tags],
    }, async () => {
      expect(await relays('not-what-the-relay-has', transport)).toBe(`turn-${transport} site`);
    });

  test('reports a relay that does not respond as possibly blocked', { tags: ['slow'] }, async () => {
    const found = await check([], ['--turn-url', 'turn:127.0.0.1:9?transport=udp', '--turn-secret', secret]);
    expect(found).toContain('turn-udp bad');
  });
});
