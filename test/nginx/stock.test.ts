/** Origin checks behind an nginx that has the lines of common guides, without our configuration: by every version of nginx and HTTP. */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { knows } from '../../app/nginx/version.ts';
import { freePort } from '../setup/free-port.ts';
import { findCurl, nginxes } from '../setup/nginxes.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask, post, type Target } from './ask.ts';
import { certificate } from './modes.ts';
import { type Stock, startStock } from './stock.ts';

const host = 'localhost';
const files = certificate(host);
const curl = findCurl();
const execute = promisify(execFile);
let site: Site;
let ca: string;
beforeAll(async () => {
  ca = await readFile(files.chain, 'utf8');
  site = await startSite(['--join-burst', '1000']);
});
afterAll(async () => {
  await site.stop();
  files.remove();
});

/** The response to a page of `origin`: `joined`, or an error code. */
const codeOf = (body: string): string => {
  const { type, code } = JSON.parse(body);
  return type === 'error' || type === 'bye' ? code : type;
};

const byHttp1 = async (target: Target, origin: string, more: Record<string, string> = {}) => {
  const { headers, ...question } = post('{}');
  return codeOf(
    (
      await ask(target, `/rooms/${randomUUID()}/join`, {
        ...question,
        headers: { ...headers, Origin: origin, ...more },
      })
    ).body,
  );
};

const byHttp2 = async ({ port }: Target, origin: string): Promise<string> => {
  const session = connect(`https://127.0.0.1:${port}`, { ca, servername: host });
  const [method, type] = [
    { ':method': 'POST', ':path': `/rooms/${randomUUID()}/join` },
    { 'content-type': 'application/json' },
  ];
  const stream = session.request({ ...method, ...type, ':authority': `${host}:${port}`, origin }).end('{}');
  const parts = await stream.setEncoding('utf8').toArray();
  session.close();
  return codeOf(parts.join(''));
};

const byHttp3 = async ({ port }: Target, origin: string, ...more: string[]): Promise<string> => {
  const headers = [`Origin: ${origin}`, ...more].flatMap((header) => ['--header', header]);
  const to = ['--http3-only', '--resolve', `${host}:${port}:127.0.0.1`, '--cacert', files.chain, '--max-time', '10'];
  const words = [
    '--silent',
    '--show-error',
    ...to,
    '--json',
    '{}',
    ...headers,
    `https://${host}:${port}/rooms/${randomUUID()}/join`,
  ];
  return codeOf((await execute(curl ?? '', words)).stdout);
};

/** Firefox sends `site`, Chromium nothing. */
const byWebSocket = (target: Target, origin: string, site?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { port, tls, headers } = target;
    const more = { ...headers, ...(site === undefined ? {} : { 'Sec-Fetch-Site': site }) };
    const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}/rooms/${randomUUID()}/ws`;
    const socket = new WebSocket(url, 'genkan.v1', { ...tls, headers: more, origin });
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"join"}'));
    socket.once('message', (data) => {
      resolve(codeOf(String(data)));
      socket.terminate();
    });
  });

const cases = (['distribution', 'nginx.org'] as const).flatMap((params) =>
  (['http', 'https'] as const).map((scheme) => ({ params, scheme })),
);

for (const by of nginxes)
  describe.skipIf(by.version === undefined).each(cases)(
    `${by.name}, uwsgi_params of $params, $scheme`,
    ({ params, scheme }) => {
      let stock: Stock;
      let target: Target;
      let outer: Target;
      beforeAll(async () => {
        const app = site.addresses.socket;
        const own = scheme === 'https' ? { certificate: files } : {};
        stock = await startStock({ by, app, params, ...own, outer: await freePort() });
        const at = (port: number): Target => ({ port, headers: { Host: `${host}:${port}` } });
        target = { ...at(stock.port), ...(scheme === 'https' ? { tls: { ca, servername: host } } : {}) };
        outer = at(stock.outer);
      });
      afterAll(() => stock.stop());
      const originOf = (port: number, by: string = scheme) => `${by}://${host}:${port}`;
      /** Foreign origins. */
      const foreign = () => [originOf(1), `${scheme}://other.example:${stock.port}`, `ftp://${host}:${stock.port}`];

      test('by HTTP/1.1 and WebSocket its own origin may join, others may not', async () => {
        const own = originOf(target.port);
        expect([await byHttp1(target, own), await byWebSocket(target, own)]).toEqual(['joined', 'joined']);
        for (const origin of foreign())
          expect([origin, await byHttp1(target, origin), await byWebSocket(target, origin)]).toEqual([
            origin,
            'origin-refused',
            'origin-refused',
          ]);
      });

      test.skipIf(scheme === 'http')('by HTTP/2 its own origin may join, others may not', async () => {
        expect(await byHttp2(target, originOf(target.port))).toBe('joined');
        for (const origin of foreign())
          expect([origin, await byHttp2(target, origin)]).toEqual([origin, 'origin-refused']);
      });

      const hasHttp3 = curl !== undefined && by.version !== undefined && knows(by.version).quic;
      test.skipIf(scheme === 'http' || !hasHttp3)('by HTTP/3 its own origin may join, others may not', async () => {
        // The uwsgi_params of nginx.org pass no host here until nginx itself adds it; a browser sends Sec-Fetch-Site.
        const site = params === 'nginx.org' ? ['Sec-Fetch-Site: same-origin'] : [];
        expect(await byHttp3(target, originOf(target.port), ...site)).toBe('joined');
        for (const origin of foreign())
          expect([origin, await byHttp3(target, origin)]).toEqual([origin, 'origin-refused']);
      });

      test('behind a proxy that loses the port a page may join if its browser sends Sec-Fetch-Site: same-origin', async () => {
        const own = originOf(outer.port, 'http');
        const may = { 'Sec-Fetch-Site': 'same-origin' };
        expect([await byHttp1(outer, own, may), await byWebSocket(outer, own, 'same-origin')]).toEqual([
          'joined',
          'joined',
        ]);
        expect([await byHttp1(outer, own), await byWebSocket(outer, own)]).toEqual([
          'origin-refused',
          'origin-refused',
        ]);
        const other = originOf(1, 'http');
        expect([
          await byHttp1(outer, other, { 'Sec-Fetch-Site': 'same-site' }),
          await byWebSocket(outer, other, 'same-site'),
        ]).toEqual(['origin-refused', 'origin-refused']);
      });
    },
  );
