/** Directories of an administrator: their files are served, but not hidden ones, nor files outside of them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Site, startSite } from '../signaling/site.ts';

const place = realpathSync(mkdtempSync(join(tmpdir(), 'genkan-static-')));
const at = (...path: string[]) => join(place, ...path);
let site: Site;
beforeAll(async () => {
  for (const name of ['release/sub', 'release/.git', 'release/sub/.hidden', 'beside', 'release-2'])
    mkdirSync(at(name), { recursive: true });
  for (const name of ['release/a.txt', 'release/sub/b.txt', 'release/packed.txt']) writeFileSync(at(name), 'open');
  writeFileSync(at('release/sub/b.txt.gz'), gzipSync('open, packed'));
  for (const name of ['.env', '.git/config', 'sub/.hidden/c.txt']) writeFileSync(at('release', name), 'hush');
  for (const name of ['beside/secret.txt', 'beside/index.html', 'release-2/secret.txt'])
    writeFileSync(at(name), 'hush');
  // A deployment often is a link itself.
  symlinkSync('release', at('current'));
  site = await startSite(['--static-map', `/extra=${at('current')}`]);
  // Files are checked at the time of the request, not of the start.
  symlinkSync('a.txt', at('release/inside.txt'));
  symlinkSync('../beside/secret.txt', at('release/out.txt'));
  symlinkSync('../beside', at('release/out'));
  symlinkSync('../release-2', at('release/next'));
  symlinkSync('../beside/secret.txt', at('release/packed.txt.gz'));
  symlinkSync('../../beside/index.html', at('release/sub/index.html'));
  symlinkSync('nowhere', at('release/dangling.txt'));
  execFileSync('mkfifo', [at('release/fifo')]);
});
afterAll(async () => {
  await site.stop();
  rmSync(place, { recursive: true });
});

const get = async (path: string, encoding = 'identity') => {
  const answer = await fetch(`${site.direct.http}/extra/${path}`, {
    headers: { 'accept-encoding': encoding },
    signal: AbortSignal.timeout(5000),
  });
  return [answer.status, await answer.text()];
};

test('files, compressed copies and links within the directory are served', async () => {
  expect(await get('a.txt')).toEqual([200, 'open']);
  expect(await get('sub/b.txt')).toEqual([200, 'open']);
  expect(await get('sub/b.txt', 'gzip')).toEqual([200, 'open, packed']);
  expect(await get('inside.txt')).toEqual([200, 'open']);
});

test.each([
  ...['.env', '.git/config', 'sub/.hidden/c.txt', '%2eenv', 'sub/%2ehidden/c.txt'],
  ...['out.txt', 'out/secret.txt', 'next/secret.txt', 'sub/', 'dangling.txt', 'fifo'],
])('%s is not found', async (path) => {
  const missing = JSON.stringify({ type: 'error', code: 'not-found', message: `There is no GET /extra/${path}.` });
  expect(await get(path)).toEqual([404, missing]);
});

test('a compressed copy that leads outside is not served in place of its file', async () => {
  expect(await get('packed.txt')).toEqual([200, 'open']);
  expect((await get('packed.txt', 'gzip')).join()).not.toContain('hush');
});
