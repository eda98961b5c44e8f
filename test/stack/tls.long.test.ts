/** The stack with a certificate, with compose.tls.yml: nginx's files, the certificate, the redirect from http. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nginxFiles } from '../../app/commands/nginx.ts';
import { exchange } from '../deploy/exchange.ts';
import { ask, expectSecurityHeadersOnce, type Target } from '../nginx/ask.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { type Stack, startStack } from './compose.ts';

const files = ['deploy/compose.tls.yml'];
const ports = async () => ({
  HTTP_PORT: `127.0.0.1:${await freePort()}`,
  HTTPS_PORT: `127.0.0.1:${await freePort()}`,
});
const portOf = (address: string): number => Number(address.split(':')[1]);

describe.skipIf(without('docker'))('docker compose with a certificate', () => {
  let stack: Stack;
  let environment: Awaited<ReturnType<typeof ports>>;
  let plain: Target;
  const targetFor = (name: string, ca: string): Target => ({
    port: portOf(environment.HTTPS_PORT),
    tls: { ca, servername: name },
    headers: { Host: name },
  });
  const shownBy = (service: Stack) => service.compose('exec', 'nginx', 'cat', '/etc/genkan/tls/fullchain.pem');
  beforeAll(async () => {
    environment = await ports();
    stack = await startStack({ files, environment: { ...environment, SERVER_NAME: 'meet.test' } });
    plain = { port: portOf(environment.HTTP_PORT) };
  });
  afterAll(() => stack?.down());

  test('nginx has exactly the files that genkan nginx writes', async () => {
    const words = [
      '--mode=tls',
      '--server-name=meet.test',
      '--certificate=/etc/genkan/tls/fullchain.pem',
      '--certificate-key=/etc/genkan/tls/privkey.pem',
      '--acme-webroot=/var/lib/genkan/acme',
      '--upstream=app:3031',
      '--resolver=127.0.0.11',
      '--nginx-version=1.30.6',
    ];
    const found = nginxFiles(words, {});
    if ('faults' in found) throw new Error(found.faults.join('; '));
    for (const [path, text] of found.files)
      expect([path, await stack.compose('exec', 'nginx', 'cat', `/etc/nginx/${path}`)]).toEqual([path, text]);
    await stack.compose('exec', 'nginx', 'nginx', '-t');
  });

  test('serves the page and a thousand messages with a self-signed certificate for the name', async () => {
    const target = targetFor('meet.test', await shownBy(stack));
    const page = await ask(target, '/rooms/x');
    expect(page.status).toBe(200);
    expectSecurityHeadersOnce(page);
    for (const path of ['/healthz', '/metrics']) expect((await ask(target, path)).status).toBe(404);
    await exchange(target, 'garden', 300);
  });

  test('redirects http to https, except for ACME challenges', async () => {
    const moved = await ask(plain, '/rooms/x?a=1', { headers: { Host: 'meet.test' } });
    expect(moved).toMatchObject({ status: 308, headers: { location: 'https://meet.test/rooms/x?a=1' } });
    const proof = await ask(plain, '/.well-known/acme-challenge/none', { headers: { Host: 'meet.test' } });
    expect(proof.status).toBe(404);
    expect((await ask(plain, '/', { headers: { Host: 'other.example' } })).status).toBe(421);
  });

  test('keeps its certificate across restarts, and creates another for another name', async () => {
    const before = await shownBy(stack);
    await stack.compose('up', '-d', '--wait');
    expect(await shownBy(stack)).toBe(before);
    const other = { ...stack, compose: stack.composeWith({ SERVER_NAME: 'call.test' }) };
    await other.compose('up', '-d', '--wait');
    const target = targetFor('call.test', await shownBy(other));
    expect((await ask(target, '/rooms/x')).status).toBe(200);
  });

  test('uses a certificate given by its path', async ({ onTestFinished }) => {
    const directory = mkdtempSync(join(tmpdir(), 'genkan-tls-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=mine.test', '-days', '2'];
    const names = ['-addext', 'subjectAltName=DNS:mine.test', '-keyout', 'my.key', '-out', 'my.pem'];
    execFileSync('openssl', [...request, ...names], { cwd: directory, stdio: 'ignore' });
    const own = { SERVER_NAME: 'mine.test', TLS_DIR: directory, TLS_CERTIFICATE: 'my.pem', TLS_KEY: 'my.key' };
    await stack.composeWith(own)('up', '-d', '--wait');
    const target = targetFor('mine.test', readFileSync(join(directory, 'my.pem'), 'utf8'));
    expect((await ask(target, '/rooms/x')).status).toBe(200);
  });
});
