/** What is wrong where nginx is not to blame: names, ports, networks, other sites, houses that want tokens. */
import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FaultName } from '../../app/doctor/faults.ts';
import { startSpoiled } from '../client/spoiled.ts';
import { freePort } from '../nginx/nginx.ts';
import { startSite } from '../signaling/site.ts';
import { type Clinic, diagnose, openClinic, patient } from './clinic.ts';

let clinic: Clinic;
beforeAll(async () => {
  clinic = await openClinic();
});
afterAll(() => clinic.stop());

/** Where something else than nginx is wrong: what is examined, until the test ends. */
const elsewhere: {
  finds: FaultName[];
  what: string;
  open(): Promise<{ url: string; close(): unknown }> | { url: string };
}[] = [
  { finds: ['name-unknown'], what: 'a name that nobody has', open: () => ({ url: 'http://nobody.invalid' }) },
  {
    finds: ['unreachable'],
    what: 'a port where nobody is',
    open: async () => ({ url: `http://127.0.0.1:${await freePort()}`, close: () => {} }),
  },
  { finds: ['not-genkan'], what: 'another site', open: () => startStranger() },
  {
    finds: ['tls-broken'],
    what: 'a port without TLS',
    open: async () => {
      const { url, close } = await startStranger();
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

const startStranger = async () => {
  const server = createServer((_request, answer) => answer.end('Hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return { url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`, close: () => server.close() };
};

test.concurrent.for(elsewhere)('$what → $finds', async ({ finds, open }, { expect: here }) => {
  const opened = await open();
  const { names, text } = await diagnose(patient(opened.url, '--timeout', '3'));
  if ('close' in opened) opened.close();
  here(names, text).toEqual(finds);
});

test('a house that wants tokens: without one it stays outside, with one all is tried', async () => {
  const secret = 'a-secret-of-the-house-of-32-letters';
  const house = await startSite(['--auth', 'token', '--token-secret', secret]);
  const claims = { room: 'doctor-*', role: 'host', exp: Math.floor(Date.now() / 1000) + 60 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  const [outside, inside] = [
    await diagnose(patient(house.direct.http)),
    await diagnose(patient(house.direct.http, '--token', token)),
  ];
  await house.stop();
  expect(outside.names, outside.text).toEqual(['entry-refused']);
  expect(inside.names, inside.text).toEqual(['no-turn']);
});
