/** A certificate by ACME, by the command of deploy/docs/certificates.md: certbot, the challenge through nginx, and Pebble as the issuer. */

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { scriptsOf } from '../deploy/guide.ts';
import { ask } from '../nginx/ask.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { startStack } from './compose.ts';

const image = 'genkan-test-acme';
/** Debian's certbot; the official image has the same program as its entrypoint. */
const dockerfile = `
FROM ${process.env.NODE_IMAGE ?? 'node:24-trixie-slim'}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends certbot pebble openssl ca-certificates >/dev/null \\
  && rm -rf /var/lib/apt/lists/*
`;

/** The certificate that nginx serves for a name. */
const shown = (port: number, servername: string): Promise<X509Certificate> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      resolve(new X509Certificate(raw));
    });
    socket.once('error', reject);
  });

test.skipIf(without('docker'))(
  'certbot gets a certificate, nginx serves it, and it is kept',
  { timeout: 300_000 },
  async ({ onTestFinished }) => {
    execFileSync('docker', ['build', '-q', '-t', image, '-'], { input: dockerfile, stdio: 'pipe' });
    const [http, https] = [await freePort(), await freePort()];
    const stack = await startStack({
      // With the unix socket, to test the combination.
      files: ['deploy/compose.tls.yml', 'deploy/compose.unix.yml', 'test/stack/acme.yml'],
      environment: {
        HTTP_PORT: `127.0.0.1:${http}`,
        HTTPS_PORT: `127.0.0.1:${https}`,
        SERVER_NAME: 'meet.test',
        CERTBOT_IMAGE: image,
        ACME_SERVER: 'https://pebble:14000/dir',
        ACME_EMAIL: 'admin@meet.test',
      },
    });
    onTestFinished(() => stack.down());
    const first = await shown(https, 'meet.test');
    expect(first.issuer).toBe('CN=meet.test');
    const target = {
      port: https,
      tls: { ca: first.toString(), servername: 'meet.test' },
      headers: { Host: 'meet.test' },
    };
    expect((await ask(target, '/rooms/x')).status).toBe(200);
    const [getCertificate = 'false'] = scriptsOf('acme');
    await stack.script(getCertificate);
    await expect.poll(async () => (await shown(https, 'meet.test')).issuer).toContain('Pebble');
    const { serialNumber } = await shown(https, 'meet.test');
    // Again, like cron does: its lifetime is long enough. And a restart keeps it, because Genkan did not create it.
    await stack.script(getCertificate);
    await stack.compose('up', '-d', '--wait');
    await stack.compose('exec', '-T', 'nginx', 'nginx', '-s', 'reload');
    expect((await shown(https, 'meet.test')).serialNumber).toBe(serialNumber);
  },
);
