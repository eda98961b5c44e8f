/** The library in real browsers: the pages of its README, everything it does between peers, and what remains of it afterwards. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join as joinPath } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type * as Genkan from '../../app/client/room.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { framesDecoded, launch, open } from './browser.ts';

/** Globals of this test's pages. */
type Own = {
  genkan: typeof Genkan;
  room: Genkan.Room;
  share: Genkan.Files;
  emitted: { name: string; value: unknown }[];
  incoming: Genkan.Incoming[];
  outgoing: Genkan.Outgoing;
  /** What was created and not released: see `count`. */
  live: { timers: number; listeners: number; sockets: WebSocket[]; tracks: MediaStreamTrack[] };
  testConnections: RTCPeerConnection[];
};
declare const window: Window & typeof globalThis & Own;

/** Counts what a page creates from now on, and subtracts what is released. */
const count = (): void => {
  const live: Own['live'] = { timers: 0, listeners: 0, sockets: [], tracks: [] };
  Object.assign(window, { live });
  const timers = new Set<unknown>();
  const settle = (timer: unknown) => {
    timers.delete(timer);
    live.timers = timers.size;
  };
  const { setTimeout: set, clearTimeout: clear } = window;
  Object.assign(window, {
    setTimeout: (run: () => void, milliseconds: number) => {
      const timer: unknown = set(() => {
        settle(timer);
        run();
      }, milliseconds);
      timers.add(timer);
      live.timers = timers.size;
      return timer;
    },
    clearTimeout: (timer: number) => {
      settle(timer);
      clear(timer);
    },
    setInterval: () => {
      throw new Error('it was not requested');
    },
    WebSocket: class extends WebSocket {
      constructor(...given: ConstructorParameters<typeof WebSocket>) {
        super(...given);
        live.sockets.push(this);
      }
    },
    RTCPeerConnection: class extends RTCPeerConnection {
      constructor(...given: ConstructorParameters<typeof RTCPeerConnection>) {
        super(...given);
        super.addEventListener('track', ({ track }) => live.tracks.push(track));
      }
    },
  });
  const { connection } = navigator as { connection?: EventTarget };
  for (const target of [window, document, connection]) {
    if (!target) continue;
    const add = target.addEventListener.bind(target) as EventTarget['addEventListener'];
    target.addEventListener = (type: string, listener: EventListener, options?: AddEventListenerOptions) => {
      // The browser driver adds listeners as well.
      const ours = new Error().stack?.includes('/js/genkan.js') ? 1 : 0;
      live.listeners += ours;
      options?.signal?.addEventListener('abort', () => {
        live.listeners -= ours;
      });
      add(type, listener, options);
    };
  }
};

describe.skipIf(without('chromium'))('in Chromium', () => {
  let browser: Browser;
  let site: Site;
  let foreign: Server;
  let foreignUrl: string;
  beforeAll(async () => {
    // Another origin, with the pages of the README at /0 and /1.
    foreign = createServer(({ url = '' }, answer) =>
      answer.setHeader('content-type', 'text/html').end(examples()[Number(url.slice(1))] ?? ''),
    );
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
    const address = foreign.address();
    foreignUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    [browser, site] = await Promise.all([launch(), startSite(['--allowed-origins', foreignUrl])]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
    foreign?.close();
  });

  /** The pages of the README, with this server's address. */
  const examples = () => {
    const readme = readFileSync(joinPath(import.meta.dirname, '../../app/client/README.md'), 'utf8');
    const pages = [...readme.matchAll(/```html\n(.*?)```/gs)].map(([, page = '']) => page);
    return pages.map((page) => page.replaceAll('https://meet.example', site.direct.http));
  };

  type Media = 'camera' | 'none';
  /** A page of the server's own in which the library has joined. */
  const enter = async (room: string, media: Media = 'camera', timing: object = {}) => {
    const { page, context } = await open(browser, `${site.direct.http}/healthz`);
    onTestFinished(() => context.close());
    await page.evaluate(count);
    // As text, otherwise the import would be turned into one of the test's.
    await page.evaluate("import('/js/genkan.js').then((genkan) => Object.assign(window, { genkan }))");
    await page.evaluate(
      async ({ room, media, timing }) => {
        const stream =
          media === 'camera' ? await navigator.mediaDevices.getUserMedia({ audio: true, video: true }) : null;
        const joined = window.genkan.join({ base: `${location.origin}/`, room, media: stream, timing });
        const emitted: Own['emitted'] = [];
        const incoming: Own['incoming'] = [];
        const share = window.genkan.files(joined);
        for (const name of ['peer-joined', 'peer-left', 'reaction', 'quality', 'warning'] as const)
          joined.on(name, (value) => emitted.push({ name, value }));
        share.on('file', (file) => incoming.push(file));
        Object.assign(window, { room: joined, emitted, share, incoming });
      },
      { room, media, timing },
    );
    return { page };
  };
  const connected = (page: Page, others: number) =>
    page.waitForFunction(
      (count) =>
        window.room.peers.length === count &&
        window.room.peers.every(({ connectionState: link }) => link === 'connected'),
      others,
    );
  const framesGoOn = async (page: Page) => {
    const before = await framesDecoded(page);
    await expect.poll(() => framesDecoded(page), { timeout: 20_000 }).toBeGreaterThan(before + 10);
  };
  const firstPeer = (page: Page) => page.evaluate(() => window.room.peers[0]?.id ?? '');
  const troubles = (page: Page) => page.evaluate(() => window.emitted.filter(({ name }) => name === 'warning'));

  test('the page of the README joins from another site and lists the peers', async () => {
    const pages = await Promise.all([open(browser, `${foreignUrl}/0`), open(browser, `${foreignUrl}/0`)]);
    for (const { page } of pages) {
      await page.waitForFunction(() => (document.querySelector('video')?.videoWidth ?? 0) > 0);
      await framesGoOn(page);
    }
    const [one, other] = pages;
    // Like a closed tab, it leaves the room.
    await other?.page.close({ runBeforeUnload: true });
    await one?.page.waitForFunction(() => document.querySelector('video') === null);
    expect(one?.complaints).toEqual([]);
    await Promise.all(pages.map(({ context }) => context.close()));
  });

  test('the file page of the README transfers a file', async () => {
    const [one, other] = [await open(browser, `${foreignUrl}/1`), await open(browser, `${foreignUrl}/1`)];
    const progress = one.page.waitForEvent('console', (message) => message.text() === '1');
    const file = { name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('from hand to hand') };
    // Only peers present when it is shared receive it.
    const link = other.page.getByRole('link', { name: 'note.txt' });
    const passOn = async () => {
      await one.page.locator('input').setInputFiles(file);
      return link.first().isVisible();
    };
    await expect.poll(passOn, { timeout: 20_000, interval: 200 }).toBe(true);
    const text = await link.first().evaluate((a) => fetch((a as HTMLAnchorElement).href).then((copy) => copy.text()));
    expect(text).toBe('from hand to hand');
    await progress;
    expect([...one.complaints, ...other.complaints]).toEqual([]);
    await Promise.all([one.context.close(), other.context.close()]);
  });

  test('after leave() no connection, track, timer, socket or listener is left', async () => {
    const [a, b, c] = [await enter('clean'), await enter('clean'), await enter('clean', 'none')];
    for (const { page } of [a, b, c]) await connected(page, 2);
    const left = (page: Page) =>
      page.evaluate(() => ({
        connections: window.testConnections.filter(({ connectionState }) => connectionState !== 'closed').length,
        tracks: window.live.tracks.filter(({ readyState }) => readyState === 'live').length,
        sockets: window.live.sockets.filter(({ readyState }) => readyState < WebSocket.CLOSING).length,
        timers: window.live.timers,
        listeners: window.live.listeners,
      }));
    const before = await left(a.page);
    expect(before).toMatchObject({ connections: 2, tracks: 4, sockets: 1 });
    expect(before.timers).toBeGreaterThan(0);
    expect(before.listeners).toBe(4);
    // One of its peers leaves first.
    await c.page.evaluate(() => window.room.leave());
    await connected(a.page, 1);
    expect(await left(a.page)).toMatchObject({ connections: 1, tracks: 2 });
    await a.page.evaluate(() => window.room.leave());
    const nothing = { connections: 0, tracks: 0, sockets: 0, timers: 0, listeners: 0 };
    expect(await left(a.page)).toEqual(nothing);
    await b.page.waitForFunction(() => window.room.peers.length === 0);
    expect(await left(b.page)).toMatchObject({ connections: 0, tracks: 0, sockets: 1 });
    await a.page.waitForTimeout(100);
    expect(await left(a.page)).toEqual(nothing);
    expect(await left(c.page)).toEqual(nothing);
    for (const { page } of [a, b, c]) expect(await troubles(page)).toEqual([]);
  });

  test('sent video stays within a budget that shrinks with more peers, and audio has priority', {
    tags: ['slow'],
  }, async () => {
    const [a, b] = [await enter('budget'), await enter('budget')];
    await connected(a.page, 1);
    const encodings = (page: Page) =>
      page.evaluate(() =>
        window.testConnections
          .filter(({ connectionState }) => connectionState === 'connected')
          .map((connection) => {
            const of = (kind: string) =>
              connection
                .getSenders()
                .find(({ track }) => track?.kind === kind)
                ?.getParameters().encodings[0];
            const { maxBitrate, scaleResolutionDownBy } = of('video') ?? {};
            return { maxBitrate, scaleResolutionDownBy, priority: of('audio')?.priority };
          }),
      );
    await expect
      .poll(() => encodings(a.page))
      .toEqual([{ maxBitrate: 1_700_000, scaleResolutionDownBy: 1, priority: 'high' }]);
    const others = [await enter('budget', 'none'), await enter('budget', 'none'), await enter('budget', 'none')];
    await connected(a.page, 4);
    // The fake camera has 480 lines.
    const less = { maxBitrate: 500_000, scaleResolutionDownBy: 480 / 360, priority: 'high' };
    await expect.poll(() => encodings(a.page)).toEqual(Array(4).fill(less));
    await expect
      .poll(
        () =>
          others[0]?.page.evaluate(async () => {
            const heights: number[] = [];
            for (const connection of window.testConnections)
              for (const stat of (await connection.getStats()).values())
                if (stat.type === 'inbound-rtp' && stat.kind === 'video' && stat.frameHeight)
                  heights.push(stat.frameHeight);
            return heights;
          }),
        { timeout: 20_000 },
      )
      .toEqual([360, 360]);
    for (const { page } of others) await page.evaluate(() => window.room.leave());
    // More is sent only two seconds after the last peer has left.
    await expect.poll(() => encodings(b.page), { timeout: 6000 }).toMatchObject([{ maxBitrate: 1_700_000 }]);
    expect(await troubles(a.page)).toEqual([]);
  });

  test('a shared screen replaces the camera without a new negotiation, in its own size', {
    tags: ['slow'],
  }, async () => {
    const [a, b] = [await enter('screen'), await enter('screen', 'none')];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    await framesGoOn(b.page);
    const description = () => a.page.evaluate(() => window.testConnections[0]?.localDescription?.sdp);
    const before = await description();
    await a.page.evaluate(async () => {
      window.room.setMedia(await navigator.mediaDevices.getDisplayMedia({ video: true }));
    });
    const size = () =>
      b.page.evaluate(() => {
        const track = window.room.peers[0]?.stream.getVideoTracks()[0];
        return track?.getSettings().width;
      });
    await expect.poll(size, { timeout: 20_000 }).toBe(1280);
    expect(await description()).toBe(before);
    const limits = await a.page.evaluate(() => {
      const senders = window.testConnections[0]?.getSenders() ?? [];
      return senders.find(({ track }) => track?.kind === 'video')?.getParameters().encodings[0];
    });
    expect(limits).toMatchObject({ scaleResolutionDownBy: 1 });
  });

  test('the quality of each path is reported', { tags: ['slow'] }, async () => {
    const [a, b] = [await enter('quality', 'camera', { statsInterval: 500 }), await enter('quality')];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    const latest = () => a.page.evaluate(() => window.room.peers[0]?.quality);
    await expect.poll(async () => (await latest())?.bitrateIn ?? 0, { timeout: 20_000 }).toBeGreaterThan(20_000);
    await expect.poll(async () => (await latest())?.bitrateOut ?? 0).toBeGreaterThan(20_000);
    expect(await latest()).toMatchObject({ level: 'good', relayed: false, rtt: expect.any(Number) });
    expect((await latest())?.rtt).toBeLessThan(300);
    const looks = () => a.page.evaluate(() => window.emitted.filter(({ name }) => name === 'quality').length);
    await expect.poll(looks, { timeout: 15_000 }).toBeGreaterThan(2);
  });

  test('the audio level of a peer is reported, and is zero for a muted one', { tags: ['slow'] }, async () => {
    const [a, b] = [await enter('volume', 'camera'), await enter('volume', 'camera')];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    const volume = () => a.page.evaluate(() => window.room.volume(window.room.peers[0]?.id ?? ''));
    expect(await a.page.evaluate(() => window.room.volume('nobody'))).toBe(0);
    await a.page.evaluate(() => Object.assign(new Audio(), { srcObject: window.room.peers[0]?.stream ?? null }).play());
    // Chromium's microphone beeps once a second.
    await expect.poll(volume, { timeout: 20_000, interval: 20 }).toBeGreaterThan(0.01);
    await b.page.evaluate(() => window.room.setMedia(null));
    await expect.poll(volume, { timeout: 20_000 }).toBe(0);
    for (let look = 0; look < 60; look += 1) {
      expect(await volume()).toBe(0);
      await a.page.waitForTimeout(25);
    }
  });

  test('a changed network restarts ICE at once, and video continues', { tags: ['slow'] }, async () => {
    const [a, b] = [await enter('network'), await enter('network')];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    await framesGoOn(b.page);
    const search = (page: Page) =>
      page.evaluate(() => /ice-ufrag:(\S+)/.exec(window.testConnections[0]?.localDescription?.sdp ?? '')?.[1]);
    const before = [await search(a.page), await search(b.page)];
    await Promise.all([a, b].map(({ page }) => page.evaluate(() => window.dispatchEvent(new Event('online')))));
    await expect.poll(async () => (await search(a.page)) !== before[0]).toBe(true);
    await expect.poll(async () => (await search(b.page)) !== before[1]).toBe(true);
    await framesGoOn(a.page);
    await framesGoOn(b.page);
    for (const { page } of [a, b]) {
      expect(await page.evaluate(() => window.testConnections.length)).toBe(1);
      expect(await page.evaluate(() => window.room.peers[0]?.connectionState)).toBe('connected');
      expect(await troubles(page)).toEqual([]);
    }
  });

  test('reactions reach every peer, and a flood of them none', async () => {
    const [a, b, c] = [await enter('react', 'none'), await enter('react', 'none'), await enter('react', 'none')];
    for (const { page } of [a, b, c]) await connected(page, 2);
    const reactionsOf = (page: Page) => page.evaluate(() => window.emitted.filter(({ name }) => name === 'reaction'));
    await expect
      .poll(async () => {
        await a.page.evaluate(() => window.room.react('👏'));
        return [(await reactionsOf(b.page)).length, (await reactionsOf(c.page)).length].every((count) => count > 0);
      })
      .toBe(true);
    const many = await a.page.evaluate(() => Array.from({ length: 100 }, () => window.room.react('🎉')));
    expect(many.filter((sent) => sent).length).toBeLessThanOrEqual(9);
    expect(await b.page.evaluate(() => window.room.react('x'.repeat(64)))).toBe(true);
    expect(
      await b.page.evaluate(() => {
        try {
          return window.room.react('x'.repeat(65));
        } catch (error) {
          return String(error);
        }
      }),
    ).toBe('RangeError: a reaction has 1 to 64 characters');
    await expect.poll(async () => JSON.stringify(await reactionsOf(c.page))).toContain('xxx');
  });

  /** Offers generated bytes from one page to the other, which accepts. */
  const send = async (from: Page, to: Page, size: number) => {
    const peer = await firstPeer(from);
    const hash = await from.evaluate(
      async ({ peer, size }) => {
        const bytes = new Uint8Array(size);
        for (let at = 0; at < size; at += 65_536)
          crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
        window.outgoing = window.share.offer(peer, new File([bytes], 'bytes.bin', { type: 'application/x-bytes' }));
        return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))).join();
      },
      { peer, size },
    );
    await to.waitForFunction(() => window.incoming.length > 0);
    await to.evaluate(() => window.incoming[0]?.accept());
    return hash;
  };
  const received = (page: Page) =>
    page.evaluate(async () => {
      const state = window.incoming[0]?.state;
      if (state?.state !== 'done' || !state.file) return state?.state;
      const bytes = await state.file.arrayBuffer();
      return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))).join();
    });

  test('a file arrives unchanged, both ways, and its sender buffers only a little', async () => {
    const [a, b] = [await enter('file', 'none'), await enter('file', 'none')];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    await a.page.evaluate(() => {
      const { send } = RTCDataChannel.prototype;
      RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: never) {
        send.call(this, data);
        Object.assign(window, { most: Math.max('most' in window ? Number(window.most) : 0, this.bufferedAmount) });
      };
    });
    const there = await send(a.page, b.page, 8 * 2 ** 20 + 77);
    await expect.poll(() => received(b.page), { timeout: 40_000 }).toBe(there);
    const back = await send(b.page, a.page, 300_000);
    await expect.poll(() => received(a.page), { timeout: 20_000 }).toBe(back);
    const most = await a.page.evaluate(() => ('most' in window ? Number(window.most) : 0));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(300_000);
    expect(await a.page.evaluate(() => window.outgoing.state)).toEqual({ state: 'done' });
  });

  test('a file continues when the connection under it is replaced', { tags: ['slow'] }, async () => {
    const timing = { connect: 2_000, disconnected: 200 };
    const [a, b] = [await enter('resume', 'none', timing), await enter('resume', 'none', timing)];
    await Promise.all([connected(a.page, 1), connected(b.page, 1)]);
    await a.page.evaluate(() => {
      const states: string[] = [];
      Object.assign(window, { states });
      // Cut in the middle: once a part was confirmed or, if the other side confirms slowly, once most of it is in flight.
      const { send } = RTCDataChannel.prototype;
      let sent = 0;
      RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown) {
        send.call(this, data as never);
        sent += data instanceof ArrayBuffer ? data.byteLength : 0;
        if (window.testConnections.length === 1 && (window.outgoing?.progress > 2 ** 20 || sent > 5 * 2 ** 20))
          window.testConnections[0]?.close();
      };
    });
    const hash = await send(a.page, b.page, 6 * 2 ** 20);
    await expect.poll(() => received(b.page), { timeout: 50_000 }).toBe(hash);
    expect(await a.page.evaluate(() => window.testConnections.length)).toBeGreaterThan(1);
    await a.page.waitForFunction(() => window.outgoing.state.state === 'done');
  });
});
