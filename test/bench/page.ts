/**
 * `npm run bench:page`: the call page compared with minimal.html on the bare relay, in one Chromium and in turns: the time from the click
 * on Join to the first remote frame, the CPU time in calls of 2, 4 and 6, and the bytes fetched until the page can be used.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { type Camera, framesDecoded, giveCamera, launch, wholeChromium } from '../stack/browser.ts';
import { bare, descendantsOf, genkan, median, type Server } from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 12);
const seconds = Number(process.env.SECONDS ?? 8);
const parts = parseArgs({ allowPositionals: true }).positionals;
const wants = (part: string) => parts.length === 0 || parts.includes(part);

/** The number of participants, and a picture size that two processors can handle for so many. */
const calls: { people: number; camera: Camera }[] = [
  { people: 2, camera: { width: 640, height: 360, frameRate: 20 } },
  { people: 4, camera: { width: 160, height: 90, frameRate: 10 } },
  { people: 6, camera: { width: 160, height: 90, frameRate: 5 } },
];

type Contestant = { name: string; url: (room: string) => string };
type Person = { page: Page; context: BrowserContext };
declare const window: Window & typeof globalThis & { benchFirstFrame?: number };

/** Keeps the time from a click on Join to the first remote frame. */
const timeFirstFrame = (): void => {
  const await_ = (clicked: number) => {
    const look = () => {
      const video = document.querySelector<HTMLVideoElement>('video:not([data-self], [data-self] *)');
      if (!video) return requestAnimationFrame(look);
      return video.requestVideoFrameCallback((now) => Object.assign(window, { benchFirstFrame: now - clicked }));
    };
    look();
  };
  addEventListener(
    'click',
    ({ target, timeStamp }) => (target as Element).closest('button')?.innerText === 'Join' && await_(timeStamp),
    { capture: true },
  );
};

/** In a context of its own, from the click on Join. */
const arrive = async (browser: Browser, url: string, camera: Camera): Promise<Person> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addInitScript(giveCamera, camera);
  await context.addInitScript(timeFirstFrame);
  await context.addInitScript(keepConnections);
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(
    () => (document.querySelector<HTMLVideoElement>('video[data-self], [data-self] video')?.videoWidth ?? 0) > 0,
  );
  return { page, context };
};

const keepConnections = (): void => {
  const all: RTCPeerConnection[] = [];
  Object.assign(window, { testConnections: all });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...given: ConstructorParameters<typeof RTCPeerConnection>) {
      super(...given);
      all.push(this);
    }
  };
};

const clickJoin = ({ page }: Person) => page.getByRole('button', { name: 'Join', exact: true }).click();
const shows = ({ page }: Person, others: number) =>
  page.waitForFunction(
    (count) => {
      const videos = [...document.querySelectorAll<HTMLVideoElement>('video:not([data-self], [data-self] *)')];
      return videos.length === count && videos.every(({ videoWidth }) => videoWidth > 0);
    },
    others,
    { timeout: 60_000 },
  );

// ── from the click to the first frame ────────────────────────────────────────────────────────────────────────────────

const joining = async (browser: Browser, contestants: Contestant[]): Promise<void> => {
  const [{ camera } = { camera: { width: 640, height: 360, frameRate: 20 } }] = calls;
  const hosts = await Promise.all(
    contestants.map(async ({ url }) => {
      const host = await arrive(browser, url('join'), camera);
      await clickJoin(host);
      return host;
    }),
  );
  const times = contestants.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1)
    for (const [index, { url }] of inTurn(contestants, round)) {
      const milliseconds = await firstFrame(browser, url('join'), camera);
      await shows(hosts[index] as Person, 0);
      // The first visit pays for what the browser keeps afterwards.
      if (round > 0) times[index]?.push(milliseconds);
    }
  for (const { context } of hosts) await context.close();
  const medians = times.map(median);
  for (const [index, { name }] of contestants.entries())
    console.log(
      `click on Join to the first frame: ${name} ${medians[index]?.toFixed(0)} ms (${range(times[index] ?? [])}, ${rounds} rounds)`,
    );
  console.log(`  ratio ${ratio(medians)}`);
};

const firstFrame = async (browser: Browser, url: string, camera: Camera): Promise<number> => {
  const person = await arrive(browser, url, camera);
  // The user looks at the lobby for a moment.
  await person.page.waitForTimeout(500);
  await clickJoin(person);
  const first = await person.page.waitForFunction(() => window.benchFirstFrame);
  const milliseconds = Number(await first.jsonValue());
  await person.page.getByRole('button', { name: 'Leave', exact: true }).click();
  await person.context.close();
  return milliseconds;
};

// ── the cost of a page ───────────────────────────────────────────────────────────────────────────────────────────────

type Cost = { cpu: number; frames: number; kilobits: number };

const costs = async (browser: Browser, contestants: Contestant[]): Promise<void> => {
  for (const { people, camera } of calls) {
    const all = contestants.map((): Cost[] => []);
    for (let round = 0; round < 2; round += 1)
      for (const [index, { url }] of inTurn(contestants, round))
        all[index]?.push(await costOf(browser, url(`cost-${people}-${round}`), people, camera));
    const mean = (index: number, what: keyof Cost) =>
      (all[index] ?? []).reduce((sum, cost) => sum + cost[what], 0) / (all[index]?.length ?? 1);
    for (const [index, { name }] of contestants.entries())
      console.log(
        `a page in a call of ${people}, ${camera.width}×${camera.height} at ${camera.frameRate}: ${name} ${(100 * mean(index, 'cpu')).toFixed(1)} % of a core, ` +
          `${mean(index, 'frames').toFixed(1)} frames/s and ${mean(index, 'kilobits').toFixed(0)} kbit/s decoded`,
      );
    // On a machine too busy for all frames, the page that shows more of them would look more expensive.
    const eachFrame = contestants.map((_, index) => mean(index, 'cpu') / mean(index, 'frames'));
    console.log(
      `  ratio ${ratio(contestants.map((_, index) => mean(index, 'cpu')))}, for each frame ${ratio(eachFrame)}`,
    );
  }
};

const costOf = async (browser: Browser, url: string, count: number, camera: Camera): Promise<Cost> => {
  const people: Person[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const person = await arrive(browser, url, camera);
      people.push(person);
      await clickJoin(person);
    }
    await Promise.all(people.map((person) => shows(person, count - 1)));
    // Until the bandwidth estimates have settled.
    await people[0]?.page.waitForTimeout(4_000);
    const before = { cpu: browserCpu(), ...(await received(people)) };
    const begin = performance.now();
    await people[0]?.page.waitForTimeout(1_000 * seconds);
    const took = (performance.now() - begin) / 1_000;
    const cpu = browserCpu() - before.cpu;
    const after = await received(people);
    const each = count * took;
    return {
      cpu: cpu / each,
      frames: (after.frames - before.frames) / each,
      kilobits: (8 * (after.bytes - before.bytes)) / 1_000 / each,
    };
  } finally {
    await Promise.all(people.map(({ context }) => context.close()));
  }
};

const received = async (people: Person[]): Promise<{ frames: number; bytes: number }> => {
  const all = await Promise.all(
    people.map(async ({ page }) => ({ frames: await framesDecoded(page), bytes: await bytesOf(page) })),
  );
  return all.reduce((sum, { frames, bytes }) => ({ frames: sum.frames + frames, bytes: sum.bytes + bytes }));
};

const bytesOf = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    let bytes = 0;
    const all = 'testConnections' in window ? window.testConnections : [];
    for (const connection of all as RTCPeerConnection[])
      for (const stat of (await connection.getStats()).values())
        if (stat.type === 'inbound-rtp') bytes += stat.bytesReceived ?? 0;
    return bytes;
  });

/** CPU seconds of the browser with all its processes, including threads that have ended. */
const browserCpu = (): number =>
  descendantsOf(process.pid).reduce((sum, pid) => {
    const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const fields = rest.split(' ');
    return name.startsWith('chrom') ? sum + (Number(fields[11]) + Number(fields[12])) / 100 : sum;
  }, 0);

// ── what is fetched ──────────────────────────────────────────────────────────────────────────────────────────────────

const fetched = async (browser: Browser, { name, url }: Contestant): Promise<void> => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  const bytes = await countBytes(cdp);
  await page.goto(url('bytes'));
  await page.getByRole('button', { name: 'Join', exact: true }).waitFor();
  console.log(`fetched until the lobby of ${name} can be used: ${kilobytes(bytes)}`);
  await context.close();
};

const countBytes = async (cdp: CDPSession): Promise<Map<string, number>> => {
  const types = new Map<string, string>();
  const bytes = new Map<string, number>();
  cdp.on('Network.responseReceived', ({ requestId, type }) => types.set(requestId, type));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const type = types.get(requestId) ?? 'Other';
    bytes.set(type, (bytes.get(type) ?? 0) + encodedDataLength);
  });
  await cdp.send('Network.enable');
  return bytes;
};

const kilobytes = (bytes: Map<string, number>): string =>
  [...bytes].map(([type, size]) => `${type.toLowerCase()} ${(size / 1000).toFixed(1)} kB`).join(', ');

// ── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Each round starts with another one. */
const inTurn = <Each>(all: Each[], round: number): [number, Each][] => {
  const entries = [...all.entries()];
  return round % 2 === 0 ? entries : entries.reverse();
};

const ratio = ([ours = 0, theirs = 0]: number[]): string => `${(ours / theirs).toFixed(2)} ×`;
const range = (times: number[]): string => `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)}`;

const servers: Server[] = [await genkan(), await bare()];
const at = (index: number) => servers[index]?.base.replace('ws', 'http');
const contestants: Contestant[] = [
  { name: 'Genkan', url: (room) => `${at(0)}/rooms/${room}` },
  { name: 'the minimal page', url: (room) => `${at(1)}/${room}` },
];
const browser = await launch({ program: wholeChromium });
try {
  if (wants('fetched')) for (const contestant of contestants) await fetched(browser, contestant);
  if (wants('join')) await joining(browser, contestants);
  if (wants('cpu')) await costs(browser, contestants);
} finally {
  await browser.close();
  for (const server of servers) await server.stop();
}
