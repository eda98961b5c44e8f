/**
 * `npm run vitals`: how soon the page is loaded and usable on a slow phone, through a real nginx with the shipped files; scored like
 * Lighthouse, which is too large to be a dependency. Exits with 1 if a view scores below 95.
 */
import { join } from 'node:path';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { startNginx } from '../nginx/nginx.ts';
import { startSite } from '../signaling/site.ts';
import { launch, wholeChromium } from '../stack/browser.ts';
import { median } from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const least = 95;

const metrics = ['fcp', 'lcp', 'tbt', 'cls'] as const;
type Measured = Record<(typeof metrics)[number], number>;

/**
 * The values that score 90 and 50, and the weights, of Lighthouse 10 to 12 on phones; milliseconds, `cls` has no unit. Its speed index, a
 * tenth, is computed from screenshots and left out. https://developer.chrome.com/docs/lighthouse/performance/performance-scoring
 */
const curves = {
  fcp: { p10: 1_800, median: 3_000, weight: 10 },
  lcp: { p10: 2_500, median: 4_000, weight: 25 },
  tbt: { p10: 200, median: 600, weight: 30 },
  cls: { p10: 0.1, median: 0.25, weight: 25 },
};

/** The share of a log-normal distribution above `value`, given its median and its lower tenth. */
const above = (value: number, { p10, median: middle }: { p10: number; median: number }): number => {
  if (value <= 0) return 1;
  // A tenth of the standard normal distribution is below −1.2816.
  const deviation = Math.log(middle / p10) / 1.2815515655446004;
  return 1 - normal(Math.log(value / middle) / deviation);
};

/** The share of the standard normal distribution below x; https://dlmf.nist.gov/7.6#E1 for its error function. */
const normal = (x: number): number => {
  if (Math.abs(x) > 6) return x > 0 ? 1 : 0;
  const z = x / Math.SQRT2;
  let [sum, term] = [z, z];
  for (let n = 1; n < 200; n += 1) {
    term *= (-z * z) / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 + sum / Math.sqrt(Math.PI);
};

const scoreOf = (measured: Measured): number => {
  const all = metrics.map((name) => ({ ...curves[name], share: above(measured[name], curves[name]) }));
  const weights = all.reduce((sum, { weight }) => sum + weight, 0);
  return (100 * all.reduce((sum, { weight, share }) => sum + weight * share, 0)) / weights;
};

declare const window: Window & typeof globalThis & { vitals: Measured };

const observe = (): void => {
  const vitals = { fcp: 0, lcp: 0, tbt: 0, cls: 0 };
  Object.assign(window, { vitals });
  const on = (type: string, take: (entry: PerformanceEntry) => void) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  on('paint', ({ name, startTime }) => {
    if (name === 'first-contentful-paint') vitals.fcp = startTime;
  });
  on('largest-contentful-paint', ({ startTime }) => {
    vitals.lcp = startTime;
  });
  on('longtask', ({ startTime, duration }) => {
    if (vitals.fcp > 0 && startTime >= vitals.fcp) vitals.tbt += Math.max(0, duration - 50);
  });
  on('layout-shift', (entry) => {
    const { value, hadRecentInput } = entry as PerformanceEntry & { value: number; hadRecentInput: boolean };
    if (!hadRecentInput) vitals.cls += value;
  });
};

/** A phone of some years ago on a slow 4G network: a quarter of the CPU speed, a latency of 0.56 s, 1.6 Mbit/s less a tenth. */
const slowDown = async (cdp: CDPSession): Promise<void> => {
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', {
    ...{
      offline: false,
      latency: 562.5,
      downloadThroughput: (1_474.56 * 1024) / 8,
      uploadThroughput: (675 * 1024) / 8,
    },
  });
};

const measure = async (browser: Browser, url: string, ready: (page: Page) => Promise<void>): Promise<Measured> => {
  const context = await browser.newContext({ viewport: { width: 412, height: 823 }, deviceScaleFactor: 1.75 });
  try {
    const page = await context.newPage();
    await page.addInitScript(observe);
    await slowDown(await context.newCDPSession(page));
    await page.goto(url);
    await ready(page);
    await page.waitForTimeout(3_000);
    return await page.evaluate(() => window.vitals);
  } finally {
    await context.close();
  }
};

const site = await startSite(['--log-level', 'warn']);
const publicDir = join(import.meta.dirname, '../../dist/public');
const nginx = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.unix }, publicDir });
const browser = await launch({ program: wholeChromium });
try {
  const views = { 'the start page': ['', 'New room'], 'the lobby': ['rooms/vitals', 'Join'] } as const;
  for (const [view, [path, button]] of Object.entries(views)) {
    const all: Measured[] = [];
    for (let round = 0; round < rounds; round += 1)
      all.push(
        await measure(browser, `${nginx.url}/${path}`, (page) =>
          page.getByRole('button', { name: button, exact: true }).waitFor(),
        ),
      );
    const middle = Object.fromEntries(metrics.map((name) => [name, median(all.map((each) => each[name]))])) as Measured;
    const score = scoreOf(middle);
    const { fcp, lcp, tbt, cls } = middle;
    console.log(
      `${view}: ${score.toFixed(0)} of 100: first content ${fcp.toFixed(0)} ms, largest content ${lcp.toFixed(0)} ms, ` +
        `blocked ${tbt.toFixed(0)} ms, layout shift ${cls.toFixed(3)} (medians of ${rounds})`,
    );
    if (score < least) process.exitCode = 1;
  }
} finally {
  await browser.close();
  await nginx.stop();
  await site.stop();
}
