/** The library in a real browser where WebSockets do not work: each fallback transport, and many tabs by HTTP/1.1. */
import { join as joinPath } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Connection } from '../../app/client/connection.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { type Fault, type Spoiled, startSpoiled } from '../client/spoiled.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, open, untilSeen, say as write } from './browser.ts';

/** Globals of this test's pages. */
type Own = { connection: Connection; received: string[] };
declare global {
  interface Window extends Own {
    genkan: { Connection: typeof Connection };
  }
}

/** The library as a script that sets `genkan`. */
const bundle = async (): Promise<string> => {
  const entry = joinPath(import.meta.dirname, '../../app/client/connection.ts');
  const built = await build({
    ...{ configFile: false, logLevel: 'silent' },
    build: { write: false, lib: { entry, formats: ['iife'], name: 'genkan' } },
  });
  const [output] = [built].flat();
  const chunk = output && 'output' in output ? output.output[0] : undefined;
  if (chunk?.type !== 'chunk') throw new Error('the library was not built');
  return chunk.code;
};

describe.skipIf(without('chromium'))('in Chromium', () => {
  let browser: Browser;
  let site: Site;
  let library: string;
  beforeAll(async () => {
    [browser, site, library] = await Promise.all([launch(), startSite([]), bundle()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const timing = { opening: 1_500, climb: 2_000 };
  /** Opens a page of the server's, with a connection to the room. */
  const enter = async (page: Page, network: Spoiled, room: string) => {
    await page.goto(`${network.url}/healthz`);
    await page.addScriptTag({ content: library });
    await page.evaluate(
      ({ url, timing }) => {
        window.connection = new window.genkan.Connection({ url, join: {}, timing });
        window.received = [];
        window.connection.on('event', (event) => event.type === 'chat' && window.received.push(event.text));
      },
      { url: `${network.url.replace('http', 'ws')}/rooms/${room}/ws`, timing },
    );
  };
  const joined = (page: Page) => page.waitForFunction(() => window.connection.state.state === 'joined');
  const transport = (page: Page) => page.evaluate(() => window.connection.transport);
  const received = (page: Page) => page.evaluate(() => window.received);
  const say = (page: Page, text: string) => page.evaluate((line) => window.connection.chat(line), text);

  const networks: { faults: Fault[]; expected: string; tags: string[] }[] = [
    { faults: ['refuses upgrades'], expected: 'sse', tags: ['slow'] },
    { faults: ['swallows WebSockets'], expected: 'sse', tags: ['slow'] },
    { faults: ['hangs upgrades', 'buffers streams'], expected: 'poll', tags: [] },
    { faults: ['cuts WebSockets', 'cuts streams'], expected: 'poll', tags: ['slow'] },
  ];
  for (const { faults, expected, tags } of networks)
    test(`a network that ${faults.join(' and ')}: ${expected}, and a WebSocket once it works`, { tags }, async () => {
      const network = await startSpoiled(site.direct.http, faults);
      const context = await browser.newContext({ bypassCSP: true });
      const page = await context.newPage();
      const room = faults.join('-').replaceAll(' ', '-');
      const other = new WebSocketPeer(site.direct.http, room);
      await other.join();
      await enter(page, network, room);
      await joined(page);
      const texts: string[] = [];
      const talk = async () => {
        const text = `text ${texts.length}`;
        texts.push(text);
        await other.send({ type: 'chat', text });
        expect(await say(page, text)).toEqual({ accepted: true });
      };
      do await talk();
      while (texts.length < 10 || (await transport(page)) !== expected);
      network.faults.clear();
      do await talk();
      while ((await transport(page)) !== 'websocket');
      for (let more = 0; more < 5; more += 1) await talk();
      await expect.poll(() => received(page)).toEqual(texts);
      await expect.poll(() => other.inbox.of('chat').map(({ text }) => text)).toEqual(texts);
      expect(other.inbox.of('peer-joined')).toHaveLength(1);
      await page.close({ runBeforeUnload: false });
      await context.close();
      other.dispose();
      network.close();
    });

  test('a call without a WebSocket; a closed page leaves', { tags: ['slow'] }, async () => {
    const network = await startSpoiled(site.direct.http, ['refuses upgrades']);
    const [a, b] = [await open(browser, `${network.url}/rooms/call`), await open(browser, `${network.url}/rooms/call`)];
    await join(a, 'A');
    await join(b, 'B');
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    await write(a, 'by streams');
    await b.page.getByRole('button', { name: /1 new message/ }).waitFor();
    const watcher = new WebSocketPeer(site.direct.http, 'call');
    await watcher.join();
    await a.page.close({ runBeforeUnload: true });
    expect(await watcher.inbox.take('peer-left')).toMatchObject({ reason: 'left' });
    await Promise.all([a.context.close(), b.context.close()]);
    watcher.dispose();
    network.close();
  });

  test('eight tabs of one browser by HTTP/1.1, which has six connections, can all chat', async () => {
    const network = await startSpoiled(site.direct.http, ['refuses upgrades']);
    const context = await browser.newContext({ bypassCSP: true });
    const pages = await Promise.all(Array.from({ length: 8 }, () => context.newPage()));
    for (const page of pages) await enter(page, network, 'tabs');
    await Promise.all(pages.map(joined));
    const texts = pages.map((_, tab) => `tab ${tab}`);
    const results = await Promise.all(pages.map((page, tab) => say(page, texts[tab] ?? '')));
    expect(results).toEqual(pages.map(() => ({ accepted: true })));
    for (const [tab, page] of pages.entries()) {
      const others = texts.filter((_, other) => other !== tab);
      await expect.poll(async () => (await received(page)).toSorted(), { timeout: 15_000 }).toEqual(others);
    }
    const streams = async () => (await Promise.all(pages.map(transport))).filter((carrier) => carrier === 'sse').length;
    expect(await streams()).toBe(4);
    // A closed tab frees its slot for another.
    for (const [tab, page] of pages.entries()) {
      if ((await transport(page)) !== 'sse') continue;
      pages.splice(tab, 1);
      await page.close();
      break;
    }
    await expect.poll(streams, { timeout: 15_000 }).toBe(4);
    await context.close();
    network.close();
  });
});
