/** Below a path of an existing site, in a real browser: pages, links, scripts, WebSocket and calls, and no request outside. */
import { join as joinPath } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Nginx, startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { launch, open } from './browser.ts';
import { describeCall } from './call.ts';

describe.skipIf(without('nginx', 'chromium'))('nginx, below a path', () => {
  let site: Site;
  let nginx: Nginx;
  beforeAll(async () => {
    site = await startSite([]);
    nginx = await startNginx({
      app: { kind: 'uwsgi', address: site.addresses.unix },
      publicDir: joinPath(import.meta.dirname, '../../dist/public'),
      words: ['--mode', 'location', '--base', '/meet/'],
      sites: (port) =>
        `server { listen 127.0.0.1:${port}; location / { return 410; } include snippets/genkan-site.conf; }`,
    });
  });
  afterAll(async () => {
    await nginx.stop();
    await site.stop();
  });

  test('the start page leads to a room, and requests nothing outside the path', async () => {
    const browser = await launch();
    const { page, complaints } = await open(browser, `${nginx.url}/meet`);
    expect(page.url()).toBe(`${nginx.url}/meet/`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    page.on('websocket', (socket) => asked.push(new URL(socket.url()).pathname));
    await page.getByLabel('Room name').fill('garden');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${nginx.url}/meet/rooms/garden`);
    await page.reload();
    await page.getByLabel('Your name').waitFor();
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((path) => !path.startsWith('/meet/'))).toEqual([]);
    expect(complaints).toEqual([]);
    await browser.close();
  });

  describe('with two people', { tags: ['slow'] }, () => describeCall('nginx below a path', () => `${nginx.url}/meet`));
});
