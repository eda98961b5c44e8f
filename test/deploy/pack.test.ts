/** `npm pack` includes the built program and all that it needs. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const place = mkdtempSync(join(tmpdir(), 'genkan-pack-'));
const [checkout, unpacked] = [join(place, 'checkout'), join(place, 'package')];
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

beforeAll(() => {
  mkdirSync(checkout);
  cpSync(join(root, 'package.json'), join(checkout, 'package.json'));
  cpSync(join(root, 'dist'), join(checkout, 'dist'), { recursive: true });
  mkdirSync(join(checkout, 'dist/cache'), { recursive: true });
  cpSync(join(root, 'LICENSE'), join(checkout, 'dist/cache/compiled'));
  for (const part of ['deploy', 'nginx']) cpSync(join(root, part), join(checkout, part), { recursive: true });
  const words = ['--loglevel=error', '--cache', join(place, 'cache'), 'pack', '--pack-destination', place];
  execFileSync('npm', words, { cwd: checkout });
  execFileSync('tar', ['-xzf', join(place, `genkan-${json(root, 'package.json').version}.tgz`), '-C', place]);
}, 60_000);
afterAll(() => rmSync(place, { recursive: true }));

test('the package needs no others, and its command runs', () => {
  const { dependencies, version, bin } = json(unpacked, 'package.json');
  expect(dependencies).toBeUndefined();
  symlinkSync(join(unpacked, bin.genkan), join(place, 'genkan'));
  const run = (...words: string[]) =>
    execFileSync(process.execPath, [join(place, 'genkan'), ...words], { encoding: 'utf8' });
  expect(run('--version')).toBe(`genkan ${version}\n`);
  // Loads the files of the server too.
  execFileSync(process.execPath, [join(unpacked, 'deploy/warm.mjs')], { timeout: 30_000 });
});

test('it has the licenses of what is bundled, and no compile cache of another machine', () => {
  expect(readFileSync(join(checkout, 'dist/licenses.md'), 'utf8')).toBe(
    readFileSync(join(unpacked, 'dist/licenses.md'), 'utf8'),
  );
  expect(existsSync(join(unpacked, 'dist/cache/compiled'))).toBe(false);
});
