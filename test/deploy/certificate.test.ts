/** deploy/certificate.sh: a self-signed certificate for a host name or an IP address, which clients accept through nginx. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ask } from '../nginx/ask.ts';
import { startBackend } from '../nginx/backend.ts';
import { startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';

const script = readFileSync(join(import.meta.dirname, '../../deploy/certificate.sh'), 'utf8');
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'genkan-tls-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs the script with another directory in place of /tls. */
const run = (name: string) =>
  spawnSync('sh', ['-c', script.replace('cd /tls', `cd ${directory}`), 'certificate.sh', name], { encoding: 'utf8' });
const read = (name: string) => readFileSync(join(directory, name), 'utf8');
const create = (name: string): X509Certificate => {
  expect(run(name)).toMatchObject({ status: 0, stdout: expect.any(String), stderr: '' });
  return new X509Certificate(read('fullchain.pem'));
};

test.each([
  ['meet.example', 'DNS:meet.example'],
  ['1.2.3.4.example', 'DNS:1.2.3.4.example'],
  ['lan', 'DNS:lan'],
  ['192.168.1.5', 'IP Address:192.168.1.5'],
  ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
  ['[fd00::5]', 'IP Address:FD00:0:0:0:0:0:0:5'],
])('a certificate for %s has the entry %s', (name, entry) => {
  expect(create(name).subjectAltName).toBe(entry);
});

test.each(['meet.example', '192.168.1.5', '[fd00::5]'])(
  'the certificate for %s is kept until the name changes',
  (name) => {
    const { fingerprint256 } = create(name);
    expect(create(name).fingerprint256).toBe(fingerprint256);
    expect(create('192.168.1.6').subjectAltName).toBe('IP Address:192.168.1.6');
    expect(create('other.example').subjectAltName).toBe('DNS:other.example');
  },
);

test('a name that is too long is an error with the reason, and no file is replaced', () => {
  const { fingerprint256 } = create('meet.example');
  const result = run(`${'x'.repeat(60)}.example`);
  expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining('too long') });
  expect(new X509Certificate(read('fullchain.pem')).fingerprint256).toBe(fingerprint256);
});

describe.skipIf(without('nginx')).each([
  ['127.0.0.1', 'localhost'],
  ['[::1]', 'other.example'],
])('nginx with --mode tls --server-name %s', (name, other) => {
  test('serves clients that send no server name, as for an address, and refuses other names', async () => {
    create(name);
    const files = [
      '--certificate',
      join(directory, 'fullchain.pem'),
      '--certificate-key',
      join(directory, 'privkey.pem'),
    ];
    const backend = await startBackend('uwsgi');
    const nginx = await startNginx({
      words: ['--mode', 'tls', '--server-name', name, ...files],
      app: { kind: 'uwsgi', address: backend.address },
    });
    onTestFinished(async () => {
      await nginx.stop();
      await backend.stop();
    });
    const tls = {
      ca: read('fullchain.pem'),
      servername: '',
      checkServerIdentity: (_: string, { raw }: PeerCertificate) => checkAddress(raw, name),
    };
    const visit = async (host: string) => (await ask({ port: nginx.port, tls, headers: { Host: host } }, '/')).status;
    expect([await visit(`${name}:${nginx.port}`), await visit(other)]).toEqual([200, 421]);
  });
});

/** As a client that was given the address does; node:tls would compare the address that it connects to. */
const checkAddress = (raw: Buffer, name: string): Error | undefined => {
  const address = name.replaceAll(/[[\]]/g, '');
  return new X509Certificate(raw).checkIP(address) === undefined ? new Error(`not for ${address}`) : undefined;
};
