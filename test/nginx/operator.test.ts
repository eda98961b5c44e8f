/** What an operator can switch on: maintenance, also below a path, and limits that only log. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { nginxes } from '../setup/nginxes.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask } from './ask.ts';
import { startBackend } from './backend.ts';
import { startNginx } from './nginx.ts';

let site: Site;
const directory = mkdtempSync(join(tmpdir(), 'genkan-operator-'));
beforeAll(async () => {
  site = await startSite([]);
});
afterAll(async () => {
  await site.stop();
  rmSync(directory, { recursive: true });
});

describe.each(nginxes)('$name', (by) => {
  test.skipIf(by.version === undefined).each([
    ['uwsgi', 'socket', '/'],
    ['http', 'http-socket', '/meet/'],
  ] as const)('a site in maintenance, by %s on %s, below %s', async (kind, listener, base) => {
    const file = join(directory, kind);
    const words = ['--maintenance-file', file, '--base', base];
    const nginx = await startNginx({ by, app: { kind, address: site.addresses[listener] }, words });
    const url = nginx.url + base.slice(0, -1);
    const room = `closed-${nginx.port}`;
    const [socket, plain] = [new WebSocketPeer(url, room), new HttpPeer(url, room)];
    await socket.join();
    await plain.join();
    writeFileSync(file, '');
    // Both continue unaffected.
    for (let count = 1; count <= 20; count += 1) {
      await socket.send({ type: 'chat', text: `to you ${count}` });
      expect((await plain.inbox.take('chat')).text).toBe(`to you ${count}`);
      await plain.send({ type: 'chat', text: `to me ${count}` });
      expect((await socket.inbox.take('chat')).text).toBe(`to me ${count}`);
    }
    expect(await ask(nginx, `${base}rooms/${room}`)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '60' },
    });
    const late = new WebSocketPeer(url, room);
    await expect(late.join()).rejects.toThrow();
    rmSync(file);
    const welcome = new WebSocketPeer(url, room);
    expect((await welcome.join()).peers).toHaveLength(2);
    for (const peer of [socket, plain, late, welcome]) peer.dispose();
    await nginx.stop();
  });

  test.skipIf(by.version === undefined)(
    '--limits-dry-run refuses no request, and logs those over a limit',
    async () => {
      const backend = await startBackend('uwsgi');
      const words = ['--limits-dry-run', '--handshakes', '1', '--connections', '1000'];
      const nginx = await startNginx({ by, app: { kind: 'uwsgi', address: backend.address }, words });
      const statuses: number[] = [];
      for (let count = 0; count < 12; count += 1)
        statuses.push((await ask(nginx, '/rooms/x/join', { method: 'POST', body: '{}' })).status);
      expect(statuses).toEqual(Array(12).fill(200));
      await expect.poll(nginx.logs).toContain('"limit_req":"REJECTED_DRY_RUN","limit_conn":"PASSED"');
      expect(await nginx.logs()).toContain('"limit_req":"PASSED"');
      await nginx.stop();
      await backend.stop();
    },
  );
});
