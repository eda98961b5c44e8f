/** What nginx with a certificate does besides what every mode does. */
import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { knows, parseVersion } from '../../app/nginx/version.ts';
import { without } from '../setup/without.ts';
import { ask, type Target } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { certificate, host } from './modes.ts';
import { freePort, type Nginx, nginxVersion, prepare, startNginx, testConfiguration } from './nginx.ts';

const missing = without('nginx');
const files = missing ? { chain: '', key: '', remove: () => {} } : certificate();
const named = ['--mode', 'tls', '--hsts', '--server-name', host];
const words = [...named, '--certificate', files.chain, '--certificate-key', files.key];
afterAll(() => files.remove());

describe.skipIf(missing)('TLS', () => {
  let nginx: Nginx;
  let backend: Backend;
  let target: Target;
  beforeAll(async () => {
    backend = await startBackend('uwsgi');
    nginx = await startNginx({ words, app: { kind: 'uwsgi', address: backend.address } });
    const tls = { ca: await readFile(files.chain, 'utf8'), servername: host };
    target = { port: nginx.port, tls, headers: { Host: `${host}:${nginx.port}` } };
  });
  afterAll(async () => {
    await nginx.stop();
    await backend.stop();
  });

  test('who comes by HTTP is sent over, a stranger is not', async () => {
    const plain = { port: nginx.plainPort };
    const moved = await ask(plain, '/rooms/x?a=%20', { method: 'POST', headers: { Host: host } });
    expect(moved).toMatchObject({ status: 308, headers: { location: `https://${host}:${nginx.port}/rooms/x?a=%20` } });
    expect((await ask(plain, '/', { headers: { Host: 'other.example' } })).status).toBe(421);
  });

  test('no certificate is shown for another name, and no page for another host', async () => {
    const tls = { ca: await readFile(files.chain, 'utf8'), servername: 'other.example' };
    await expect(ask({ ...target, tls }, '/')).rejects.toThrow(/unrecognized name|alert/i);
    expect((await ask(target, '/', { headers: { Host: 'other.example' } })).status).toBe(421);
  });

  test('HTTP/2 is there, and HSTS because it was asked for', async () => {
    const session = connect(`https://127.0.0.1:${nginx.port}`, { ca: target.tls?.ca ?? '', servername: host });
    const stream = session.request({ ':path': '/rooms/x', ':authority': `${host}:${nginx.port}` });
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    stream.resume();
    session.close();
    expect(headers).toMatchObject({ ':status': 200, 'strict-transport-security': 'max-age=63072000' });
  });
});

const version = parseVersion(nginxVersion());
test.skipIf(version === undefined || !knows(version).quic)('nginx finds nothing to say about HTTP/3', async () => {
  const prefix = await prepare({
    words: [...words, '--http3'],
    app: { kind: 'uwsgi', address: '127.0.0.1:3031' },
    port: await freePort(),
  });
  const { code, output } = testConfiguration(prefix);
  await rm(prefix, { recursive: true });
  expect([code, output]).toEqual([0, expect.not.stringMatching(/\[(warn|emerg|alert|error)\]/)]);
});
