/** The headers that each listener trusts, the origins it accepts, and its pages and their headers. */
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { securityHeaders } from '../../../app/web/security-headers.ts';
import { type Site, startSite } from '../../signaling/site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite([
    '--static-map',
    `/extra=${join(import.meta.dirname, '../../signaling')}`,
    '--allowed-origins',
    'https://friend.example',
    '--drain-timeout',
    '1',
  ]);
});
afterAll(() => site.stop());

type Answer = { status: number; headers: Record<string, unknown>; body: string };
/** node:http, because fetch does not let a test set Host and Origin. */
const get = (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { headers, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on('error', reject).end();
  });

/** The client address and scheme as the server logged them. */
const seenClient = async (base: string, headers: Record<string, string>): Promise<unknown> => {
  // Queries are not logged.
  const mark = `/nowhere/${Math.random()}`;
  await get(`${base}${mark}`, headers);
  return site.logs.find(({ url }) => url === mark)?.ip;
};

describe('the client address', () => {
  const forged = { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' };
  test('--http trusts no header', async () => {
    expect(await seenClient(site.direct.http, forged)).toBe('127.0.0.1');
  });
  test('--http-socket trusts the front end, and of a chain only what the front end added', async () => {
    expect(await seenClient(site.direct['http-socket'], forged)).toBe('203.0.113.9');
    const chain = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };
    expect(await seenClient(site.direct['http-socket'], chain)).toBe('203.0.113.9');
  });
  test.each(['socket', 'unix'] as const)('--socket (%s) trusts the variables, not the headers', async (listener) => {
    expect(await seenClient(site.direct[listener], forged)).toBe('127.0.0.1');
  });
});

describe('origins', () => {
  const origins = (base: string) => ({ own: base, friend: 'https://friend.example', foreign: 'https://evil.example' });
  test.each(['http', 'http-socket', 'socket', 'unix'] as const)('--%s', async (listener) => {
    const base = site.direct[listener];
    const { own, friend, foreign } = origins(base);
    const join = async (origin?: string) =>
      (await get(`${base}/rooms/o/join`, origin === undefined ? {} : { origin }, 'POST')).status;
    expect([await join(), await join(own), await join(friend)]).toEqual([200, 200, 200]);
    expect([await join(foreign), await join('null')]).toEqual([403, 403]);
    const closed = await new Promise((resolve) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/rooms/o/ws`, 'genkan.v1', { origin: foreign });
      socket.on('close', resolve);
    });
    expect(closed).toBe(4505);
  });
});

describe('pages', () => {
  test.each(['/', '/rooms/玄関'])('%s is the page, revalidated each time, with every security header', async (path) => {
    const { status, headers } = await get(site.direct.http + encodeURI(path));
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
    expect(headers).toMatchObject(securityHeaders);
  });

  test('its scripts are immutable under their names, and compressed on request', async () => {
    const { body } = await get(`${site.direct.http}/`);
    const script = /src="\.?\/?(js\/[\w-]+\.js)"/.exec(body)?.[1] ?? 'none';
    const plain = await get(`${site.direct.http}/${script}`);
    expect(plain.status).toBe(200);
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await get(`${site.direct.http}/${script}`, { 'accept-encoding': 'gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(Number(packed.headers['content-length'])).toBeLessThan(Number(plain.headers['content-length']));
    const range = await get(`${site.direct.http}/${script}`, { range: 'bytes=5-9' });
    expect([range.status, range.body]).toEqual([206, plain.body.slice(5, 10)]);
  });

  test('the library keeps its name, is revalidated each time, and may be imported by other sites', async () => {
    const library = await get(`${site.direct.http}/js/genkan.js`, { 'accept-encoding': 'br, gzip' });
    expect(library).toMatchObject({ status: 200, headers: { 'content-encoding': 'br', 'cache-control': 'no-cache' } });
    expect(library.headers['access-control-allow-origin']).toBe('*');
    const same = { 'accept-encoding': 'br, gzip', 'if-none-match': String(library.headers.etag) };
    expect((await get(`${site.direct.http}/js/genkan.js`, same)).status).toBe(304);
    const declarations = await get(`${site.direct.http}/js/genkan.d.ts`);
    expect(declarations.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache',
    });
    expect(declarations.body).toContain('export declare const join');
  });

  test('further directories are served below their prefix, and nothing outside them', async () => {
    const file = await get(`${site.direct.http}/extra/test-context.ts`, { range: 'bytes=0-2' });
    expect([file.status, file.body]).toEqual([206, '/**']);
    expect((await get(`${site.direct.http}/extra/../http/site.ts`)).status).toBe(404);
    expect((await get(`${site.direct.http}/extra/gone.ts`)).status).toBe(404);
  });

  test('a missing file gets 404, with the same headers', async () => {
    for (const path of ['/js/gone.js', '/nothing', '/rooms/a/nothing', '/js/../index.html', '/js/%2e%2e/index.html']) {
      const { status, headers } = await get(site.direct.http + path);
      expect([path, status]).toEqual([path, 404]);
      expect(headers).toMatchObject(securityHeaders);
    }
  });
});
