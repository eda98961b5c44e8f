/** Apache, Caddy and HAProxy in front of the real app, each with its file of deploy/fronts/. A missing program is skipped. */

import { readdirSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWords } from '../../app/doctor/options.ts';
import { showReport } from '../../app/doctor/report.ts';
import { runChecks } from '../../app/doctor/run.ts';
import { createAuthority } from '../doctor/certificates.ts';
import { ask, firstBytes } from '../nginx/ask.ts';
import { type Backend, startBackend } from '../nginx/backend.ts';
import { certificate } from '../nginx/modes.ts';
import { budgetsLifted } from '../setup/lifted-budgets.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { exchange } from './exchange.ts';
import { type Front, isHere, programs, startFront } from './front.ts';

const files = certificate();
const authority = createAuthority();
let site: Site;
beforeAll(async () => {
  // A proxy in front of the front end, at an address of this machine.
  const proxies = ['--trusted-proxies', '127.0.0.3'];
  site = await startSite([...budgetsLifted, ...proxies]);
});
afterAll(async () => {
  await site.stop();
  files.remove();
  authority.remove();
});

test('every example file has a test', () => {
  const there = readdirSync(join(import.meta.dirname, '../../deploy/fronts'));
  expect(programs.map(({ file }) => file).sort()).toEqual(there.sort());
});

for (const program of programs) {
  const here = isHere(program);
  describe.skipIf(!here)(program.name, () => {
    let front: Front;
    let echo: Front;
    let backend: Backend;
    beforeAll(async () => {
      front = await startFront(program, site.addresses['http-socket'], files);
      backend = await startBackend('http');
      echo = await startFront(program, backend.address, files);
    });
    afterAll(async () => {
      await front?.stop();
      await echo?.stop();
      await backend?.stop();
    });

    test('serves the page and its scripts, and keeps operational paths internal', async () => {
      const page = await ask(front.target, '/rooms/%E7%8E%84');
      expect(page).toMatchObject({
        status: 200,
        headers: { 'permissions-policy': expect.stringContaining('camera=(self)') },
      });
      const script = /src="\.\/(js\/[\w-]+\.js)"/.exec(page.body)?.[1];
      const served = await ask(front.target, `/${script}`, { headers: { Range: 'bytes=0-9' } });
      expect(served).toMatchObject({ status: 206, headers: { 'cache-control': expect.stringContaining('immutable') } });
      const paths = [
        '/healthz',
        '/readyz',
        '/metrics',
        '/stats',
        '/stats/',
        '//healthz',
        '/%68ealthz',
        '/x/../stats?a=1',
      ];
      for (const path of paths) expect([path, (await ask(front.target, path)).status]).toEqual([path, 404]);
    });

    test('carries a thousand WebSocket messages each way', async () => {
      await exchange(front.target, `thousand-${program.name}`, 1000);
    });

    test('redirects http to https', async () => {
      const moved = await ask(front.plain, '/rooms/x?a=1');
      expect(moved.status).toBe(308);
      expect(moved.headers.location).toMatch(/^https:\/\/meet\.example(:\d+)?\/rooms\/x\?a=1$/);
    });

    test('forwards events without buffering', async () => {
      expect(await firstBytes(echo.target, '/rooms/x/slow')).toBe('data: first\n\n');
    });

    test('forwards path and host unchanged', async () => {
      const received = JSON.parse((await ask(echo.target, '/rooms/a%2Fb%20c?x=%31')).body);
      expect(received).toMatchObject({
        url: '/rooms/a%2Fb%20c?x=%31',
        host: echo.target.headers?.Host,
        forwardedProto: 'https',
      });
    });

    test('forwards a body as large as the app accepts, and a larger one is refused', async () => {
      const post = (bytes: number) => {
        const headers = { 'Content-Type': 'application/json', 'Content-Length': `${bytes}` };
        return ask(front.target, '/rooms/x/messages', {
          method: 'POST',
          headers,
          body: 'x'.repeat(bytes),
          delay: 1000,
        });
      };
      // Without a session the body need not be read.
      expect((await post(1024 * 1024)).status).toBe(401);
      expect((await post(1024 * 1024 + 1)).status).toBe(413);
    });

    test('passes genkan doctor, except that the app serves its scripts itself and has no TURN server', async ({
      onTestFinished,
    }) => {
      const local = await startFront(program, site.addresses['http-socket'], authority.issue(), 'localhost');
      onTestFinished(() => local.stop());
      const asked = readWords([`https://localhost:${local.target.port}/`, '--ca', authority.file]);
      if ('faults' in asked) throw new Error(asked.faults.join('; '));
      // http is redirected to port 443, as it should be; nothing listens there.
      const report = await runChecks({ ...asked.site, plain: undefined });
      const found = report.flatMap(({ findings }) => findings.flatMap((one) => ('name' in one ? [one.name] : [])));
      expect([found, showReport(report)]).toEqual([['static-by-app', 'no-turn'], expect.anything()]);
    });

    const forged = {
      'X-Forwarded-For': '6.6.6.6, 203.0.113.7',
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Prefix': '/evil',
      'X-Real-IP': '6.6.6.6',
      Forwarded: 'for=6.6.6.6',
    };
    test.each([
      ['a visitor', '127.0.0.2', forged, '127.0.0.2'],
      // A trusted proxy appends to X-Forwarded-For, and drops the client's other headers.
      ['a visitor behind a trusted proxy', '127.0.0.3', { 'X-Forwarded-For': '6.6.6.6, 203.0.113.7' }, '203.0.113.7'],
    ])('reports the address of %s, whatever the client claims', async (_who, localAddress, more, expected) => {
      const path = `/rooms/from-${localAddress}-${program.name}`;
      const { port, tls, headers } = front.target;
      await new Promise((resolve, reject) => {
        const options = { host: '127.0.0.1', localAddress, port, path, ...tls, agent: false };
        const asking = request({ ...options, headers: { ...headers, ...more } }, (answer) =>
          answer.resume().once('end', resolve),
        );
        asking.once('error', reject).end();
      });
      const lines = () => site.logs.filter((line) => JSON.stringify(line).includes(path));
      await expect.poll(lines).toHaveLength(1);
      expect(lines()).toMatchObject([{ ip: expected, host: expect.stringMatching(/^meet\.example/) }]);
      expect(JSON.stringify(lines())).not.toMatch(/6\.6\.6\.6|evil/);
    });
  });
}
