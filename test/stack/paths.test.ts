/** Paths between browsers that are cut and restored, in a network of their own; the server is not affected. */
import type { Browser } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { chromiumPath, framesDecoded, join, launch, launchFirefox, open, picture, untilSeen } from './browser.ts';
import { startCuttable } from './cuttable.ts';
import { type Fronted, startFronted } from './fronted.ts';
import { createNamespace, type Namespace } from './namespace.ts';

const browsers: Browser[] = [];
let site: Fronted | undefined;
let namespace: Namespace | undefined;
afterEach(async () => {
  await Promise.all(browsers.splice(0).map((browser) => browser.close()));
  await site?.stop();
  namespace?.remove();
});

const lacks = without('nginx', 'chromium', 'iproute2', 'iptables') || process.getuid?.() !== 0;

const openOutside = async ({ url }: Fronted) => {
  const firefox = await launchFirefox();
  browsers.push(firefox);
  return open(firefox, `${url}/rooms/path`);
};

test.skipIf(lacks).for([
  { make: 'Chromium', lacking: false },
  { make: 'Firefox', lacking: without('firefox-esr') },
])(
  'a path to $make that is cut is restored by an ICE restart or, if it took long, by a new connection',
  { tags: ['slow'], timeout: 120_000 },
  async ({ make, lacking }, { skip }) => {
    skip(lacking);
    namespace = createNamespace();
    site = await startFronted();
    // nginx listens on an address that the namespace does not reach.
    const proxy = await startCuttable(site.url, namespace.host);
    const program = namespace.wrap(chromiumPath ?? 'chromium');
    const inside = await launch({ program, site: proxy.url });
    browsers.push(inside);
    const aiko = await open(inside, `${proxy.url}/rooms/path`);
    // Firefox is controlled through a port of its own, which would be unreachable in the namespace.
    const ben = await (make === 'Firefox' ? openOutside(site) : open(inside, aiko.page.url()));
    await join(aiko, 'Aiko');
    await join(ben, 'Ben');
    await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);
    const connections = () =>
      aiko.page.evaluate(() => {
        const all = 'testConnections' in window ? (window.testConnections as RTCPeerConnection[]) : [];
        const fragment = /ice-ufrag:(\S+)/.exec(all.at(-1)?.localDescription?.sdp ?? '')?.[1];
        return { made: all.length, fragment };
      });
    const lost = aiko.page.getByText('Connection lost, trying again…').first();
    const cutFor = async (seconds: number) => {
      namespace?.loseUdp(true);
      await lost.waitFor({ timeout: 20_000 });
      await picture(aiko, 'path-lost');
      const frozen = await framesDecoded(aiko.page);
      await aiko.page.waitForTimeout(seconds * 1000);
      expect(await framesDecoded(aiko.page)).toBeLessThanOrEqual(frozen);
      // No peer has left: the server knows nothing of paths.
      expect(await aiko.page.locator('[data-peer]').count()).toBe(1);
      namespace?.loseUdp(false);
      await lost.waitFor({ state: 'detached', timeout: 40_000 });
      await Promise.all([untilSeen(aiko, 1), untilSeen(ben, 1)]);
    };

    const before = await connections();
    await cutFor(5);
    const restarted = await connections();
    expect(restarted.made).toBe(before.made);
    expect(restarted.fragment).not.toBe(before.fragment);
    await cutFor(20);
    expect((await connections()).made).toBeGreaterThan(before.made);
    // Firefox reports a cut path like this.
    const others = [...aiko.complaints, ...ben.complaints].filter((text) => !text.startsWith('ICE failed'));
    expect(others).toEqual([]);
    proxy.close();
  },
);
