/** The command blocks of deploy/docs/, run as written: with compose in a copy of the checkout, and on servers with systemd. */

import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocks, nginxScripts, scriptsOf } from '../deploy/guide.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { freeSubnet } from './compose.ts';
import { type PlainServer, startServer } from './server.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

describe.skipIf(without('docker'))('with compose', () => {
  let checkout: string;
  const projects: string[] = [];
  beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), 'genkan-guide-'));
    const parts = [
      'app',
      'deploy',
      'nginx',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'docker-compose.yml',
      '.dockerignore',
    ];
    for (const part of parts) cpSync(join(root, part), join(checkout, part), { recursive: true });
  });
  afterAll(() => {
    for (const project of projects) spawnSync('docker', ['compose', '-p', project, 'down', '-v'], { cwd: checkout });
    spawnSync('docker', ['image', 'rm', 'genkan:before']);
    rmSync(checkout, { recursive: true });
  });

  test.each([
    ['compose', {}],
    ['ways', {}],
    ['tls', { COMPOSE_FILE: 'docker-compose.yml:deploy/compose.tls.yml', SERVER_NAME: 'meet.example' }],
    [
      'scale',
      {
        COMPOSE_PROFILES: 'scale',
        APP_REPLICAS: '3',
        GENKAN_STORE: 'valkey://genkan@valkey:6379',
        GENKAN_STORE_PASSWORD: 'of-the-guide',
      },
    ],
  ])('%s', { timeout: 300_000 }, async (place, more) => {
    const project = `genkan-test-guide-${place}-${process.pid}`;
    projects.push(project);
    const port = async () => `127.0.0.1:${await freePort()}`;
    const ports = { GENKAN_PORT: await port(), HTTP_PORT: await port(), HTTPS_PORT: await port() };
    const env = { ...process.env, ...more, ...ports, GENKAN_SUBNET: await freeSubnet(), COMPOSE_PROJECT_NAME: project };
    const script = ['set -eux', ...scriptsOf(place)].join('\n');
    await run('bash', ['-c', script], { cwd: checkout, env, maxBuffer: 1e7 });
  });
});

/** For meet.example, by an authority that this server trusts. */
const named = '--certificate /etc/ssl/meet.pem --certificate-key /etc/ssl/private/meet.key';
const certificate = `cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -days 9 -keyout ca.key -out ca.pem &&
  openssl req -newkey rsa:2048 -nodes -subj /CN=meet.example -keyout /etc/ssl/private/meet.key -out meet.csr &&
  echo subjectAltName=DNS:meet.example >names && openssl x509 -req -in meet.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 \\
    -extfile names -out meet.pem && cat meet.pem ca.pem >/etc/ssl/meet.pem &&
  cp ca.pem /usr/local/share/ca-certificates/authority.crt && update-ca-certificates`;

describe.skipIf(without('docker'))('on a plain server', { timeout: 300_000 }, () => {
  let server: PlainServer;
  let count = 0;
  const fresh = async () => {
    server = await startServer(`genkan-test-guide-${process.pid}-${++count}`);
    await server.mustSh(`printf '#!/bin/sh\\nexec "$@"\\n' > /usr/local/bin/sudo && chmod 755 /usr/local/bin/sudo
      echo '127.0.0.1 meet.example' >> /etc/hosts`);
    return server;
  };
  const script = (text: string) => server.mustSh(`cd /src; set -eux; ${text}`);
  const visit = () => server.mustSh('curl -fsS http://meet.example/rooms/x');
  const visitScript = async () => {
    const path = /js\/[\w-]+\.js/.exec(await visit())?.[0];
    await server.mustSh(`curl -fsS http://meet.example/${path}`);
  };

  test('install, use, upgrade, back up, remove and restore work', async ({ onTestFinished }) => {
    await fresh();
    onTestFinished(() => server.remove());
    for (const text of scriptsOf('server')) {
      // An upgrade must be to another version, so that there is something to roll back to.
      if (text === 'sudo deploy/install.sh\n')
        await server.mustSh(`sed -i 's/"version": "0/"version": "1/' /src/package.json`);
      await script(text);
    }
    await visitScript();
    await server.mustSh(certificate);
    await script(`deploy/install.sh -- --mode vhost --server-name meet.example ${named}`);
    for (const text of scriptsOf('server-tls')) await script(text);
    const gid = (await server.mustSh('getent group genkan')).split(':')[2];
    for (const text of scriptsOf('server-end')) await script(text);
    // As on a new server, another group has the number that the backup has for genkan.
    await server.mustSh(`groupadd -g ${gid} other`);
    expect((await server.sh('curl -fsS http://meet.example/rooms/x')).code).not.toBe(0);
    for (const text of scriptsOf('server-restore')) await script(text);
    expect(await server.mustSh('stat -c %U:%G:%a /etc/genkan/genkan.env')).toBe('root:genkan:640\n');
    await visitScript();
    expect(JSON.parse(await server.mustSh('genkan status --yaml /etc/genkan/genkan.yaml')).workers).toHaveLength(2);
  });

  test('the commands of nginx/README.md work', async ({ onTestFinished }) => {
    await fresh();
    onTestFinished(() => server.remove());
    await script('deploy/install.sh');
    await server.mustSh(certificate);
    expect(nginxScripts.length).toBeGreaterThan(7);
    for (const text of nginxScripts) {
      // An nginx of our own replaces the package's, with files that fit this server.
      const isAlone = text.includes('$PWD/genkan-nginx/nginx.conf');
      if (isAlone) await script('systemctl stop nginx; rm -r genkan-nginx; genkan nginx --out genkan-nginx');
      await script(text);
      if (isAlone) await script('while [ -e /run/nginx.pid ]; do sleep 0.1; done; systemctl start nginx');
    }
    await script('deploy/install.sh -- --mode vhost --server-name meet.example --brotli');
    await script(`for i in $(seq 50); do
        curl -fsS -H 'Accept-Encoding: br' http://meet.example/js/genkan.js -o packed -D head && grep -qi '^content-encoding: br' head && break
        sleep 0.2
      done
      node -e 'process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync("packed")))' | cmp - /var/lib/genkan/public/js/genkan.js`);
  });

  test('nginx by hand and standalone work', async ({ onTestFinished }) => {
    await fresh();
    onTestFinished(() => server.remove());
    for (const block of blocks) {
      if (block.kind === 'not run' || !['hand', 'standalone'].includes(block.place)) continue;
      if (block.kind === 'run') await script(block.script);
      else
        await script(
          `{ ${block.script}\n} >/dev/null 2>&1 & for i in $(seq 150); do ${block.until} >/dev/null && exit; sleep 0.2; done; exit 1`,
        );
    }
    await visitScript();
  });
});
