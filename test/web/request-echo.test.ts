/** `GET …/seen`: what a front end reports to the app, as the app understood it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Seen, seen } from '../../app/protocol/http-answers.ts';
import { type Site, startSite } from '../signaling/site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite([]);
});
afterAll(() => site.stop());

const ask = async (listener: keyof Site['direct'], headers: Record<string, string>): Promise<Seen> => {
  const answer = await fetch(`${site.direct[listener]}/rooms/nobody-is-here/seen`, { headers });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  return seen.parse(await answer.json());
};
const forwarded = {
  'X-Forwarded-For': '203.0.113.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'meet.example',
  'X-Forwarded-Prefix': '/meet',
};

test('shows what a front end reported, and what it did not report', async () => {
  expect(await ask('http-socket', { ...forwarded, Origin: 'https://other.example' })).toEqual({
    ...{ protocol: 'genkan.v1', by: 'http-socket', client: '203.0.113.7', told: true },
    ...{ scheme: 'https', host: 'meet.example', prefix: '/meet', origin: 'https://other.example' },
  });
  expect(await ask('http-socket', { ...forwarded, 'X-Forwarded-Port': '8443' })).toMatchObject({ port: 8443 });
  expect(await ask('http-socket', {})).toMatchObject({ told: false, scheme: 'http', prefix: '', origin: null });
  expect(await ask('socket', {})).toMatchObject({ by: 'socket', client: '127.0.0.1', told: true });
});

test('trusts nothing that a browser reports', async () => {
  const echo = await ask('http', { ...forwarded, 'X-Forwarded-Port': '8443' });
  expect(echo).toMatchObject({ by: 'http', client: '127.0.0.1', told: true, scheme: 'http', prefix: '' });
  expect(echo.host).toBe(new URL(site.direct.http).host);
  expect(echo).not.toHaveProperty('port');
});
