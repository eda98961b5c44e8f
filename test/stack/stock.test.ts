/**
 * Pages in Chromium and Firefox where nginx has the lines of common guides: by each HTTP version, by every nginx, and where the port is
 * lost.
 */

import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { knows } from '../../app/nginx/version.ts';
import { certificate } from '../nginx/modes.ts';
import { type Stock, startStock } from '../nginx/stock.ts';
import { freePort } from '../setup/free-port.ts';
import { nginxes } from '../setup/nginxes.ts';
import { isThorough, without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, launchFirefox, open, type Person } from './browser.ts';

const makes = ['Chromium', 'Firefox'] as const;
type Make = (typeof makes)[number];
/** The results of what a page does with its own server. */
type Met = { join: string; by: string; webSocket: string };

/** By HTTP/3 browsers reach only hosts that were announced to them. */
const hosts = { http: 'localhost', two: 'two.localhost', three: 'three.localhost' };
const lacks = without('nginx', 'chromium', 'firefox-esr');
const files = certificate(hosts.two, hosts.three);
afterAll(() => files.remove());

/** The format of --ignore-certificate-errors-spki-list. */
const fingerprint = (): string => {
  const { publicKey } = new X509Certificate(readFileSync(files.chain));
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
};

/** Browsers that use HTTP/3 with this port. */
const launchBoth = async (port: number): Promise<Record<Make, Browser>> => {
  const [Chromium, Firefox] = await Promise.all([
    launch({
      without: ['--disable-quic'],
      also: [
        '--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP localhost 127.0.0.1, EXCLUDE 127.0.0.1',
        `--origin-to-force-quic-on=${hosts.three}:${port}`,
        `--ignore-certificate-errors-spki-list=${fingerprint()}`,
      ],
    }),
    launchFirefox({
      also: {
        'network.http.http3.disable_when_third_party_roots_found': false,
        'network.http.http3.alt-svc-mapping-for-testing': `${hosts.three};h3=:${port}`,
      },
    }),
  ]);
  return { Chromium, Firefox };
};

const meet = async (browser: Browser, url: string): Promise<Met> => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`${url}/rooms/r`);
  const met = await page.evaluate(async (room) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`/rooms/${room}/join`, { method: 'POST', headers, body: '{}' });
    const outcomeOf = ({ type, code }: { type: string; code?: string }) => code ?? type;
    const entry = performance.getEntriesByType('resource').at(-1);
    const webSocket = await new Promise<string>((resolve) => {
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/rooms/${room}/ws`, 'genkan.v1');
      socket.onopen = () => socket.send('{"type":"join"}');
      socket.onmessage = ({ data }) => resolve(outcomeOf(JSON.parse(data)));
      socket.onerror = () => resolve('failed');
    });
    const by = entry instanceof PerformanceResourceTiming ? entry.nextHopProtocol : '';
    return { join: outcomeOf(await answer.json()), by, webSocket };
  }, crypto.randomUUID());
  await context.close();
  return met;
};

/** Like a container's published port: bytes are forwarded unread. */
const publish = async (port: number): Promise<Server> => {
  const server = createServer((outside) => {
    const inside = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const)
      one.pipe(other).on('error', () => one.destroy());
    for (const one of [outside, inside]) one.on('close', () => outside.destroy() && inside.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

for (const by of nginxes)
  describe.skipIf(lacks || by.version === undefined)(by.name, { tags: by === nginxes.at(-1) ? [] : ['slow'] }, () => {
    const hasHttp3 = by.version !== undefined && knows(by.version).quic;
    let site: Site;
    let stocks: Record<'plain' | 'secure', Stock>;
    let browsers: Record<Make, Browser>;
    beforeAll(async () => {
      site = await startSite([]);
      const setup = { by, app: site.addresses.socket, params: 'distribution' } as const;
      const start = async (more: object) => startStock({ ...setup, ...more, outer: await freePort() });
      stocks = { plain: await start({}), secure: await start({ certificate: files }) };
      browsers = await launchBoth(stocks.secure.port);
    });
    afterAll(async () => {
      await Promise.all(Object.values(browsers ?? {}).map((browser) => browser.close()));
      await Promise.all(Object.values(stocks ?? {}).map((stock) => stock.stop()));
      await site?.stop();
    });

    const all = (protocol: string): Met => ({ join: 'joined', by: protocol, webSocket: 'joined' });

    test.each(makes)('%s by HTTP/1.1', { tags: ['slow'] }, async (make) => {
      expect(await meet(browsers[make], `http://${hosts.http}:${stocks.plain.port}`)).toEqual(all('http/1.1'));
    });

    test.each(makes)('%s by HTTP/2', async (make) => {
      expect(await meet(browsers[make], `https://${hosts.two}:${stocks.secure.port}`)).toEqual(all('h2'));
    });

    test.skipIf(!hasHttp3).each(makes)('%s by HTTP/3', async (make) => {
      expect(await meet(browsers[make], `https://${hosts.three}:${stocks.secure.port}`)).toEqual(all('h3'));
    });

    test('behind a proxy that passes Host $host, Chromium sends the site of the page only over plain HTTP', async () => {
      const url = `http://${hosts.http}:${stocks.plain.outer}`;
      const [chromium, firefox] = [await meet(browsers.Chromium, url), await meet(browsers.Firefox, url)];
      expect(chromium).toEqual({ ...all('http/1.1'), webSocket: 'origin-refused' });
      expect(firefox).toEqual(all('http/1.1'));
    });

    // The browsers' behaviour here does not depend on nginx.
    const isOne = isThorough || by === nginxes.at(-1);
    test.skipIf(!isOne)(
      'behind a published port, which loses the port as well, two peers meet nevertheless',
      async () => {
        const server = await publish(stocks.plain.port);
        onTestFinished(() => void server.close());
        const bound = server.address();
        const url = `http://${hosts.http}:${typeof bound === 'object' ? bound?.port : 0}/rooms/${crypto.randomUUID()}`;
        const people: Person[] = [];
        for (const make of makes) {
          const person = await open(browsers[make], url);
          onTestFinished(() => person.context.close());
          people.push(person);
          await join(person, make);
        }
        for (const { page } of people) await page.locator('[data-peer]').waitFor();
        expect(people.flatMap(({ complaints }) => complaints)).toEqual([]);
      },
    );
  });
