/** Real browsers with fake cameras and microphones, and users who find controls by their labels. */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  firefox,
  type Page,
} from 'playwright-core';
import { isThorough } from '../setup/without.ts';

const whole = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const firstOf = (paths: string[]) => process.env.CHROMIUM ?? paths.find((path) => existsSync(path));
/** Chromium with its windows, menus and profiles, as users have it. */
export const wholeChromium = firstOf(whole);
/** The same engine without those where it is installed, which costs half: `npm test` uses it, `npm run test:all` does not. */
export const chromiumPath = isThorough ? wholeChromium : firstOf(['/usr/bin/chromium-headless-shell', ...whole]);

/** Runs $CHROMIUM with the priorities that a browser has on a user's machine. */
const asAnybody = joinPath(import.meta.dirname, 'as-anybody.sh');

/** Nothing may leave the machine: without these flags Chromium looks for updates and accounts. */
const flags = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Encoding more pictures would cost most of the time of a test.
  '--use-fake-device-for-media-stream=fps=10',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
];

/** Only these hosts are resolved and reached. */
const reachable = ['localhost', '*.local', '127.0.0.1'];

export type ChromiumOptions = {
  /** Flags that are left out. */
  without?: string[];
  /** An address besides this machine's own that is reached, and counts as secure for cameras: http://host:port. */
  site?: string;
  program?: string | undefined;
  /** Further flags; of two with the same name the last counts. */
  also?: string[];
};

export const launch = (options: ChromiumOptions = {}): Promise<Browser> => {
  const { without = [], site, program = chromiumPath, also = [] } = options;
  const hosts = site === undefined ? reachable : [...reachable, new URL(site).hostname];
  const args = flags.filter((flag) => !without.includes(flag));
  args.push(`--host-resolver-rules=${['MAP * ~NOTFOUND', ...hosts.map((host) => `EXCLUDE ${host}`)].join(', ')}`);
  if (site !== undefined) args.push(`--unsafely-treat-insecure-origin-as-secure=${site}`);
  const asRoot = process.getuid?.() === 0;
  return chromium.launch({
    ...(program && { executablePath: asRoot ? asAnybody : program, env: { ...process.env, CHROMIUM: program } }),
    ...{ chromiumSandbox: false, args: [...args, ...also] },
  });
};

/**
 * Keeps Firefox on this machine: a proxy that does not exist for everything but the machine itself. Its camera shows a pattern, and its
 * addresses are not hidden, because nothing resolves `.local` names here.
 */
const preferences = {
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'media.navigator.streams.fake': true,
  'media.navigator.video.default_fps': 10,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
};

const firefoxPath =
  process.env.FIREFOX ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find((path) => existsSync(path));

/**
 * Debian's own Firefox, with which playwright uses WebDriver BiDi.
 * @param downloadsPath where downloads are saved under their own name; no event reports them
 * @param also further preferences
 */
export const launchFirefox = ({
  downloadsPath = tmpdir(),
  also = {} as Record<string, string | number | boolean>,
} = {}): Promise<Browser> =>
  firefox.launch({
    ...{ channel: 'moz-firefox', firefoxUserPrefs: { ...preferences, ...also }, downloadsPath },
    ...(firefoxPath === undefined ? {} : { executablePath: firefoxPath }),
  });

export type Person = {
  page: Page;
  context: BrowserContext;
  /** Errors of the page's console and the browser. */
  complaints: string[];
};

/** Before a screenshot of Firefox an inline style `body {}` is tried, which the page's policy refuses, and reports by its hash. */
const ofScreenshots = 'sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA=';

export type Camera = { width: number; height: number; frameRate: number };

/**
 * For `addInitScript`: a page gets this camera whatever it requests, and audio without processing: processing the audio of many
 * participants on one machine costs more than all else.
 */
export const giveCamera = (camera: Camera): void => {
  const { mediaDevices } = navigator;
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const capture = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = (wanted) =>
    capture({ audio: wanted?.audio ? plain : false, video: wanted?.video ? camera : false });
};

/** Opens the lobby of a room, in a context of its own, and exposes its peer connections to the test. */
export const open = async (
  browser: Browser,
  url: string,
  viewport = { width: 1280, height: 800 },
  options: BrowserContextOptions = {},
): Promise<Person> => {
  const context = await browser.newContext({ viewport, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  await page.addInitScript(() => {
    const all: RTCPeerConnection[] = [];
    Object.assign(window, { testConnections: all });
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...given: ConstructorParameters<typeof RTCPeerConnection>) {
        super(...given);
        all.push(this);
      }
    };
  });
  const complaints: string[] = [];
  const complain = (text: string) => {
    if (!text.includes(ofScreenshots)) complaints.push(text);
  };
  page.on('pageerror', ({ message }) => complain(message));
  page.on('console', (message) => {
    if (message.type() === 'error') complain(message.text());
  });
  await page.goto(url);
  return { page, context, complaints };
};

/** Enters a name, and joins the call once the camera shows. */
export const join = async ({ page }: Person, name: string): Promise<void> => {
  await page.waitForFunction(
    () => (document.querySelector<HTMLVideoElement>('[data-self] video')?.videoWidth ?? 0) > 0,
  );
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await page.getByRole('list', { name: 'People in the call' }).waitFor();
};

/** Frames decoded so far over every open connection, from getStats; in Firefox getStats of one that is closed meanwhile never resolves. */
export const framesDecoded = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    let frames = 0;
    const all = 'testConnections' in window ? window.testConnections : [];
    for (const connection of Array.isArray(all) ? all : []) {
      if (!(connection instanceof RTCPeerConnection) || connection.signalingState === 'closed') continue;
      const late = new Promise<RTCStatsReport>((resolve) => setTimeout(resolve, 2_000, new Map()));
      for (const stat of (await Promise.race([connection.getStats(), late])).values())
        if (stat.type === 'inbound-rtp' && stat.kind === 'video') frames += stat.framesDecoded ?? 0;
    }
    return frames;
  });

/**
 * Resolves when so many more frames were decoded.
 * @throws after `ms`
 */
export const untilDecoded = async (page: Page, more: number, ms = 20_000): Promise<void> => {
  let [seen, last] = [0, await framesDecoded(page)];
  for (const until = Date.now() + ms; seen < more; ) {
    if (Date.now() > until) throw new Error(`${seen} frames were decoded in ${ms} ms`);
    await page.waitForTimeout(200);
    const frames = await framesDecoded(page);
    // Firefox counts from 0 again after an ICE restart, although video continues.
    seen += frames < last ? frames : frames - last;
    last = frames;
  }
};

/**
 * Resolves when the video of so many others plays.
 * @throws after `ms`
 */
export const untilSeen = async ({ page }: Person, others: number, ms = 30_000): Promise<void> => {
  await page.waitForFunction(
    (count) => {
      const videos = [...document.querySelectorAll<HTMLVideoElement>('[data-peer] video')];
      return videos.length === count && videos.every(({ videoWidth }) => videoWidth > 0);
    },
    others,
    { timeout: ms },
  );
  await untilDecoded(page, 10 * others, ms);
};

/** Chooses who may join. The page shows the room's setting, so the choice is checked only once the server has confirmed it. */
export const chooseAccess = async ({ page }: Person, access: string): Promise<void> => {
  await page.getByRole('radio', { name: access }).click();
  await page.getByRole('radio', { name: access, checked: true }).waitFor();
};

/** Writes into the chat, opening it where it is closed. */
export const say = async ({ page }: Person, text: string): Promise<void> => {
  const box = page.getByRole('textbox', { name: 'Message' });
  if (!(await box.isVisible())) await page.getByRole('button', { name: /^Chat/ }).click();
  await box.fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
};

/** A screenshot for review, in test/artifacts, which git ignores. */
export const picture = async ({ page }: Pick<Person, 'page'>, name: string): Promise<void> => {
  const directory = joinPath(import.meta.dirname, '../artifacts');
  mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: joinPath(directory, `${name}.png`) });
};
