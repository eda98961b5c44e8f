/** What `genkan doctor` reports about the version of nginx that responses show. */
import { expect, test } from 'vitest';
import { judgeVersion } from '../../app/doctor/checks/nginx-version.ts';
import type { Seen } from '../../app/protocol/http-answers.ts';

const h3 = { 'alt-svc': 'h3=":443"; ma=86400' };
test.each<[Seen['by'], Record<string, string>, string[], RegExp]>([
  ['socket', {}, [], /no version/],
  ['socket', { server: 'nginx' }, [], /only "nginx"/],
  ['http-socket', { server: 'Caddy' }, [], /only "Caddy"/],
  ['socket', { server: 'nginx/1.30.6' }, [], /^nginx 1\.30\.6: no known vulnerabilities \(list of October 2026\)$/],
  [
    'socket',
    { server: 'nginx/1.18.0 (Ubuntu)' },
    ['nginx-old', 'nginx-faulty'],
    /^nginx 1\.18\.0 is not supported; 1\.22\.0 or later is required$/m,
  ],
  [
    'socket',
    { server: 'nginx/1.22.1' },
    ['nginx-faulty'],
    /has known vulnerabilities \(list of October 2026\): CVE-2026-42946/,
  ],
  ['http-socket', { server: 'nginx/1.22.1' }, ['nginx-faulty'], /^(?!.*CVE-2026-42946)/s],
  ['socket', { server: 'nginx/1.30.1' }, ['nginx-faulty'], /^(?!.*(CVE-2026-42946|CVE-2026-95101))/s],
  ['http-socket', { server: 'nginx/1.30.1', ...h3 }, ['nginx-faulty'], /CVE-2026-95101/],
])('%s, %j → %j', (by, headers, names, text) => {
  const findings = judgeVersion(headers, by);
  expect(findings.flatMap((one) => ('name' in one ? [one.name] : []))).toEqual(names);
  expect(findings.map(({ what }) => what).join('\n')).toMatch(text);
});

test('the fix for a known vulnerability names the newest fixed version of each branch', () => {
  const [finding] = judgeVersion({ server: 'nginx/1.31.6' }, 'socket');
  expect(finding).toMatchObject({ name: 'nginx-faulty', what: expect.stringContaining('CVE-2026-93479') });
  expect(finding).toMatchObject({ fix: expect.stringContaining('Use nginx 1.30.6 or later (mainline: 1.31.7)') });
});
