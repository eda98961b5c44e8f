/** Faults outside nginx: names, ports, networks, other sites, sites that require tokens. */

import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FaultName } from '../../app/doctor/faults.ts';
import { startSpoiled } from '../client/spoiled.ts';
import { freePort } from '../setup/free-port.ts';
import { startSite } from '../signaling/site.ts';
import { type Clinic, diagnose, openClinic, patient } from './clinic.ts';

let clinic: Clinic;
beforeAll(async () => {
  clinic = await openClinic();
});
afterAll(() => clinic.stop());

/** Faults outside nginx: what is examined, until the test ends. */
const elsewhere: {
  finds: FaultName[];
  what: string;
  open(): Promise<{ url: string; close(): unknown }> | { url: string };
}[] = [
  { finds: ['name-unknown'], what: 'a name that does not exist', open: () => ({ url: 'http://nobody.invalid' }) },
  {
    finds: ['unreachable'],
    what: 'a port without a listener',
    open: async () => ({ url: `http://127.0.0.1:${await freePort()}`, close: () => {} }),
  },
  { finds: ['not-genkan'], what: 'another site', open: () => startOtherSite() },
  {
    finds: ['tls-broken'],
    what: 'a port without TLS',
    open: async () => {
      const { url, close } = await startOtherSite();
      return { url: url.replace('http:', 'https:'), close };
    },
  },
  {
    finds: ['websocket-refused'],
    what: 'a network that refuses upgrades',
    open: () => startSpoiled(clinic.site.direct.http, ['refuses upgrades']),
  },
  {
    finds: ['websocket-refused'],
    what: 'a network that hangs upgrades',
    open: () => startSpoiled(clinic.site.direct.http, ['hangs upgrades']),
  },
  {
    finds: ['websocket-mute'],
    what: 'a network that swallows WebSockets',
    open: () => startSpoiled(clinic.site.direct.http, ['swallows WebSockets']),
  },
  {
    finds: ['websocket-mute'],
    what: 'a network that cuts WebSockets',
    open: () => startSpoiled(clinic.site.direct.http, ['cuts WebSockets']),
  },
  {
    finds: ['stream-buffered'],
    what: 'a network that buffers streams',
    open: () => startSpoiled(clinic.site.direct.http, ['buffers streams']),
  },
  { finds: [], what: 'no front end', open: () => ({ url: clinic.site.direct.http }) },
];

const startOtherSite = async () => {
  const server = createServer((_request, answer) => answer.end('Hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return { url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`, close: () => server.close() };
};

const long = new Set(['a network that hangs upgrades', 'a network that swallows WebSockets']);
for (const { what, finds, open } of elsewhere)
  test.concurrent(`${what} → ${finds}`, { tags: long.has(what) ? ['slow'] : [] }, async ({ expect: here }) => {
    const opened = await open();
    const { names, text } = await diagnose(patient(opened.url, '--timeout', '3'));
    if ('close' in opened) opened.close();
    here(names, text).toEqual(finds);
  });

test('a site that requires tokens: without one the doctor stops early, with one it runs all checks', async () => {
  const secret = 'a-secret-of-the-site-of-32-letters-';
  const site = await startSite(['--auth', 'token', '--token-secret', secret]);
  const claims = { room: 'doctor-*', role: 'host', exp: Math.floor(Date.now() / 1000) + 60 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  const [outside, inside] = [
    await diagnose(patient(site.direct.http)),
    await diagnose(patient(site.direct.http, '--token', token)),
  ];
  await site.stop();
  expect(outside.names, outside.text).toEqual(['entry-refused']);
  expect(inside.names, inside.text).toEqual(['no-turn']);
});
