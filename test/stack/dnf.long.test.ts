/**
 * deploy/install.sh where packages are installed by dnf and nginx is like Fedora's. Programs and file system are Debian's: neither a real
 * Fedora or RHEL nor a machine with SELinux enforcing was available.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type PlainServer, startServer } from './server.ts';

const site = '-- --mode vhost --server-name meet.example';

describe.skipIf(without('docker'))('a server with dnf', { timeout: 240_000 }, () => {
  let server: PlainServer;
  beforeAll(async () => {
    server = await startServer(`genkan-test-dnf-${process.pid}`, 'dnf');
  });
  afterAll(() => server?.remove());
  const install = (words = '') => server.sh(`cd /src && deploy/install.sh ${words}`);
  const visit = () =>
    server.mustSh("curl -s -o /dev/null -w '%{http_code}' -H 'Host: meet.example' http://127.0.0.1/rooms/x");

  test('--dry-run prints what dnf would install', async () => {
    const { code, output } = await install(`--dry-run ${site}`);
    expect([code, output]).toEqual([0, expect.stringContaining('+ dnf -y install ca-certificates nginx openssl\n')]);
    expect((await server.sh('command -v nginx')).code).not.toBe(0);
  });

  test('packages are installed by dnf; nginx is not started unasked, and serves once started', async () => {
    const { code, output } = await install(site);
    expect([code, output]).toEqual([
      0,
      expect.stringContaining('(!) nginx is not running: systemctl enable --now nginx'),
    ]);
    expect(output).toContain('worker_shutdown_timeout 30s;');
    expect(output).not.toContain('SELinux');
    expect(await server.mustSh('rpm -q --qf "%{NAME}\n" nginx openssl ca-certificates')).toBe(
      'nginx\nopenssl\nca-certificates\n',
    );
    await server.mustSh('systemctl enable --now nginx');
    expect(await server.mustSh('ps -o user= -C nginx | sort -u')).toBe('nginx\nroot\n');
    expect(await visit()).toBe('200');
    expect(await server.mustSh('curl -s http://127.0.0.1/')).toBe('theirs');
  });

  test('the socket belongs to the group that nginx runs with, even if another candidate exists', async () => {
    expect(await server.mustSh('getent group www-data && stat -c "%U %G %a" /run/genkan/genkan.1.sock')).toMatch(
      /genkan nginx 660\n$/,
    );
  });

  test('a second run changes nothing; with SELinux enforcing it prints what may be needed', async () => {
    const again = await install();
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('The nginx site is unchanged.')]);
    expect(again.output).not.toMatch(/\+ (write|cp|rm|ln|useradd|systemctl|dnf)/);
    await server.mustSh(
      "printf '#!/bin/sh\\necho Enforcing\\n' > /usr/sbin/getenforce && chmod 755 /usr/sbin/getenforce",
    );
    expect((await install()).output).toContain('httpd_can_network_connect');
  });

  test('uninstall leaves the existing nginx as it was', async () => {
    expect(await install('--uninstall --purge')).toMatchObject({ code: 0 });
    expect(await server.mustSh('curl -s http://127.0.0.1/')).toBe('theirs');
    expect((await server.sh('id genkan')).code).not.toBe(0);
  });
});
