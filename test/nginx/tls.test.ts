/** What each version of nginx does with a certificate, beyond the tests of all modes, and by HTTP/3 if it supports it. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { knows } from '../../app/nginx/version.ts';
import { findCurl, nginxes } from '../setup/nginxes.ts';
import { pairwise } from '../setup/pairwise.ts';
import { isThorough } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask, type Target } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { cases, certificate, frontOf, host, ways } from './modes.ts';
import { type Nginx, startNginx } from './nginx.ts';

const files = certificate();
const named = ['--mode', 'tls', '--hsts', '--server-name', host];
const words = [...named, '--certificate', files.chain, '--certificate-key', files.key];
afterAll(() => files.remove());

for (const by of nginxes)
  describe.skipIf(by.version === undefined)(`TLS, ${by.name}`, () => {
    let nginx: Nginx;
    let backend: Backend;
    let target: Target;
    beforeAll(async () => {
      backend = await startBackend('uwsgi');
      nginx = await startNginx({ words, by, app: { kind: 'uwsgi', address: backend.address } });
      const tls = { ca: await readFile(files.chain, 'utf8'), servername: host };
      target = { port: nginx.port, tls, headers: { Host: `${host}:${nginx.port}` } };
    });
    afterAll(async () => {
      await nginx.stop();
      await backend.stop();
    });

    test('http is redirected to https, and an unknown host is refused', async () => {
      const plain = { port: nginx.plainPort };
      const moved = await ask(plain, '/rooms/x?a=%20', { method: 'POST', headers: { Host: host } });
      const location = `https://${host}:${nginx.port}/rooms/x?a=%20`;
      expect(moved).toMatchObject({ status: 308, headers: { location } });
      expect((await ask(plain, '/', { headers: { Host: 'other.example' } })).status).toBe(421);
    });

    test('an unknown name gets neither certificate nor page', async () => {
      const tls = { ca: await readFile(files.chain, 'utf8'), servername: 'other.example' };
      await expect(ask({ ...target, tls }, '/')).rejects.toThrow(/unrecognized name|alert/i);
      expect((await ask(target, '/', { headers: { Host: 'other.example' } })).status).toBe(421);
    });

    test('HTTP/2 is enabled, and HSTS if requested', async () => {
      const session = connect(`https://127.0.0.1:${nginx.port}`, { ca: target.tls?.ca ?? '', servername: host });
      const stream = session.request({ ':path': '/rooms/x', ':authority': `${host}:${nginx.port}` });
      const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
      stream.resume();
      session.close();
      expect(headers).toMatchObject({ ':status': 200, 'strict-transport-security': 'max-age=63072000' });
    });
  });

const curl = findCurl();
const publicDir = join(import.meta.dirname, '../../dist/public');
const secure = cases(files).filter(({ scheme }) => scheme === 'https');

const execute = promisify(execFile);
/** → status, and headers with the body */
const byCurl = async (port: number, path: string, ...more: string[]) => {
  const to = ['--resolve', `${host}:${port}:127.0.0.1`, '--cacert', files.chain, '--max-time', '10'];
  const report = ['--silent', '--show-error', '--include', '--write-out', '\n%{http_version} %{http_code}'];
  const { stdout } = await execute(curl ?? '', [...report, ...to, ...more, `https://${host}:${port}${path}`]);
  const [, version, status] = /\n(\S+) (\d+)$/.exec(stdout) ?? [];
  return { version, status: Number(status), text: stdout };
};
const byHttp3 = (port: number, path: string, ...more: string[]) => byCurl(port, path, '--http3-only', ...more);

for (const by of nginxes)
  describe.skipIf(curl === undefined || by.version === undefined || !knows(by.version).quic)(
    `HTTP/3, ${by.name}`,
    () => {
      let site: Site;
      beforeAll(async () => {
        site = await startSite([]);
      });
      afterAll(() => site.stop());

      const all = secure.flatMap((one) => ways.map((way) => ({ ...way, ...one })));
      test.each(isThorough ? all : pairwise(all, [({ name }) => name, ({ address }) => address]))(
        '$name, by $kind over $over: page, script, messages, refusals',
        async (one) => {
          const { base, kind } = one;
          const words = [...(one.words ?? []), '--http3'];
          const app = { kind, address: site.addresses[one.address] };
          const nginx = await startNginx({ ...frontOf(one), words, publicDir, by, app });
          onTestFinished(() => nginx.stop());
          const { port } = nginx;
          const page = await byHttp3(port, `${base}rooms/x`);
          expect(page).toMatchObject({ version: '3', status: 200 });
          expect(page.text).toContain(`<base href="${base}"`);
          expect(page.text.toLowerCase().split('content-security-policy:')).toHaveLength(2);
          const path = /js\/[\w-]+\.js/.exec(page.text)?.[0] ?? 'none';
          const script = await byHttp3(port, base + path);
          expect(script.text.endsWith(`${await readFile(join(publicDir, path), 'utf8')}\n3 200`)).toBe(true);
          const enter = (origin: string) =>
            byHttp3(port, `${base}rooms/x/join`, '--json', '{}', '--header', `Origin: ${origin}`);
          const joined = await enter(`https://${host}:${port}`);
          expect(joined).toMatchObject({ version: '3', status: 200, text: expect.stringContaining('"type":"joined"') });
          const refused = { status: 403, text: expect.stringContaining('origin-refused') };
          expect(await enter(`https://${host}`)).toMatchObject(refused);
          for (const missing of ['js/x.js', 'healthz'])
            expect(await byHttp3(port, base + missing)).toMatchObject({ version: '3', status: 404 });
          // A client by HTTP/2 gets Alt-Svc.
          const { version, text } = await byCurl(port, base);
          expect([version, text]).toEqual(['2', expect.stringMatching(new RegExp(`^alt-svc: h3=":${port}"`, 'im'))]);
        },
      );
    },
  );
