/** The stack as shipped, from docker-compose.yml and its variants: pages, scripts, signaling and calls through it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { launch, wholeChromium } from './browser.ts';
import { describeCall } from './call.ts';
import { type Stack, startStack } from './compose.ts';

const variants = [
  { name: 'by uwsgi over TCP, as it is', files: [], tags: [] },
  { name: 'by uwsgi over a unix socket', files: ['deploy/compose.unix.yml'], tags: ['slow'] },
  { name: 'by HTTP', files: ['deploy/compose.http.yml'], tags: ['slow'] },
];

for (const { name, files, tags } of variants)
  describe.skipIf(without('docker'))(`docker compose, ${name}`, { tags }, () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ files });
    });
    afterAll(() => stack?.down());

    test('serves the page and its scripts, and keeps operational paths internal', async () => {
      const page = await fetch(`${stack.url}/rooms/r`);
      expect(page.status).toBe(200);
      expect(page.headers.get('permissions-policy')).toContain('camera=(self)');
      const script = /src="\.?\/?(js\/[\w-]+\.js)"/.exec(await page.text())?.[1] ?? 'none';
      const served = await fetch(`${stack.url}/${script}`);
      expect(served.status).toBe(200);
      expect(served.headers.get('cache-control')).toContain('immutable');
      expect(served.headers.get('content-encoding')).toBe('gzip');
      for (const path of ['/healthz', '/readyz', '/metrics', '/stats'])
        expect((await fetch(stack.url + path)).status).toBe(404);
    });

    test('carries a conversation between a WebSocket and plain HTTP', async () => {
      const [a, b] = [new WebSocketPeer(stack.url, 'mixed'), new HttpPeer(stack.url, 'mixed')];
      await a.join();
      const { peers } = await b.join();
      await b.send({ type: 'signal', to: a.id, epoch: peers[0]?.epoch, data: 'offer' });
      expect(await a.inbox.take('signal')).toMatchObject({ from: b.id, data: 'offer' });
      for (let i = 0; i < 200; i += 1) await a.send({ type: 'chat', text: String(i) });
      for (let i = 0; i < 200; i += 1) expect((await b.inbox.take('chat')).text).toBe(String(i));
      a.dispose();
      b.dispose();
    });

    test('runs without root, on a read-only file system', async () => {
      const app = stack.container('app');
      expect((await app.exec(['id', '-u'])).output.trim()).toBe('1000');
      expect((await app.exec(['touch', '/opt/genkan/x'])).exitCode).not.toBe(0);
    });

    test('creates links with genkan token in the app’s container', async () => {
      const words = [
        '--room',
        'garden',
        '--role',
        'host',
        '--name',
        'Aiko',
        '--ttl',
        '2h',
        '--link',
        'https://meet.example',
      ];
      const secret = 'GENKAN_TOKEN_SECRET=a-shared-secret-of-forty-characters-0001';
      const { output, exitCode } = await stack
        .container('app')
        .exec(['env', secret, 'node', 'dist/cli.js', 'token', ...words]);
      expect(output).toMatch(/^https:\/\/meet\.example\/rooms\/garden#token=[\w-]+\.[\w-]+\.[\w-]+\n$/);
      expect(exitCode).toBe(0);
    });

    // The main scenario, in the browser as users have it.
    describeCall(
      `compose ${name}`,
      () => stack.url,
      () => launch({ program: wholeChromium }),
    );

    test('continues when the app is replaced, without a restart of nginx', async () => {
      const peer = new WebSocketPeer(stack.url, 'replaced');
      await peer.join();
      await stack.compose('up', '-d', '--force-recreate', '--no-deps', '--wait', 'app');
      expect((await peer.closing()).code).toBe(4000);
      expect(peer.inbox.of('bye')).toMatchObject([{ code: 'draining', retry: expect.any(Number) }]);
      const again = new WebSocketPeer(stack.url, 'replaced');
      await expect
        .poll(
          () =>
            again.join().then(
              ({ self }) => self.role,
              () => '',
            ),
          { timeout: 15_000 },
        )
        .toBe('host');
      again.dispose();
    });
  });
