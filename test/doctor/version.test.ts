/** The doctor's findings about a version of nginx, from response headers. */
import { expect, test, vi } from 'vitest';
import { version } from '../../app/doctor/checks/nginx-version.ts';
import { readWords } from '../../app/doctor/options.ts';

const given = vi.hoisted(() => ({ by: 'socket', headers: {} as Record<string, string> }));
vi.mock('../../app/doctor/checks/app-identity.ts', () => ({
  fetchRequestEcho: async () => ({ seen: { by: given.by }, answer: { headers: given.headers } }),
}));

const h3 = { 'alt-svc': 'h3=":443"; ma=86400' };
test.each([
  ['socket', {}, [], /no version/],
  ['socket', { server: 'nginx' }, [], /only "nginx"/],
  ['http-socket', { server: 'Caddy' }, [], /only "Caddy"/],
  ['socket', { server: 'nginx/1.30.6' }, [], /^nginx 1\.30\.6$/],
  ['socket', { server: 'nginx/1.18.0 (Ubuntu)' }, ['nginx-old', 'nginx-faulty'], /1\.22\.0 or later is needed/],
  ['socket', { server: 'nginx/1.22.1' }, ['nginx-faulty'], /CVE-2026-42946/],
  ['http-socket', { server: 'nginx/1.22.1' }, ['nginx-faulty'], /^(?!.*CVE-2026-42946)/s],
  ['socket', { server: 'nginx/1.30.1' }, ['nginx-faulty'], /^(?!.*(CVE-2026-42946|CVE-2026-95101))/s],
  ['http-socket', { server: 'nginx/1.30.1', ...h3 }, ['nginx-faulty'], /CVE-2026-95101/],
])('%s, %j → %j', async (by, headers, names, text) => {
  Object.assign(given, { by, headers });
  const asked = readWords(['https://meet.example']);
  if ('faults' in asked) throw new Error(asked.faults.join('; '));
  const findings = await version.run(asked.site);
  expect(findings.flatMap((one) => ('name' in one ? [one.name] : []))).toEqual(names);
  expect(findings.map(({ what }) => what).join('\n')).toMatch(text);
});
