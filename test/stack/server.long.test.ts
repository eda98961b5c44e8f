/** deploy/install.sh on a Debian with systemd and nginx: install, again, upgrade, a failing release, roll back, uninstall. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type PlainServer, startServer } from './server.ts';

const root = join(import.meta.dirname, '../..');
const site = '-- --mode vhost --server-name meet.example';
/** A page and its resources from nginx, as a visitor gets them. */
const visit = (name = 'meet.example', path = '/rooms/x') =>
  `curl -s -o /dev/null -w '%{http_code}' -H 'Host: ${name}' http://127.0.0.1${path}`;

/** Two peers in one room on the server itself, by WebSocket through nginx; succeeds when a message was delivered. */
const call = `node --input-type=module -e '
  const enter = () => new Promise((resolve, reject) => {
    const socket = new WebSocket("ws://meet.example/rooms/garden/ws", "genkan.v1");
    socket.onopen = () => socket.send(JSON.stringify({ type: "join" }));
    socket.onerror = () => reject(new Error("no WebSocket"));
    socket.onmessage = ({ data }) => JSON.parse(data).type === "joined" && resolve(socket);
  });
  const [a, b] = [await enter(), await enter()];
  b.onmessage = ({ data }) => JSON.parse(data).type === "chat" && process.exit(0);
  a.send(JSON.stringify({ type: "chat", n: 1, text: "hello" }));
  setTimeout(() => process.exit(1), 5000);'`;

// The tests build on each other: the life of a server.
describe.skipIf(without('docker'))('a plain server', { timeout: 180_000 }, () => {
  let server: PlainServer;
  const install = (words = '') => server.sh(`cd /src && deploy/install.sh ${words}`);
  const releases = async () => (await server.mustSh('ls -d /opt/genkan/[0-9]*')).trim().split('\n');
  const current = async () => (await server.mustSh('readlink -f /opt/genkan/current')).trim();
  /** Gives the checkout another version. */
  const change = (version: string) =>
    server.mustSh(`sed -i 's/"version": "[^"]*"/"version": "${version}"/' /src/package.json`);
  /** Everything on the server that the installation could change. */
  const inventory = () =>
    server.mustSh(`find /etc /opt /usr/local /var/lib /var/log /run/systemd/system -xdev ! -path '/etc/mtab' \\
      ! -path '/var/log/journal*' ! -path '/var/lib/systemd*' ! -path '/var/lib/logrotate/*' ! -path '*/nginx/body*' | sort; getent passwd genkan; true`);
  let before: string;

  beforeAll(async () => {
    server = await startServer(`genkan-test-server-${process.pid}`);
    await server.mustSh(`echo '127.0.0.1 meet.example other.example' >> /etc/hosts
      printf 'server { listen 80; server_name other.example; return 200 theirs; }' > /etc/nginx/conf.d/theirs.conf
      nginx -t && systemctl reload nginx`);
    before = await inventory();
  });
  afterAll(() => server?.remove());

  test('--dry-run prints every step and does none', async () => {
    const { code, output } = await install(`--dry-run ${site}`);
    expect([code, output]).toEqual([0, expect.stringContaining('+ systemctl restart genkan.service')]);
    expect(output).toContain(
      'genkan nginx --mode vhost --server-name meet.example --upstream /run/genkan/genkan.1.sock',
    );
    expect(await inventory()).toBe(before);
  });

  test('the installation serves a call next to the existing site', async () => {
    const { code, output } = await install(site);
    expect([code, output]).toEqual([0, expect.stringContaining('+ systemctl reload nginx')]);
    // nginx's old workers respond for a moment after a reload.
    await expect.poll(() => server.mustSh(visit()), { timeout: 10_000 }).toBe('200');
    expect(await server.mustSh(visit('meet.example', '/metrics'))).toBe('404');
    expect(await server.mustSh('curl -s http://other.example/')).toBe('theirs');
    await server.mustSh(call);
    const script = /js\/[\w-]+\.js/.exec(await server.mustSh('curl -s http://meet.example/rooms/x'))?.[0];
    expect(await server.mustSh(visit('meet.example', `/${script}`))).toBe('200');
  });

  test('the app runs as its own user, with its own Node, confined', async () => {
    expect(await server.mustSh('ps -o user= -C MainThread,node | sort -u')).toBe('genkan\n');
    expect(await server.mustSh('/opt/genkan/current/bin/node -v')).toBe(`v${process.versions.node}\n`);
    const { output } = await server.sh('systemd-analyze verify genkan.service genkan.socket');
    expect(output).not.toContain('genkan');
    // 0 is confined in every way, 10 not at all; above 2 systemd itself complains.
    await server.mustSh('systemd-analyze security --threshold=20 genkan.service');
  });

  test('the unit reports its status to systemd, reloads, refuses an invalid configuration, and restarts when killed', async () => {
    expect(await server.mustSh('systemctl show -P StatusText genkan')).toMatch(/^\d+ rooms, \d+ peers\n$/);
    const timestamp = async (name: string) =>
      Number(await server.mustSh(`systemctl show -P ${name}TimestampMonotonic genkan`));
    const ready = await timestamp('ActiveEnter');
    // The watchdog is notified every 15 s.
    await expect
      .poll(() => timestamp('Watchdog'), { timeout: 40_000, interval: 1000 })
      .toBeGreaterThan(ready + 10_000_000);
    await server.mustSh('systemctl reload genkan');
    await server.mustSh("echo '  max-peer: 3' >> /etc/genkan/genkan.yaml");
    expect((await server.sh('systemctl reload genkan')).code).not.toBe(0);
    expect(await server.mustSh(visit())).toBe('200');
    await server.mustSh("sed -i '/max-peer:/d' /etc/genkan/genkan.yaml && systemctl reload genkan");
    await server.mustSh('systemctl kill --kill-whom=main -s KILL genkan');
    // systemd holds the socket: clients that connect meanwhile wait.
    await expect.poll(() => server.mustSh(visit()), { timeout: 20_000 }).toBe('200');
  });

  test('a worker that hangs is ended by the watchdog and restarted, within its limits', async () => {
    const shown = (names: string) => server.mustSh(`systemctl show -P ${names.split(' ').join(' -P ')} genkan`);
    expect((await shown('MemoryMax TasksMax LimitNOFILE OOMPolicy')).split('\n').filter(Boolean)).toEqual(
      expect.arrayContaining([String(2 * 1024 ** 3), '512', '65536', 'continue']),
    );
    await server.mustSh(`mkdir -p /run/systemd/system/genkan.service.d
      printf '[Service]\nWatchdogSec=4\n' > /run/systemd/system/genkan.service.d/test.conf
      systemctl daemon-reload && systemctl restart genkan`);
    const first = await shown('MainPID');
    await server.mustSh('systemctl kill --kill-whom=main -s STOP genkan');
    await expect.poll(() => server.mustSh('journalctl -u genkan'), { timeout: 30_000 }).toContain('Watchdog timeout');
    await expect.poll(() => server.mustSh(visit()), { timeout: 30_000 }).toBe('200');
    expect(await shown('MainPID')).not.toBe(first);
    await server.mustSh('rm -r /run/systemd/system/genkan.service.d && systemctl daemon-reload');
  });

  test('a second run changes nothing', async () => {
    const [then, release] = [await inventory(), await current()];
    const { code, output } = await install();
    expect([code, output]).toEqual([0, expect.stringContaining('The nginx site is unchanged.')]);
    expect(output).not.toMatch(/\+ (write|cp|rm|ln|useradd|systemctl)/);
    expect([await inventory(), await current()]).toEqual([then, release]);
  });

  test('an upgrade keeps the previous release, and the settings', async () => {
    const first = await current();
    await server.mustSh("echo '  max-peers: 7' >> /etc/genkan/genkan.yaml");
    await change('0.2.0');
    expect(await install()).toMatchObject({ code: 0 });
    expect(await server.mustSh('genkan --version')).toBe('genkan 0.2.0\n');
    expect(await releases()).toEqual([first, await current()].sort());
    expect(await server.mustSh('cat /etc/genkan/genkan.yaml')).toContain('max-peers: 7');
    await server.mustSh(call);
  });

  test('--rollback goes back, and forward again', async () => {
    expect(await install('--rollback')).toMatchObject({ code: 0 });
    expect(await server.mustSh('genkan --version')).not.toContain('0.2.0');
    await server.mustSh(call);
    expect(await install('--rollback')).toMatchObject({ code: 0 });
    expect(await server.mustSh('genkan --version')).toBe('genkan 0.2.0\n');
  });

  test('invalid settings stop an upgrade before it starts', async () => {
    const then = await current();
    await server.mustSh("echo '  max-peer: 3' >> /etc/genkan/genkan.yaml");
    const { code, output } = await install();
    expect([code, output]).toEqual([1, expect.stringContaining('max-peer: there is no such setting')]);
    await server.mustSh("sed -i '/max-peer:/d' /etc/genkan/genkan.yaml");
    expect(await current()).toBe(then);
    expect(await server.mustSh(visit())).toBe('200');
  });

  test('a release that does not start is rolled back', async () => {
    const then = await current();
    await change('0.3.0');
    await server.mustSh(`cp /src/app/serve.ts /tmp/ && echo "throw new Error('broken');" >> /src/app/serve.ts`);
    const { code, output } = await install();
    await server.mustSh('cp /tmp/serve.ts /src/app/');
    await change('0.2.0');
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/0\.3\.0-\w+ did not start; 0\.2\.0-\w+ is running again/),
    ]);
    expect(await current()).toBe(then);
    await server.mustSh(call);
  });

  test("a site that nginx rejects is rolled back, and nginx's files are as they were", async () => {
    const files = () => server.mustSh('cd /etc/nginx && find . -type f | sort | xargs sha256sum');
    const then = await files();
    const { code, output } = await install(`${site} --certificate /nothing.pem --certificate-key /nothing.key`);
    expect([code, output]).toEqual([1, expect.stringContaining('its previous files were restored')]);
    expect(await files()).toBe(then);
    expect(await server.mustSh(visit())).toBe('200');
  });

  test('several workers have a socket each, and rooms are hashed over them', async () => {
    const { code, output } = await install(`--workers 3 ${site}`);
    expect([code, output]).toEqual([0, expect.stringContaining('--upstream /run/genkan/genkan.3.sock')]);
    expect(await server.mustSh('ls /run/genkan')).toBe('genkan.1.sock\ngenkan.2.sock\ngenkan.3.sock\n');
    const status = JSON.parse(await server.mustSh('genkan status --yaml /etc/genkan/genkan.yaml'));
    expect(status.workers).toHaveLength(3);
    for (let room = 0; room < 6; room += 1)
      expect(await server.mustSh(visit('meet.example', `/rooms/${room}`))).toBe('200');
    await server.mustSh(call);
  });

  test('an unpacked npm pack is installed in the same way', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'genkan-pack-'));
    execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: root });
    const tarball = readFileSync(join(directory, readdirSync(directory)[0] ?? ''));
    rmSync(directory, { recursive: true });
    server.put(tarball, '/pack.tgz');
    const then = await current();
    const { code, output } = await server.sh(
      'mkdir /pack && tar -xzf /pack.tgz -C /pack && /pack/package/deploy/install.sh',
    );
    expect([code, output]).toEqual([0, expect.any(String)]);
    expect(await current()).not.toBe(then);
    await server.mustSh(call);
  });

  test('logs go to a file if requested, and logrotate rotates it', async () => {
    await server.mustSh(`sed -i 's/^  # \\(logto\\|touch-logreopen\\)/  \\1/' /etc/genkan/genkan.yaml && systemctl restart genkan
      ${visit()} && logrotate -f /etc/logrotate.d/genkan`);
    const lines = `for i in $(seq 50); do ${visit()} >/dev/null; [ -s /var/log/genkan/genkan.log ] && exit; sleep 0.2; done; exit 1`;
    await server.mustSh(lines);
    expect(await server.mustSh('ls /var/log/genkan')).toBe('genkan.log\ngenkan.log.1\n');
  });

  test('uninstall leaves only the settings, and removes them too if requested', async () => {
    const { code, output } = await install('--uninstall');
    expect([code, output]).toEqual([0, expect.stringContaining('The settings are kept in /etc/genkan')]);
    expect(await server.mustSh('curl -s http://other.example/')).toBe('theirs');
    expect(await server.mustSh('ls /etc/genkan')).toBe('genkan.env\ngenkan.yaml\nnginx\nworkers\n');
    expect(await install('--uninstall --purge')).toMatchObject({ code: 0 });
    expect(await inventory()).toBe(before);
  });
});
